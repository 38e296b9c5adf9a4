/** The frame of every task over text: check items, draw pairs, refuse when too few remain. */
import { TaskReader } from "./align.js";
import type { Space } from "./draft.js";
import { commonOptions, tokenizerOf } from "./options.js";
import { TaskPairs } from "./pairs.js";
import { TaskReport, tooFewItems, tooFewPairs } from "./report.js";
import { samplePairs } from "./sample.js";
import type { SkippedItem, TaskOptions, TaskSource } from "./types.js";

/** One text item, and the text that it follows. */
export interface Candidate<T> {
  readonly value: T;
  /** As it is named in reports. */
  readonly name: string;
  /** Each must be one token after its text. */
  readonly tokens: readonly { readonly before: string; readonly text: string }[];
}

/** A choice of items of one kind. */
export interface ItemCheck<T> {
  readonly kind: string;
  readonly candidates: readonly Candidate<T>[];
  /** Fewer usable ones are an error. */
  readonly needed: number;
}

/** What a generator has at hand while it sets up its space. */
export class TaskBench {
  readonly task: string;
  readonly reader: TaskReader;
  readonly skipped: SkippedItem[] = [];
  readonly looked: Record<string, number> = {};

  constructor(task: string, reader: TaskReader) {
    this.task = task;
    this.reader = reader;
  }

  /** Returns the items that are single tokens in their place; the others go to the report. */
  usable<T>({ kind, candidates, needed }: ItemCheck<T>): T[] {
    this.looked[kind] = (this.looked[kind] ?? 0) + candidates.length;
    const usable = candidates.flatMap(({ value, name, tokens }) => {
      const reason = this.#fault(tokens);
      if (reason !== undefined) this.skip(kind, name, reason);
      return reason === undefined ? [value] : [];
    });
    return this.require(kind, usable, needed);
  }

  /** Writes an item into the report as skipped. */
  skip(kind: string, item: string, reason: string): void {
    this.skipped.push({ kind, item, reason });
  }

  /** Returns the items, or throws when there are too few. */
  require<T>(kind: string, usable: T[], needed: number): T[] {
    if (usable.length >= needed) return usable;
    const skipped = this.skipped.filter((one) => one.kind === kind);
    throw tooFewItems(this.task, { kind, usable: usable.length, needed, looked: this.looked[kind] ?? 0, skipped });
  }

  /** Returns the words that are one token, space in front included, after `before`. */
  usableWords(kind: string, words: readonly string[], before: string, needed: number): string[] {
    const candidates = words.map((word) => {
      const text = ` ${word}`;
      return { value: word, name: text, tokens: [{ before, text }] };
    });
    return this.usable({ kind, candidates, needed });
  }

  #fault(tokens: Candidate<unknown>["tokens"]): string | undefined {
    for (const { before, text } of tokens) {
      const found = this.reader.continuation(before, text);
      if ("reason" in found) return tokens.length === 1 ? found.reason : `${JSON.stringify(text)} is ${found.reason}`;
    }
    return undefined;
  }
}

/** What makes a task over text. */
export interface TextTask<R extends string> {
  readonly task: string;
  /** Roles that every pair has a position for. */
  readonly roles: readonly R[];
  /** Chooses and checks items, and returns the space to draw from. */
  readonly setUp: (bench: TaskBench) => Space;
}

/**
 * Returns the pairs of a task.
 *
 * @throws TokenError, or InputError where no word was skipped, when fewer than `n` pairs can be made.
 */
export function generatePairs<R extends string>(
  { task, roles, setUp }: TextTask<R>,
  source: TaskSource,
  options: TaskOptions,
): TaskPairs<R> {
  const { n, seed } = commonOptions(task, options);
  const reader = new TaskReader(tokenizerOf(task, source), options.prependBos);
  const bench = new TaskBench(task, reader);
  const space = setUp(bench);
  const { pairs, skipped, filtered } = samplePairs(space, reader, { n, seed, filter: options.filter });
  const report = new TaskReport({
    task,
    asked: n,
    made: pairs.length,
    items: bench.looked,
    skippedItems: bench.skipped,
    skippedPairs: skipped,
    filtered,
  });
  if (pairs.length < n) throw tooFewPairs(report);
  return new TaskPairs({ task, seed, roles, pairs, report });
}
