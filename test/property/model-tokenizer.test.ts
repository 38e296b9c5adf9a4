import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Tokenizer } from "../../src/model/tokenizer/index.js";
import { byteLevelFiles, dataFolder, folderOf, tinyFolder } from "../unit/model-tokenizer/helpers.js";

const llama = dataFolder("stories260k/hf");
const bytes = new Tokenizer(folderOf(byteLevelFiles()));
const tiny = new Tokenizer(tinyFolder);

/** Well-formed Unicode, mixed with what tokenizers stumble over. */
const text = fc.oneof(
  fc.string({ unit: "grapheme" }),
  fc.string({ unit: "binary" }),
  fc
    .array(
      fc.constantFrom(" ", "he", "\n", "'s", "</s>", "<s>", "<|endoftext|>", "\u00a0", "é", "🙂", "\u{FFFFE}", "0"),
    )
    .map((parts) => parts.join("")),
);

describe("a byte-level tokenizer", () => {
  it("decodes what it encoded to the same text", () => {
    fc.assert(
      fc.property(text, (value) => {
        for (const tokenizer of [bytes, tiny]) expect(tokenizer.decode(tokenizer.encode(value).ids)).toBe(value);
      }),
    );
  });

  it("never makes a control token from text", () => {
    fc.assert(
      fc.property(text, (value) => {
        for (const tokenizer of [bytes, tiny]) {
          expect(tokenizer.encode(value).ids.some((id) => tokenizer.isSpecial(id))).toBe(false);
        }
      }),
    );
  });

  it("has pieces that join to the text when no character is split", () => {
    fc.assert(
      fc.property(text, (value) => {
        const pieces = tiny.pieces(tiny.encode(value).ids);
        if (!pieces.some((piece) => piece.includes("\ufffd"))) expect(pieces.join("")).toBe(value);
      }),
    );
  });

  it("reads a chat's rendered text as the tokenizer itself does when messages hold no control tokens", () => {
    const chat = new Tokenizer(
      folderOf(byteLevelFiles({ chat_template: "<s>{{ messages[0].content }}<|user|>{{ messages[0].content }}</s>" })),
    );
    fc.assert(
      fc.property(fc.string({ unit: "grapheme" }), (content) => {
        fc.pre(!/<s>|<\/s>|<\|user\|>/.test(content));
        const encoded = chat.chat([{ role: "user", content }]);
        expect(encoded.ids).toEqual(chat.encode(encoded.text, { allowSpecial: true }).ids);
      }),
    );
  });
});

describe.skipIf(llama === undefined)("a tokenizer with byte fallback", () => {
  const tokenizer = new Tokenizer(llama ?? "");

  it("decodes what it encoded to the same text", () => {
    fc.assert(
      fc.property(text, (value) => {
        // The space marker of the vocabulary stands for a space, in the reference implementation too.
        fc.pre(!value.includes("▁") && !value.includes("\ufeff"));
        expect(tokenizer.decode(tokenizer.encode(value, { allowSpecial: false }).ids, { skipSpecial: true })).toBe(
          value,
        );
      }),
    );
  });
});
