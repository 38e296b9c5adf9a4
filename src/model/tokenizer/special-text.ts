/** Splits text at control tokens, and protects text from being read as one. */
import type { AddedToken } from "./files.js";

/** A part of a split text: a control token, or ordinary text. */
export type TextPart = { readonly id: number } | { readonly text: string };

/** Splits `text` at every control token of `special`; longer ones win where two begin together. */
export function splitAtSpecial(text: string, special: readonly AddedToken[]): readonly TextPart[] {
  const pattern = patternOf(special);
  if (pattern === undefined) return text === "" ? [] : [{ text }];
  const byContent = new Map(special.map((token) => [token.content, token]));
  // Splitting by a capturing group alternates text (even places) and control tokens (odd places).
  const pieces = text.split(pattern);
  const tokenAt = (index: number): AddedToken | undefined => byContent.get(pieces[index] ?? "");
  return pieces.flatMap((piece, index): TextPart[] => {
    const token = index % 2 === 1 ? tokenAt(index) : undefined;
    if (token !== undefined) return [{ id: token.id }];
    const kept = trimmed(piece, tokenAt(index - 1)?.rstrip === true, tokenAt(index + 1)?.lstrip === true);
    return kept === "" ? [] : [{ text: kept }];
  });
}

function trimmed(text: string, atStart: boolean, atEnd: boolean): string {
  const kept = atStart ? text.trimStart() : text;
  return atEnd ? kept.trimEnd() : kept;
}

function patternOf(special: readonly AddedToken[]): RegExp | undefined {
  if (special.length === 0) return undefined;
  const contents = special.map((token) => token.content).sort((a, b) => b.length - a.length);
  return new RegExp(`(${contents.map((content) => content.replace(/[\\^$.*+?()[\]{}|]/g, "\\$&")).join("|")})`);
}

/** A character that text does not hold, for {@link createShield} and {@link unshield}. */
export function shieldCharacter(value: unknown): string {
  const text = JSON.stringify(value) ?? "";
  for (let code = 0xfdd0; code <= 0xfdef; code++) {
    const character = String.fromCharCode(code);
    if (!text.includes(character)) return character;
  }
  return "\u{1FFFE}";
}

/** Returns copies of plain data in which no string spells a control token: `character` is put inside each. */
export function createShield(special: readonly AddedToken[], character: string): Shield {
  const pattern = patternOf(special);
  const everywhere = pattern === undefined ? undefined : new RegExp(pattern, "g");
  const text = (value: string): string =>
    everywhere === undefined ? value : value.replace(everywhere, (match) => insertAfterFirst(match, character));
  const data = (value: unknown): unknown => {
    if (typeof value === "string") return text(value);
    if (Array.isArray(value)) return value.map(data);
    return typeof value === "object" && value !== null ? record(value) : value;
  };
  const record = (value: object): Record<string, unknown> =>
    Object.fromEntries(Object.entries(value).map(([key, item]) => [key, data(item)]));
  return { text, data, record };
}

/** Copies a string, any plain data, or an object's entries. */
export interface Shield {
  readonly text: (value: string) => string;
  readonly data: (value: unknown) => unknown;
  readonly record: (value: object) => Record<string, unknown>;
}

/** Undoes a {@link Shield} in a rendered text. */
export function unshield(text: string, character: string): string {
  return text.replaceAll(character, "");
}

function insertAfterFirst(text: string, character: string): string {
  const [first = ""] = text;
  return first + character + text.slice(first.length);
}
