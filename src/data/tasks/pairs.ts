/** The result of a task generator: pairs, in columns and one by one. */
import { formatList, InputError, InternalError, printsItself } from "../../core/index.js";
import type { Tensor } from "../../tensor/index.js";
import { Dataset } from "../dataset.js";
import type { LabelledDocument } from "../document.js";
import { memorySource } from "../source.js";
import type { TaskReport } from "./report.js";
import { scoreLogits, type TaskScore } from "./score.js";
import type { PromptPairs, TaskLabels, TaskPair, TaskPrompt } from "./types.js";

/** What {@link TaskPairs} is made from. */
export interface TaskPairsParts<R extends string, P extends TaskPrompt> {
  readonly task: string;
  readonly seed: number;
  /** Roles that every pair has a position for. */
  readonly roles: readonly R[];
  readonly pairs: readonly TaskPair<P>[];
  readonly report: TaskReport;
}

/**
 * Aligned clean and corrupted prompts with their answers, made by a task generator. Prints itself.
 *
 * Columns (`clean`, `answers`, `positions.end`) have one entry for each pair, in the same order.
 *
 * @typeParam R - Roles that positions are known for, such as `"S2"` and `"end"`.
 * @typeParam P - What a prompt is: text, or token ids for tasks over random tokens.
 */
export class TaskPairs<R extends string = string, P extends TaskPrompt = string> implements PromptPairs<P> {
  static {
    printsItself(this.prototype);
  }

  /** The generator's name. */
  readonly task: string;
  readonly seed: number;
  /** What this tokenizer ruled out, and why. */
  readonly report: TaskReport;
  readonly clean: readonly P[];
  readonly corrupted: readonly P[];
  /** Ids of each clean prompt as the model reads it, BOS included where there is one. */
  readonly cleanTokens: readonly (readonly number[])[];
  /** Ids of each corrupted prompt: as many as `cleanTokens` has. */
  readonly corruptedTokens: readonly (readonly number[])[];
  readonly answers: readonly string[];
  readonly wrongAnswers: readonly string[];
  /** Ids of every right answer of each clean prompt; the first is that of `answers[i]`. */
  readonly answerTokens: readonly (readonly number[])[];
  /** Ids of every wrong answer of each clean prompt; the first is that of `wrongAnswers[i]`. */
  readonly wrongAnswerTokens: readonly (readonly number[])[];
  /** Positions of interest by role, one for each pair, counted from 0 with BOS. */
  readonly positions: Readonly<Record<R, readonly number[]>>;
  /** What each pair is an instance of. */
  readonly labels: readonly TaskLabels[];
  readonly #pairs: readonly TaskPair<P>[];
  readonly #roles: readonly R[];

  /** @internal Made by the generators of `tasks`. */
  constructor({ task, seed, roles, pairs, report }: TaskPairsParts<R, P>) {
    this.task = task;
    this.seed = seed;
    this.report = report;
    this.#pairs = pairs;
    this.#roles = roles;
    this.clean = pairs.map((pair) => pair.clean);
    this.corrupted = pairs.map((pair) => pair.corrupted);
    this.cleanTokens = pairs.map((pair) => pair.cleanTokens);
    this.corruptedTokens = pairs.map((pair) => pair.corruptedTokens);
    this.answers = pairs.map(({ right }) => right[0]?.text ?? "");
    this.wrongAnswers = pairs.map(({ wrong }) => wrong[0]?.text ?? "");
    this.answerTokens = pairs.map(({ right }) => right.map(({ token }) => token));
    this.wrongAnswerTokens = pairs.map(({ wrong }) => wrong.map(({ token }) => token));
    this.labels = pairs.map((pair) => pair.labels);
    this.positions = positionColumns(roles, pairs);
  }

  /** Number of pairs. */
  get length(): number {
    return this.#pairs.length;
  }

  /** Yields the pairs. */
  [Symbol.iterator](): Iterator<TaskPair<P>> {
    return this.#pairs[Symbol.iterator]();
  }

  /**
   * Returns everything about one pair.
   *
   * @throws InputError when there is no such pair.
   */
  pair(i: number): TaskPair<P> {
    const found = this.#pairs[i];
    if (found !== undefined) return found;
    throw new InputError({
      where: `tasks.${this.task}: pair`,
      got: String(i),
      expected: `a whole number from 0 to ${this.length - 1}`,
      fix: "Ask for more pairs with { n } when they are made.",
    });
  }

  /** Returns the whole clean sentence with its right answer: text to train on. Random tokens are joined by their pieces. */
  text(i: number): string {
    return this.pair(i).text;
  }

  /**
   * Returns the clean sentences as a dataset: documents with `text` (or `tokens`, where the task is over random tokens),
   * the answer as `label` and the template as `group`.
   */
  dataset(): Dataset<LabelledDocument> {
    const documents = this.#pairs.map(documentOf);
    const description = `${this.length} sentences of tasks.${this.task}, seed ${this.seed}`;
    return new Dataset(memorySource(documents, description, (i) => `tasks.${this.task}: pair ${i}`));
  }

  /**
   * Returns the pairs whose labels pass a test.
   *
   * @throws InputError when none does.
   */
  filter(test: (labels: TaskLabels, i: number) => boolean): TaskPairs<R, P> {
    const pairs = this.#pairs.filter(({ labels }, i) => test(labels, i));
    if (pairs.length === 0) throw noneLeft(this.task, this.#pairs);
    const report = this.report.without(this.length - pairs.length);
    return new TaskPairs({ task: this.task, seed: this.seed, roles: this.#roles, pairs, report });
  }

  /**
   * Returns how well logits answer the clean prompts.
   *
   * @param logits - `[batch, pos, dVocabOut]` of a run of `clean` (or `cleanTokens`): the last position only, or all of
   * them padded on the right.
   */
  score(logits: Tensor): TaskScore {
    const end = this.#pairs.map(({ positions }) => positions["end"] ?? 0);
    return scoreLogits(`tasks.${this.task}: score`, logits, {
      end,
      right: this.answerTokens,
      wrong: this.wrongAnswerTokens,
    });
  }

  /** Returns a few lines: an example, positions, labels, and what was skipped. */
  toString(): string {
    const [first] = this.#pairs;
    if (first === undefined) return `tasks.${this.task}: no pairs`;
    const lengths = this.cleanTokens.map(({ length }) => length);
    const places = Object.entries(first.positions).map(([role, position]) => `${role} ${position}`);
    return [
      `tasks.${this.task}: ${this.length} pairs of ${range(lengths)} tokens, seed ${this.seed}`,
      `  clean      ${shownPrompt(first.clean)} → ${shownAnswers(first.right.map(({ text }) => text))}`,
      `  corrupted  ${shownPrompt(first.corrupted)} → ${shownAnswers(first.wrong.map(({ text }) => text))}`,
      `  positions  ${places.join(", ")} (of this pair)`,
      `  labels     ${labelCounts(this.labels)}`,
      ...this.report.lines().map((line) => `  ${line}`),
    ].join("\n");
  }
}

/** Every pair has a position for each of its task's roles. */
function positionColumns<R extends string>(
  roles: readonly R[],
  pairs: readonly TaskPair[],
): Readonly<Record<R, readonly number[]>> {
  const columns = Object.fromEntries(
    roles.map((role) => [role, pairs.flatMap(({ positions }) => positions[role] ?? [])]),
  );
  const isComplete = (found: Readonly<Record<string, readonly number[]>>): found is Record<R, readonly number[]> =>
    roles.every((role) => found[role]?.length === pairs.length);
  if (isComplete(columns)) return columns;
  throw new InternalError({
    where: "tasks",
    got: `pairs without a position for some of ${formatList(roles)}`,
    expected: "one for each pair",
    fix: "This is a fault of limpid: please report it with the call that led here.",
  });
}

function documentOf({ clean, right, labels, text }: TaskPair): LabelledDocument {
  const [answer] = right;
  const about = {
    label: answer?.text ?? "",
    ...(labels["template"] === undefined ? {} : { group: labels["template"] }),
  };
  if (typeof clean === "string") return { text, ...about };
  return { tokens: answer === undefined ? clean : [...clean, answer.token], ...about };
}

function shownPrompt(prompt: TaskPrompt): string {
  return typeof prompt === "string" ? JSON.stringify(prompt) : `[${prompt.join(" ")}]`;
}

function shownAnswers(texts: readonly string[]): string {
  return formatList(texts, 3);
}

function range(numbers: readonly number[]): string {
  const [least, most] = [Math.min(...numbers), Math.max(...numbers)];
  return least === most ? `${least}` : `${least} to ${most}`;
}

/** Says how often each value occurs, or how many there are. */
function labelCounts(labels: readonly TaskLabels[]): string {
  const names = [...new Set(labels.flatMap((one) => Object.keys(one)))];
  return names.map((name) => `${name}: ${valueCounts(labels.map((one) => one[name] ?? "none"))}`).join("; ");
}

function valueCounts(values: readonly string[]): string {
  const counts = new Map<string, number>();
  for (const value of values) counts.set(value, (counts.get(value) ?? 0) + 1);
  const isLong = counts.size > 4 || values.some((value) => value.length > 12);
  if (isLong) return counts.size === 1 ? JSON.stringify(values[0]) : `${counts.size} values`;
  return [...counts].map(([value, count]) => `${value} ${count}`).join(", ");
}

function noneLeft(task: string, pairs: readonly TaskPair[]): InputError {
  return new InputError({
    where: `tasks.${task}: filter`,
    got: `a test that none of ${pairs.length} pairs passed`,
    expected: "at least one pair",
    fix: `Labels look like ${JSON.stringify(pairs[0]?.labels ?? {})}.`,
  });
}
