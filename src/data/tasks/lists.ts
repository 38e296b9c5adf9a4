/** The words and templates that tasks choose from. */
import { agreementTemplates, agreementVerbs } from "./agreement.js";
import { bracketsTemplates } from "./brackets.js";
import { capitalsTemplates } from "./capitals.js";
import { copyingTemplates } from "./copying.js";
import { greaterThanTemplates } from "./greater-than.js";
import { ioiTemplates } from "./ioi.js";
import {
  type CapitalFact,
  capitals,
  durations,
  listWords,
  type NounForms,
  names,
  objects,
  people,
  places,
  things,
} from "./words.js";

/** What tasks are written with, unless a call brings its own. */
export interface TaskLists {
  readonly names: readonly string[];
  readonly places: readonly string[];
  readonly objects: readonly string[];
  /** Nouns that last for years. */
  readonly durations: readonly string[];
  readonly listWords: readonly string[];
  readonly people: readonly NounForms[];
  readonly things: readonly NounForms[];
  readonly capitals: readonly CapitalFact[];
  readonly ioiTemplates: readonly string[];
  readonly greaterThanTemplates: readonly string[];
  readonly capitalsTemplates: readonly string[];
  readonly agreementTemplates: readonly string[];
  readonly copyingTemplates: readonly string[];
  readonly bracketsTemplates: readonly string[];
}

/** What tasks are written with. */
export const taskLists: TaskLists = {
  names,
  places,
  objects,
  durations,
  listWords,
  people,
  things,
  capitals,
  ioiTemplates,
  greaterThanTemplates,
  capitalsTemplates,
  agreementTemplates,
  copyingTemplates,
  bracketsTemplates,
};

/**
 * Returns every word, space in front included, and every pair of digits that is to be one token.
 *
 * A tokenizer that keeps these whole, and cuts years in two, leaves nothing out of any task.
 */
export function taskWords(): readonly string[] {
  const spaced = [...names, ...listWords, ...[...people, ...things].flat(), ...capitals.flat()].map(
    (word) => ` ${word}`,
  );
  const verbs = agreementVerbs.flatMap(([singular, plural]) => [singular, plural]);
  const centuries = Array.from({ length: 9 }, (_, i) => ` ${11 + i}`);
  const digits = Array.from({ length: 100 }, (_, i) => String(i).padStart(2, "0"));
  return [...new Set([...spaced, ...verbs, ...centuries, ...digits])];
}
