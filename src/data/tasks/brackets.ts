/** Brackets: letters between brackets of several kinds, and the innermost open one is to be closed. */
import { Digits, type Draft, type Part, product, type Space } from "./draft.js";
import { generatePairs, type TaskBench } from "./generate.js";
import { chooseAmong } from "./options.js";
import type { TaskPairs } from "./pairs.js";
import type { TaskOptions, TaskSource } from "./types.js";

/** Positions of a prompt: the bracket to be closed, the last token. */
export type BracketsRole = "open" | "end";

/** A kind of brackets. */
export type BracketKind = "()" | "[]" | "{}" | "<>";

/** Options of `tasks.brackets`. */
export interface BracketsOptions extends TaskOptions {
  /** Templates to use, of those in `tasks.lists.bracketsTemplates`, by number or text. */
  readonly templates?: readonly (string | number)[];
  /** Kinds of brackets, at least two; default all four, equally often. */
  readonly kinds?: readonly BracketKind[];
}

/**
 * `x` is any letter and `(` the bracket to be closed; `[ ]` and `< >` stand for groups that are closed already, `{` for
 * one that stays open around it. Which kind stands where is drawn.
 */
export const bracketsTemplates: readonly string[] = [
  "x(x",
  "x(xx",
  "x(x[x]x",
  "x[x]x(x",
  "x{x(x",
  "x{x(x[x]x",
  "x{x[x]x(x",
  "x(x[x<x>x]x",
  "x(x[x]x<x>x",
];

const task = "brackets";
const allKinds = ["()", "[]", "{}", "<>"] as const;
const letters = Array.from("abcdefghijklmnopqrstuvwxyz");

/** See `Tasks.brackets`. */
export function brackets(source: TaskSource, options: BracketsOptions = {}): TaskPairs<BracketsRole> {
  const roles = ["open", "end"] as const;
  return generatePairs({ task, roles, setUp: (bench) => space(bench, options) }, source, options);
}

function space(bench: TaskBench, options: BracketsOptions): Space {
  const chosen = options.templates?.map((one) =>
    typeof one === "number" ? (bracketsTemplates[one] ?? `${one}`) : one,
  );
  const templates = chooseAmong(task, "template", chosen, bracketsTemplates);
  const kinds = usableKinds(bench, chooseAmong(task, "kind", options.kinds, allKinds));
  const most = Math.max(...templates.map((template) => template.split("x").length - 1));
  return {
    strata: kinds.length,
    size: product([templates.length, kinds.length ** 4, letters.length ** (most + 1)]),
    draw: (stratum, index) => draft(new Digits(index), templates, kinds, kinds[stratum] ?? "()"),
  };
}

function usableKinds(bench: TaskBench, kinds: readonly BracketKind[]): BracketKind[] {
  const candidates = kinds.map((kind) => {
    const [open = "", close = ""] = kind;
    const tokens = [
      { before: "a", text: open },
      { before: `a${open}b`, text: close },
    ];
    return { value: kind, name: kind, tokens };
  });
  return bench.usable({ kind: "kind", candidates, needed: 2 });
}

function draft(digits: Digits, templates: readonly string[], kinds: readonly BracketKind[], kind: BracketKind): Draft {
  const template = digits.pick(templates);
  const others = kinds.filter((one) => one !== kind);
  const corrupted = digits.pick(others);
  const inner: Inner = { "[": digits.pick(kinds), "<": digits.pick(kinds), "{": digits.pick(kinds) };
  const text = template.replace(/x/g, () => digits.pick(letters));
  const closers = [corrupted, ...others.filter((one) => one !== corrupted)].map(([, close = ""]) => close);
  const [, outer = ""] = inner["{"];
  return {
    clean: write(text, kind, inner),
    corrupted: write(text, corrupted, inner),
    right: [kind[1] ?? ""],
    wrong: closers,
    labels: { template, kind, corruptedKind: corrupted, depth: template.includes("{") ? "2" : "1" },
    ending: template.includes("{") ? digits.pick(letters) + outer : "",
  };
}

/** The kinds that stand for a template's other brackets. */
type Inner = Readonly<Record<"[" | "<" | "{", BracketKind>>;

function write(text: string, kind: BracketKind, inner: Inner): Part[] {
  const [before = "", after = ""] = text.split("(");
  const signs: Readonly<Record<string, string | undefined>> = {
    "[": inner["["][0],
    "]": inner["["][1],
    "<": inner["<"][0],
    ">": inner["<"][1],
    "{": inner["{"][0],
  };
  const drawn = (part: string): string => part.replace(/[[\]<>{]/g, (sign) => signs[sign] ?? sign);
  return [drawn(before), { role: "open", text: kind[0] ?? "" }, drawn(after)];
}
