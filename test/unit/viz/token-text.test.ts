import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { columns, shorten, visibleToken } from "../../../src/viz/token-text.js";

/** Any text, lone surrogates included. */
const anyText = fc.array(fc.nat(0x10ffff)).map((codes) => String.fromCodePoint(...codes));

describe("visibleToken", () => {
  test.each([
    [" the", "·the"],
    ["\n\n", "⏎⏎"],
    ["\tx", "␉x"],
    ["\r", "␍"],
    ["", "∅"],
    ["<s>", "<s>"],
    ["é", "é"],
    ["👩‍👩‍👧", "👩‍👩‍👧"],
    ["\u001b[31m", "‹U+001B›[31m"],
    ["\u202e", "‹U+202E›"],
    ["\ud83d", "‹U+D83D›"],
  ])("shows %j as %s", (token, text) => {
    expect(visibleToken(token)).toBe(text);
  });

  test("never leaves a space, a control character or a lone surrogate", () => {
    fc.assert(
      fc.property(anyText, (token) => {
        const text = visibleToken(token);
        // biome-ignore lint/suspicious/noControlCharactersInRegex: they are the point
        expect(text).not.toMatch(/[\u0000-\u0020\u007f-\u009f]/);
        expect(text).toBe(Buffer.from(text).toString());
        expect(text).not.toBe("");
      }),
    );
  });
});

describe("columns and shorten", () => {
  test("wide letters take two columns", () => {
    expect(columns("abc")).toBe(3);
    expect(columns("東京")).toBe(4);
    expect(columns("🙂")).toBe(2);
  });

  test("shortened text fits, and says that something is missing", () => {
    expect(shorten("abcdef", 6)).toBe("abcdef");
    expect(shorten("abcdefg", 6)).toBe("abcde…");
    fc.assert(
      fc.property(anyText, fc.integer({ min: 1, max: 20 }), (text, limit) => {
        const short = shorten(text, limit);
        expect(columns(short)).toBeLessThanOrEqual(limit);
        expect(short === text || short.endsWith("…")).toBe(true);
      }),
    );
  });
});
