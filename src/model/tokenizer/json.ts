/** JSON of unknown origin, looked at with guards. */
import { FormatError } from "../../core/index.js";
import { isJsonObject, parseJson } from "../../io/index.js";

/** A JSON object whose values are not checked yet. */
export type JsonObject = Readonly<Record<string, unknown>>;

/** Parses `text`, which must hold a JSON object; `where` names the file. */
export function parseJsonObject(text: string, where: string): JsonObject {
  const value = parseJson(text, where);
  if (isJsonObject(value)) return value;
  const got = Array.isArray(value) ? "a list" : String(value);
  throw new FormatError({ where, got, expected: "a JSON object", fix: "Fetch the file again." });
}

/** Returns the value as an integer list: `3` is `[3]`, anything else than integers is left out. */
export function integerList(value: unknown): readonly number[] {
  const list: readonly unknown[] = Array.isArray(value) ? value : [value];
  return list.filter((item): item is number => typeof item === "number" && Number.isInteger(item) && item >= 0);
}
