/**
 * Indirect-object identification: two names, the subject again, and the other name is due.
 *
 * @see Wang et al. 2022, "Interpretability in the Wild"
 */
import { arrangements, Digits, type Draft, fill, type Part, product, type Space } from "./draft.js";
import { generatePairs, type TaskBench } from "./generate.js";
import { chooseAmong, chooseTemplates, chooseWords } from "./options.js";
import type { TaskPairs } from "./pairs.js";
import type { TaskSource, TemplateOptions } from "./types.js";
import { names as allNames, objects as allObjects, places as allPlaces } from "./words.js";

/** Positions of a prompt: indirect object, first subject, the token after it, second subject, last token. */
export type IoiRole = "IO" | "S1" | "S1+1" | "S2" | "end";

/** Which name comes first: `"ABBA"` the indirect object, `"BABA"` the subject. */
export type IoiOrder = "ABBA" | "BABA";

/**
 * What the corrupted prompt changes: `"flip"` writes the indirect object as second subject, so that the other name is
 * due; `"abc"` writes a third name there, so that neither is; `"names"` writes three other names throughout.
 */
export type IoiCorruption = "flip" | "abc" | "names";

/** Options of `tasks.ioi`. */
export interface IoiOptions extends TemplateOptions {
  /** First names to use; by default `tasks.lists.names`. */
  readonly names?: readonly string[];
  /** Words for `{place}`. */
  readonly places?: readonly string[];
  /** Words for `{object}`. */
  readonly objects?: readonly string[];
  /** Default: both, half of the pairs each. */
  readonly orders?: readonly IoiOrder[];
  /** Default `"flip"`. */
  readonly corruption?: IoiCorruption;
}

/** `{1}` and `{2}` are the names in order, `{S2}` the subject again. */
export const ioiTemplates: readonly string[] = [
  "When {1} and {2} went to the {place}, {S2} gave a {object} to",
  "Then, {1} and {2} went to the {place}. {S2} gave a {object} to",
  "Then, {1} and {2} had a long talk at the {place}. {S2} handed a {object} to",
  "After {1} and {2} met at the {place}, {S2} offered a {object} to",
  "While {1} and {2} were working at the {place}, {S2} gave a {object} to",
  "The friends {1} and {2} found a {object} at the {place}. {S2} gave it to",
  "One day {1} and {2} walked to the {place}, and {S2} showed a {object} to",
  "In the morning {1} and {2} came to the {place}. Then {S2} sent a {object} to",
  "As {1} and {2} were leaving the {place}, {S2} brought a {object} to",
  "Because {1} and {2} had time at the {place}, {S2} wanted to give a {object} to",
];

const task = "ioi";
const orders = ["ABBA", "BABA"] as const;
const corruptions = ["flip", "abc", "names"] as const;
const fields = ["1", "2", "S2", "place", "object"];
/** Names that a pair of each corruption needs. */
const namesNeeded: { readonly [C in IoiCorruption]: number } = { flip: 2, abc: 3, names: 5 };

/** See `Tasks.ioi`. */
export function ioi(source: TaskSource, options: IoiOptions = {}): TaskPairs<IoiRole> {
  const roles = ["IO", "S1", "S1+1", "S2", "end"] as const;
  return generatePairs({ task, roles, setUp: (bench) => space(bench, options) }, source, options);
}

function space(bench: TaskBench, options: IoiOptions): Space {
  const chosenOrders = chooseAmong(task, "order", options.orders, orders);
  const [corruption = "flip"] = chooseAmong(task, "corruption", [options.corruption ?? "flip"], corruptions);
  const templates = chooseTemplates(task, options.templates, { known: ioiTemplates, fields });
  const places = chooseWords(task, "place", options.places, allPlaces);
  const objects = chooseWords(task, "object", options.objects, allObjects);
  const needed = namesNeeded[corruption];
  const names = bench.usableWords("name", chooseWords(task, "name", options.names, allNames), " and", needed);
  return {
    strata: chosenOrders.length,
    size: product([templates.length, arrangements(names.length, needed), places.length, objects.length]),
    draw: (stratum, index) => {
      const digits = new Digits(index);
      const order = chosenOrders[stratum] ?? "ABBA";
      const words = { template: digits.pick(templates), place: digits.pick(places), object: digits.pick(objects) };
      return draft(words, order, corruption, digits.pickDistinct(names, needed));
    },
  };
}

interface Words {
  readonly template: string;
  readonly place: string;
  readonly object: string;
}

/** The three names of a prompt by role. */
interface Names {
  readonly io: string;
  readonly s: string;
  readonly s2: string;
}

function draft(words: Words, order: IoiOrder, corruption: IoiCorruption, names: readonly string[]): Draft {
  const [io = "", s = "", third = "", fourth = "", fifth = ""] = names;
  const corrupted: { readonly [C in IoiCorruption]: Names } = {
    flip: { io, s, s2: io },
    abc: { io, s, s2: third },
    names: { io: third, s: fourth, s2: fifth },
  };
  return {
    clean: prompt(words, order, { io, s, s2: s }),
    corrupted: prompt(words, order, corrupted[corruption]),
    right: [` ${io}`],
    wrong: [` ${s}`],
    labels: { ...words, order, corruption, IO: io, S: s, ...(corruption === "abc" ? { C: third } : {}) },
    ending: ".",
    derived: { "S1+1": ["S1", 1] },
  };
}

function prompt({ template, place, object }: Words, order: IoiOrder, { io, s, s2 }: Names): Part[] {
  const [first, second] = order === "ABBA" ? [io, s] : [s, io];
  const [role1, role2] = order === "ABBA" ? ["IO", "S1"] : ["S1", "IO"];
  return fill(template, { 1: first, 2: second, S2: s2, place, object }, { 1: role1, 2: role2, S2: "S2" });
}
