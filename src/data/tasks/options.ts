/** Checks of what callers pass to task generators. */
import { formatList, InputError, isLimpidError, nearestHint } from "../../core/index.js";
import { fieldsOf } from "./draft.js";
import type { TaskOptions, TaskSource, TaskTokenizer } from "./types.js";
import type { NounForms } from "./words.js";

/** The options that every task has, complete. */
export interface CommonOptions {
  readonly n: number;
  readonly seed: number;
}

/** Returns `n` and `seed`, or throws an InputError. */
export function commonOptions(task: string, { n = 64, seed = 0 }: TaskOptions): CommonOptions {
  if (!Number.isSafeInteger(n) || n < 1)
    throw new InputError({
      where: `tasks.${task}: n`,
      got: String(n),
      expected: "a whole number of pairs, at least 1",
      fix: "Pass a number such as 64.",
    });
  if (!Number.isSafeInteger(seed))
    throw new InputError({
      where: `tasks.${task}: seed`,
      got: String(seed),
      expected: "a safe integer",
      fix: "Pass a whole number such as 0, so that the same pairs come again.",
    });
  return { n, seed };
}

/** Returns the tokenizer of a source; a model without one is an InputError. */
export function tokenizerOf(task: string, source: TaskSource): TaskTokenizer {
  const found = findTokenizer(source);
  if (found !== undefined) return found;
  throw new InputError({
    where: `tasks.${task}: model`,
    got: "a model without a tokenizer",
    expected: "a model that comes with one, or a tokenizer",
    fix: "Use tasks.repeated, which needs a vocabulary only, or pass a tokenizer: tasks.wordTokenizer() keeps every word whole.",
  });
}

/** Returns the tokenizer of a model or the tokenizer itself, or `undefined`. */
export function findTokenizer(source: object): TaskTokenizer | undefined {
  try {
    const candidate: unknown = "tokenizer" in source ? source.tokenizer : source;
    return isTokenizer(candidate) ? candidate : undefined;
  } catch (error) {
    if (isLimpidError(error, "INPUT")) return undefined;
    throw error;
  }
}

function isTokenizer(value: unknown): value is TaskTokenizer {
  if (typeof value !== "object" || value === null || !("encode" in value) || !("pieces" in value)) return false;
  return typeof value.encode === "function" && typeof value.pieces === "function";
}

/** Templates that a task knows, and the fields that each must have. */
export interface TemplateChoice {
  readonly known: readonly string[];
  readonly fields: readonly string[];
  /** Fields that a template may leave out. */
  readonly optional?: readonly string[];
}

/** Returns the chosen templates: known ones by number or text, the caller's own by text. */
export function chooseTemplates(
  task: string,
  given: readonly (string | number)[] | undefined,
  choice: TemplateChoice,
): readonly string[] {
  if (given === undefined) return choice.known;
  const chosen = given.map((one) => oneTemplate(task, one, choice));
  return checkList(task, "template", chosen);
}

function oneTemplate(task: string, given: string | number, { known, fields, optional = [] }: TemplateChoice): string {
  const template = typeof given === "number" ? known[given] : given;
  const where = `tasks.${task}: templates`;
  if (template === undefined)
    throw new InputError({
      where,
      got: `the number ${given}`,
      expected: `0 to ${known.length - 1}`,
      fix: `tasks.lists holds them: ${formatList(known, 2)}.`,
    });
  const found = fieldsOf(template);
  const missing = fields.filter((field) => !found.includes(field));
  const surplus = found.filter((field, i) => found.indexOf(field) !== i || ![...fields, ...optional].includes(field));
  if (missing.length === 0 && surplus.length === 0) return template;
  const faults = [
    ...missing.map((field) => `without {${field}}`),
    ...surplus.map((field) => `with a surplus {${field}}`),
  ];
  throw new InputError({
    where,
    got: `${JSON.stringify(template)}, ${faults.join(", ")}`,
    expected: `each of ${fields.map((field) => `{${field}}`).join(", ")} once`,
    fix: `Write it as ${JSON.stringify(known[0])}.`,
  });
}

/** Returns the caller's words without spaces around them, or the task's own. */
export function chooseWords(
  task: string,
  kind: string,
  given: readonly string[] | undefined,
  known: readonly string[],
): readonly string[] {
  if (given === undefined) return known;
  const words = given.map((word) => word.trim());
  const bad = words.findIndex((word) => !/^\S+$/.test(word));
  if (bad >= 0)
    throw new InputError({
      where: `tasks.${task}: ${plural(kind)}[${bad}]`,
      got: JSON.stringify(given[bad]),
      expected: "one word",
      fix: "Leave the others out.",
    });
  return checkList(task, kind, words);
}

/** Returns the caller's nouns, singular and plural, or the task's own. */
export function chooseNouns(
  task: string,
  kind: string,
  given: readonly NounForms[] | undefined,
  known: readonly NounForms[],
): readonly NounForms[] {
  if (given === undefined) return known;
  const singular = chooseWords(
    task,
    kind,
    given.map((forms) => forms[0]),
    [],
  );
  const plurals = chooseWords(
    task,
    kind,
    given.map((forms) => forms[1]),
    [],
  );
  const same = singular.find((form, i) => form === plurals[i]);
  if (same === undefined) return singular.map((form, i): NounForms => [form, plurals[i] ?? ""]);
  throw new InputError({
    where: `tasks.${task}: ${plural(kind)}`,
    got: `${JSON.stringify(same)} as singular and as plural`,
    expected: "nouns whose number shows",
    fix: 'Pass pairs such as ["boy", "boys"].',
  });
}

/** Returns the caller's choice among a few values, or all of them. */
export function chooseAmong<T extends string>(
  task: string,
  kind: string,
  given: readonly string[] | undefined,
  known: readonly T[],
): readonly T[] {
  if (given === undefined) return known;
  const chosen = given.map((one) => {
    const found = known.find((value) => value === one);
    if (found !== undefined) return found;
    throw new InputError({
      where: `tasks.${task}: ${plural(kind)}`,
      got: JSON.stringify(one),
      expected: `some of ${formatList(known)}`,
      fix: `Choose from the list.${nearestHint(one, known)}`,
    });
  });
  return checkList(task, kind, chosen);
}

/** Numbers of two digits, and which of them a task takes. */
export interface NumberChoice {
  readonly known: readonly string[];
  readonly least: number;
  readonly most: number;
}

/** Returns the caller's numbers, or the task's own, as two digits each. */
export function chooseNumbers(
  task: string,
  kind: string,
  given: readonly number[] | undefined,
  { known, least, most }: NumberChoice,
): readonly string[] {
  if (given === undefined) return known;
  const bad = given.findIndex((one) => !Number.isInteger(one) || one < least || one > most);
  if (bad >= 0)
    throw new InputError({
      where: `tasks.${task}: ${plural(kind)}[${bad}]`,
      got: String(given[bad]),
      expected: `a whole number from ${least} to ${most}`,
      fix: "Pass two digits of a year, such as 32.",
    });
  return checkList(
    task,
    kind,
    given.map((one) => String(one).padStart(2, "0")),
  );
}

/** Returns the plural of a kind of item: "name", "names"; "century", "centuries". */
export function plural(kind: string): string {
  return kind.endsWith("y") ? `${kind.slice(0, -1)}ies` : `${kind}s`;
}

/** Returns a list that is neither empty nor says anything twice. */
function checkList<T extends string>(task: string, kind: string, items: readonly T[]): readonly T[] {
  const twice = items.find((item, i) => items.indexOf(item) !== i);
  if (items.length > 0 && twice === undefined) return items;
  throw new InputError({
    where: `tasks.${task}: ${plural(kind)}`,
    got: twice === undefined ? "an empty list" : `${JSON.stringify(twice)} twice`,
    expected: `different ${plural(kind)}, at least one`,
    fix: `Leave the option out for all that limpid brings.`,
  });
}
