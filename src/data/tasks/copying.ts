/** Copying: a list of words comes twice, and the next word of the second time is due. */
import { InputError } from "../../core/index.js";
import { arrangements, Digits, type Draft, type Part, product, type Space } from "./draft.js";
import { generatePairs, type TaskBench } from "./generate.js";
import { chooseTemplates, chooseWords } from "./options.js";
import type { TaskPairs } from "./pairs.js";
import type { TaskSource, TemplateOptions } from "./types.js";
import { listWords } from "./words.js";

/**
 * Positions of a prompt: the word due, in the first list; the word before it, there and in the second list (`cue`);
 * the last token, a comma.
 */
export type CopyingRole = "source" | "previous" | "cue" | "end";

/** Options of `tasks.copying`. */
export interface CopyingOptions extends TemplateOptions {
  /** Words to use; by default `tasks.lists.listWords`. */
  readonly words?: readonly string[];
  /** Words of a list, at least 2; default 4. */
  readonly length?: number;
}

/** `{list}` is the list, `{again}` its beginning up to the word that is due. */
export const copyingTemplates: readonly string[] = [
  "Words: {list}. Again: {again}",
  "He said: {list}. She said: {again}",
  "First came {list}; then came {again}",
  "We saw {list}. Yes, we saw {again}",
];

const task = "copying";

/** See `Tasks.copying`. */
export function copying(source: TaskSource, options: CopyingOptions = {}): TaskPairs<CopyingRole> {
  const roles = ["source", "previous", "cue", "end"] as const;
  return generatePairs({ task, roles, setUp: (bench) => space(bench, options) }, source, options);
}

function space(bench: TaskBench, options: CopyingOptions): Space {
  const length = checkLength(options.length ?? 4);
  const choice = { known: copyingTemplates, fields: ["list", "again"] };
  const templates = chooseTemplates(task, options.templates, choice);
  const words = bench.usableWords("word", chooseWords(task, "word", options.words, listWords), ",", length + 1);
  return {
    strata: length - 1,
    size: product([templates.length, arrangements(words.length, length + 1)]),
    draw: (stratum, index) => {
      const digits = new Digits(index);
      return draft(digits.pick(templates), digits.pickDistinct(words, length + 1), stratum + 1);
    },
  };
}

/** `place` is that of the word due; the last word of all replaces it in the corrupted prompt. */
function draft(template: string, all: readonly string[], place: number): Draft {
  const words = all.slice(0, -1);
  const replacement = all.at(-1) ?? "";
  const due = words[place] ?? "";
  const rest = words.slice(place + 1).map((word) => `, ${word}`);
  return {
    clean: prompt(template, words, words, place),
    corrupted: prompt(template, words.with(place, replacement), words, place),
    right: [` ${due}`],
    wrong: [` ${replacement}`],
    labels: { template, place: String(place), word: due, replacement },
    ending: `${rest.join("")}.`,
  };
}

function prompt(template: string, list: readonly string[], again: readonly string[], place: number): Part[] {
  const first = list.map((word, i) => item(word, i === place ? "source" : i === place - 1 ? "previous" : undefined));
  const second = again.slice(0, place).map((word, i) => item(word, i === place - 1 ? "cue" : undefined));
  const lists: Readonly<Record<string, readonly Part[]>> = {
    "{list}": first.flatMap((part, i) => (i === 0 ? [part] : [",", part])),
    "{again}": second.flatMap((part) => [part, ","]),
  };
  // The space before a field belongs to the list's first word.
  return template.split(/ ?(\{\w+\})/).flatMap((text) => lists[text] ?? (text === "" ? [] : [text]));
}

function item(word: string, role: string | undefined): Part {
  const text = ` ${word}`;
  return role === undefined ? text : { role, text };
}

function checkLength(length: number): number {
  if (Number.isSafeInteger(length) && length >= 2) return length;
  throw new InputError({
    where: `tasks.${task}: length`,
    got: String(length),
    expected: "a whole number of words, at least 2",
    fix: "Pass a number such as 4: the first word of the second list is never asked for.",
  });
}
