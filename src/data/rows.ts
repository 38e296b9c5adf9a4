/** Rows of tables: named fields, looked up with errors that list the names. */
import { FormatError, formatList, nearestHint } from "../core/index.js";
import { type DocumentTokens, isTokens, type RowDocument, type TokenDocument } from "./document.js";

/** One row of a table; CSV fields are strings, JSON fields anything. */
export type Row = Readonly<Record<string, unknown>>;

/** Returns the text, or the token ids, that a row holds under `field`. */
export function fieldDocument(
  row: Row,
  field: string,
  place: string,
): RowDocument | (TokenDocument & { readonly row: Row }) {
  const value = Object.hasOwn(row, field) ? row[field] : undefined;
  if (typeof value === "string") return { text: value, row };
  if (isTokens(value) && value.length > 0) return { tokens: tokensOf(value), row };
  if (!Object.hasOwn(row, field)) throw noField(row, field, place);
  throw new FormatError({
    where: `${place}: field "${field}"`,
    got: describeValue(value),
    expected: "text, or a list of token ids",
    fix: "Leave such rows out of the file, or read it with data.table(path) and choose with filter and map.",
  });
}

function tokensOf(value: DocumentTokens): DocumentTokens {
  return value instanceof Int32Array ? value : Int32Array.from(value);
}

function noField(row: Row, field: string, place: string): FormatError {
  const names = Object.keys(row);
  return new FormatError({
    where: place,
    got: `a row without the field "${field}"`,
    expected: names.length === 0 ? "a row with fields" : `one of its fields: ${formatList(names)}`,
    fix: `Name the field that holds the text: data.file(path, "field").${nearestHint(field, names)}`,
  });
}

/** Says in a few words what a JSON value is. */
export function describeValue(value: unknown): string {
  if (value === null) return "null";
  if (Array.isArray(value)) return `a list of ${value.length}`;
  if (typeof value === "object") return "an object";
  return value === undefined ? "nothing" : `the ${typeof value} ${JSON.stringify(value)}`;
}
