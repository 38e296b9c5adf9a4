/** Token text as a reader should see it. */

const visibleCharacters: Readonly<Record<string, string>> = {
  " ": "·",
  "\n": "⏎",
  "\r": "␍",
  "\t": "␉",
  "\u00a0": "⍽",
  "\u200b": "∅",
  "\ufffd": "�",
};

/**
 * Returns token text with its whitespace made visible: `·` space, `⏎` newline, `␉` tab.
 *
 * Other control characters are written as `‹U+001B›`; an empty token as `∅`.
 */
export function visibleToken(token: string): string {
  if (token === "") return "∅";
  let text = "";
  for (const character of token) text += visibleCharacter(character);
  return text;
}

function visibleCharacter(character: string): string {
  const mapped = visibleCharacters[character];
  if (mapped !== undefined) return mapped;
  const code = character.codePointAt(0) ?? 0;
  const isControl = code < 0x20 || (code >= 0x7f && code < 0xa0) || isInvisible(code);
  return isControl ? `‹U+${code.toString(16).toUpperCase().padStart(4, "0")}›` : character;
}

/** Lone surrogates, direction marks, joiners outside emoji, line separators and non-characters. */
function isInvisible(code: number): boolean {
  if (code >= 0xd800 && code <= 0xdfff) return true;
  if (code >= 0x200e && code <= 0x200f) return true;
  if (code >= 0x2028 && code <= 0x202e) return true;
  if (code >= 0x2066 && code <= 0x2069) return true;
  return code === 0xfeff || code === 0xfffe || code === 0xffff;
}

/** Returns the width of `text` in monospace columns: wide East Asian letters and emoji count as two. */
export function columns(text: string): number {
  let count = 0;
  for (const character of text) count += isWide(character.codePointAt(0) ?? 0) ? 2 : 1;
  return count;
}

/** Ranges of code points that a monospace face sets two columns wide. */
const wideRanges: readonly (readonly [number, number])[] = [
  [0x1100, 0x115f],
  [0x2e80, 0xa4cf],
  [0xac00, 0xd7a3],
  [0xf900, 0xfaff],
  [0xfe30, 0xfe6f],
  [0xff00, 0xff60],
  [0x1f300, 0x3fffd],
];

function isWide(code: number): boolean {
  return wideRanges.some(([first, last]) => code >= first && code <= last);
}

/** Returns `text` cut to at most `limit` columns, with `…` where something is missing. */
export function shorten(text: string, limit: number): string {
  if (columns(text) <= limit) return text;
  let kept = "";
  let width = 0;
  for (const character of text) {
    width += columns(character);
    if (width > limit - 1) break;
    kept += character;
  }
  return `${kept}…`;
}
