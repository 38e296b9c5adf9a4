/** Documents: the values that datasets hold, and how text or tokens are found in them. */
import { formatList, InputError } from "../core/index.js";
import type { Row } from "./rows.js";

/** Token ids of one document. */
export type DocumentTokens = readonly number[] | Int32Array;

/** A text. */
export interface TextDocument {
  readonly text: string;
}

/** A text from a table, with the whole row that it came from. */
export interface RowDocument extends TextDocument {
  readonly row: Row;
}

/** Token ids. */
export interface TokenDocument {
  readonly tokens: DocumentTokens;
}

/** An example of something: a text or token ids, and what it is an example of. */
export interface LabelledDocument {
  readonly text?: string;
  readonly tokens?: DocumentTokens;
  readonly label: string;
  /** Examples of one group belong together: a split puts them on one side. */
  readonly group?: string;
}

/** Text or token ids of a document. */
export type Content =
  | { readonly kind: "text"; readonly text: string }
  | { readonly kind: "tokens"; readonly tokens: DocumentTokens };

/** Returns what a document holds: a string, or an object with `text` or `tokens`. */
export function contentOf(value: unknown, place: string): Content {
  if (typeof value === "string") return { kind: "text", text: value };
  if (typeof value !== "object" || value === null) throw noContent(place, typeof value);
  const { text, tokens } = value as { readonly text?: unknown; readonly tokens?: unknown };
  if (typeof text === "string" && tokens === undefined) return { kind: "text", text };
  if (text === undefined && isTokens(tokens)) return { kind: "tokens", tokens };
  throw noContent(place, `an object with ${formatList(Object.keys(value))}`);
}

/** Tells whether a value is a list of whole numbers, zero or more. */
export function isTokens(value: unknown): value is DocumentTokens {
  if (value instanceof Int32Array) return value.every((id) => id >= 0);
  return Array.isArray(value) && value.every((id) => Number.isInteger(id) && id >= 0 && id < 2 ** 31);
}

function noContent(place: string, got: string): InputError {
  return new InputError({
    where: place,
    got,
    expected: "a string, or an object with either `text` or `tokens` (whole numbers)",
    fix: "Choose the field with dataset.map((row) => ({ text: row.question })).",
  });
}
