/** Reads labelled examples and checks them: texts or ids, labels of one kind, groups, positions. */
import { formatCount, InputError, TokenError } from "../../core/index.js";
import type { InputOptions, Model } from "../../model/index.js";
import type { ProbeExample, ProbeExamples, ProbePosition } from "./types.js";

/** How texts become tokens. */
export type ReadOptions = Pick<InputOptions, "allowSpecial" | "prependBos">;

/** Examples, tokenised. */
export interface ReadExamples {
  readonly examples: readonly ProbeExample[];
  readonly ids: readonly Int32Array[];
}

function refuse(where: string, got: string, expected: string, fix: string): InputError {
  return new InputError({ where, got, expected, fix });
}

function checkContent({ text, tokens }: ProbeExample, where: string): void {
  if (typeof text === "string" && text.trim() !== "" && tokens === undefined) return;
  if (text === undefined && tokens !== undefined && tokens.length > 0) return;
  const isEmpty = text === undefined ? tokens !== undefined : tokens === undefined;
  throw refuse(
    where,
    isEmpty ? "an empty text" : "neither or both of text and tokens",
    "a text or token ids, not empty",
    "Leave the example out, or correct it.",
  );
}

function encode(model: Model, { text, tokens }: ProbeExample, options: ReadOptions): Int32Array {
  const read = tokens === undefined ? model.toTokens(text ?? "", options) : model.toTokens(Array.from(tokens));
  return Int32Array.from(read.data);
}

/**
 * Reads and tokenises examples.
 *
 * @throws InputError for no examples, and for one without text; TokenError for ids that the model lacks.
 */
export async function readExamples(
  model: Model,
  given: ProbeExamples,
  options: ReadOptions,
  where: string,
): Promise<ReadExamples> {
  const examples: ProbeExample[] = [];
  for await (const example of given) examples.push(example);
  if (examples.length === 0) throw refuse(where, "no examples", "labelled texts", "Give at least one for each fold.");
  const ids = examples.map((example, i) => {
    checkContent(example, `${where}: example ${i}`);
    return encode(model, example, options);
  });
  return { examples, ids };
}

/** Labels as numbers: classes in their order, or values. */
export interface Targets {
  /** Empty for numbers. */
  readonly labels: readonly string[];
  readonly values: Int32Array | Float64Array;
}

function checkKind(labels: readonly (string | number)[], where: string): "number" | "string" {
  const kind = typeof labels[0];
  const odd = labels.findIndex((label) => typeof label !== kind || !(kind === "string" || kind === "number"));
  if (odd >= 0 || (kind !== "string" && kind !== "number"))
    throw refuse(
      `${where}: example ${Math.max(odd, 0)}`,
      `a label of type ${typeof labels[Math.max(odd, 0)]}`,
      odd > 0 ? `a ${kind}, as in example 0` : "a text or a number",
      "Give all labels as texts (classes) or all as numbers.",
    );
  const bad = kind === "number" ? labels.findIndex((label) => !Number.isFinite(label)) : -1;
  if (bad < 0) return kind;
  throw refuse(`${where}: example ${bad}`, `the label ${String(labels[bad])}`, "a finite number", "Leave it out.");
}

function classesOf(given: readonly string[], order: readonly string[] | undefined, where: string): readonly string[] {
  const found = [...new Set(given)].sort();
  if (found.length < 2)
    throw refuse(
      where,
      `one class, "${found[0] ?? ""}", in ${formatCount(given.length)} examples`,
      "at least two classes",
      "Give examples of what the class is told apart from.",
    );
  if (order === undefined) return found;
  if (order.length === found.length && found.every((label) => order.includes(label))) return order;
  throw refuse(
    `${where}: labels`,
    order.join(", "),
    `each of ${found.join(", ")} once`,
    "Name the classes that the examples have, in the order that you want.",
  );
}

/**
 * Turns labels into classes or values.
 *
 * @throws InputError for one class, for labels of different types, and for numbers that are all the same.
 */
export function readTargets(
  labels: readonly (string | number)[],
  order: readonly string[] | undefined,
  where: string,
): Targets {
  if (checkKind(labels, where) === "number") {
    const values = Float64Array.from(labels, Number);
    if (values.some((value) => value !== values[0])) return { labels: [], values };
    throw refuse(where, `one number, ${values[0]}, for all examples`, "numbers that differ", "Give other examples.");
  }
  const names = labels.map(String);
  const classes = classesOf(names, order, where);
  return { labels: classes, values: Int32Array.from(names, (name) => classes.indexOf(name)) };
}

/** Whether a split must keep groups together, and which examples belong together. */
export interface Units {
  readonly names: readonly string[];
  readonly isGrouped: boolean;
}

/**
 * Returns what stays together: groups, or equal texts.
 *
 * @throws InputError where some examples lack a group, and where one text stands in two groups: the split would leak.
 */
export function unitsOf(
  groups: readonly (string | undefined)[],
  keys: readonly string[],
  split: "group" | "random" | undefined,
  where: string,
): Units {
  const missing = groups.findIndex((group) => group === undefined);
  const isGrouped = split === undefined ? groups.some((group) => group !== undefined) : split === "group";
  if (!isGrouped) return { names: keys, isGrouped };
  if (missing >= 0)
    throw refuse(
      `${where}: example ${missing}`,
      "no group",
      "a group for every example of a split by group",
      'Name its group, or pass split: "random".',
    );
  const known = new Map<string, string>();
  groups.forEach((group = "", i) => {
    const before = known.get(keys[i] ?? "") ?? group;
    known.set(keys[i] ?? "", before);
    if (before === group) return;
    throw refuse(
      `${where}: example ${i}`,
      `a text of group "${group}" that group "${before}" has too`,
      "groups that share no text, or training and test would",
      "Put equal texts into one group, or leave one out.",
    );
  });
  return { names: groups.map((group) => group ?? ""), isGrouped };
}

/** Position of each example, or −1 for the mean over all tokens. */
export function positionsOf({ examples, ids }: ReadExamples, pos: ProbePosition, where: string): Int32Array {
  return Int32Array.from(examples, (example, i) => {
    const length = ids[i]?.length ?? 0;
    if (pos === "mean") return -1;
    if (pos === "last") return length - 1;
    const asked = typeof pos === "number" ? pos : example.positions?.[pos];
    if (asked === undefined)
      throw refuse(
        `${where}: example ${i}`,
        `no position "${pos}"`,
        `positions.${pos}, "last", "mean" or a number`,
        "Name the role in every example's positions.",
      );
    const found = asked < 0 ? length + asked : asked;
    if (Number.isInteger(asked) && found >= 0 && found < length) return found;
    throw new TokenError({
      where: `${where}: example ${i}`,
      got: `position ${asked} of ${length} tokens`,
      expected: `a whole number from ${-length} to ${length - 1}`,
      fix: "Count tokens with model.toStrTokens(text); BOS counts.",
    });
  });
}

/** What the control task draws labels for: the example's own type, else the token read, else the whole text. */
export function typesOf({ examples, ids }: ReadExamples, positions: Int32Array): readonly string[] {
  return examples.map(({ type }, i) => {
    if (type !== undefined) return type;
    const own = ids[i] ?? new Int32Array(0);
    return (positions[i] ?? -1) < 0 ? own.join(" ") : String(own[positions[i] ?? 0]);
  });
}
