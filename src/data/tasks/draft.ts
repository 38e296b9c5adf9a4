/** Drafts of pairs before tokens are looked at, and the numbered spaces that they are drawn from. */
import { InternalError } from "../../core/index.js";
import type { TaskLabels } from "./types.js";

/** A part of a prompt that must be one token, at the same place in both prompts. */
export interface Slot {
  readonly role: string;
  /** Leading space included. */
  readonly text: string;
}

/** Plain text or a slot. */
export type Part = string | Slot;

/** A pair in words. */
export interface Draft {
  readonly clean: readonly Part[];
  /** The same roles in the same order as in `clean`. */
  readonly corrupted: readonly Part[];
  /** Right answers of the clean prompt, the main one first; leading spaces included. */
  readonly right: readonly string[];
  readonly wrong: readonly string[];
  readonly labels: TaskLabels;
  /** What follows the answer in the full sentence. */
  readonly ending: string;
  /** Further positions: so many tokens after a role's. */
  readonly derived?: Readonly<Record<string, readonly [role: string, offset: number]>>;
}

/** Every draft that a task can make, by number. */
export interface Space {
  /** Kinds that take turns, such as the two name orders. */
  readonly strata: number;
  /** Numbers of each stratum: `draw` takes 0 to `size` − 1. Several numbers may make the same draft. */
  readonly size: number;
  draw(stratum: number, index: number): Draft;
}

/** Reads choices off a number, in mixed radix. */
export class Digits {
  #rest: number;

  constructor(index: number) {
    this.#rest = index;
  }

  /** Returns one of `items`. */
  pick<T>(items: readonly T[]): T {
    if (items.length === 0) throw nothingToPick();
    return items[this.#next(items.length)] as T;
  }

  /** Returns `count` different items in an order of its own. */
  pickDistinct<T>(items: readonly T[], count: number): T[] {
    const left = [...items];
    if (left.length < count) throw nothingToPick();
    return Array.from({ length: count }, () => left.splice(this.#next(left.length), 1)[0] as T);
  }

  #next(base: number): number {
    const digit = this.#rest % base;
    this.#rest = Math.floor(this.#rest / base);
    return digit;
  }
}

/** Returns the number of ordered choices of `count` different items out of `n`. */
export function arrangements(n: number, count: number): number {
  return product(Array.from({ length: count }, (_, i) => Math.max(n - i, 0)));
}

/** Returns the product of sizes, at most 2^53 − 1: of larger spaces only a part is drawn from. */
export function product(sizes: readonly number[]): number {
  return Math.min(
    sizes.reduce((total, size) => total * size, 1),
    Number.MAX_SAFE_INTEGER,
  );
}

/**
 * Fills a template's fields, such as `{place}`.
 *
 * A field with a role becomes a slot and takes the space in front of it along; the others become plain text.
 */
export function fill(template: string, words: Fields, roles: Fields): Part[] {
  const parts: Part[] = [];
  let from = 0;
  for (const { 0: whole, 1: space = "", 2: field = "", index } of template.matchAll(fieldPattern)) {
    const text = space + (words[field] ?? "");
    const role = roles[field];
    parts.push(template.slice(from, index), role === undefined ? text : { role, text });
    from = index + whole.length;
  }
  return [...parts, template.slice(from)].filter((part) => part !== "");
}

/** Something for each of a template's fields: its word, or its role. */
export type Fields = Readonly<Record<string, string>>;

/** Returns the names of a template's fields. */
export function fieldsOf(template: string): string[] {
  return [...template.matchAll(fieldPattern)].map(([, , field = ""]) => field);
}

const fieldPattern = /( ?)\{([\w]+)\}/g;

/** Returns the text of a prompt in parts. */
export function textOf(parts: readonly Part[]): string {
  return parts.map((part) => (typeof part === "string" ? part : part.text)).join("");
}

function nothingToPick(): InternalError {
  return new InternalError({
    where: "tasks",
    got: "a choice from too few items",
    expected: "lists that are checked before drafts are drawn",
    fix: "This is a fault of limpid: please report it with the call that led here.",
  });
}
