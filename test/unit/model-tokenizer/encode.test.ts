import { readFileSync } from "node:fs";
import { join } from "node:path";
import { inspect } from "node:util";
import { describe, expect, it } from "vitest";
import { openTokenizer, Tokenizer } from "../../../src/model/tokenizer/index.js";
import { byteLevelFiles, dataFolder, folderOf, tinyFolder, unigramFiles } from "./helpers.js";

const llama = dataFolder("stories260k/hf");
const neox = dataFolder("tokenizers/gpt-neox-20b");

describe.skipIf(llama === undefined)("the Llama tokenizer with byte fallback", () => {
  const tokenizer = new Tokenizer(llama ?? "");

  it("encodes the reference sentence to the reference ids, BOS by its own habit", () => {
    expect(tokenizer.encode("Once upon a time")).toEqual({ ids: [1, 403, 407, 261, 378], bos: "tokenizer" });
  });

  it("knows its control tokens and sizes", () => {
    const { bosId, eosId, eosIds, unkId, padId, vocabSize, prependsBos, hasChatTemplate } = tokenizer;
    expect({ bosId, eosId, eosIds, unkId, padId, vocabSize, prependsBos, hasChatTemplate }).toEqual({
      bosId: 1,
      eosId: 2,
      eosIds: [2],
      unkId: 0,
      padId: undefined,
      vocabSize: 512,
      prependsBos: true,
      hasChatTemplate: false,
    });
  });

  it("spells characters outside the vocabulary in bytes and decodes them again", () => {
    const text = "Zoë drinks 茶 🙂";
    const { ids } = tokenizer.encode(text);
    expect(ids.length).toBeGreaterThan(text.length);
    expect(tokenizer.decode(ids, { skipSpecial: true })).toBe(text);
  });

  it("reads control tokens in text as text", () => {
    const { ids } = tokenizer.encode("Hi </s> you", { prependBos: false });
    expect(ids).not.toContain(2);
    expect(tokenizer.decode(ids)).toBe("Hi </s> you");
    expect(tokenizer.encode("</s>", { allowSpecial: true }).ids).toEqual([1, 2]);
  });

  it("finds the token after a space although the tokenizer puts a space in front of every text", () => {
    expect(tokenizer.toSingleToken(" time")).toBe(378);
    expect(tokenizer.toSingleToken("time")).toBe(378);
    expect(tokenizer.toSingleToken("</s>")).toBe(2);
  });

  it("shows pieces with their leading spaces, without the one that it adds itself", () => {
    const { ids } = tokenizer.encode("Once upon a time");
    expect(tokenizer.pieces(ids)).toEqual(["<s>", "Once", " upon", " a", " time"]);
    expect(tokenizer.piece(403)).toBe(" Once");
  });
});

describe.skipIf(neox === undefined)("the GPT-NeoX tokenizer", () => {
  const tokenizer = new Tokenizer(neox ?? "");

  it("encodes to known ids and adds nothing", () => {
    expect(tokenizer.encode("Hello, I am")).toEqual({ ids: [12092, 13, 309, 717], bos: "none" });
    expect(tokenizer.prependsBos).toBe(false);
  });

  it("keeps the runs of spaces that are tokens of their own and no control tokens", () => {
    expect(tokenizer.pieces(tokenizer.encode("a    b").ids)).toEqual(["a", "    ", "b"]);
  });

  it("reads <|endoftext|> in text as text, and as a control token when asked", () => {
    expect(tokenizer.encode("a<|endoftext|>").ids).not.toContain(0);
    expect(tokenizer.pieces(tokenizer.encode("a<|endoftext|>").ids).join("")).toBe("a<|endoftext|>");
    expect(tokenizer.encode("a<|endoftext|>", { allowSpecial: true }).ids).toEqual([66, 0]);
  });

  it("merges as byte-pair encoding defines, checked against a naive merger", () => {
    const naive = naiveBpe(neox ?? "");
    for (const text of ["The capital of France is", " don't stop", "x=3.14159; naïve", "日本語 test", "🙂🙂"]) {
      expect(tokenizer.encode(text).ids).toEqual(naive(text));
    }
  });
});

describe("the embedded model's tokenizer", () => {
  const tokenizer = new Tokenizer(tinyFolder);

  it("round-trips text with spaces, newlines and other scripts exactly", () => {
    for (const text of ["  two  spaces ", "line\n\n\tnext", "Zoë 茶 🙂", " .,? !"]) {
      const { ids } = tokenizer.encode(text);
      expect(tokenizer.decode(ids)).toBe(text);
      expect(tokenizer.encode(text)).toEqual({ ids, bos: "none" });
    }
  });

  it("merges as byte-pair encoding defines, checked against a naive merger", () => {
    const naive = naiveBpe(tinyFolder);
    for (const text of ["Once upon a time there was", "It's 1234 o'clock.", "naïve café"]) {
      expect(tokenizer.encode(text).ids).toEqual(naive(text));
    }
  });

  it("uses BOS when asked", () => {
    const { ids, bos } = tokenizer.encode("Hello", { prependBos: true });
    expect(ids[0]).toBe(tokenizer.bosId);
    expect(bos).toBe("option");
  });
});

describe("control tokens inside text", () => {
  it("stay text in every kind of tokenizer", () => {
    for (const files of [byteLevelFiles(), unigramFiles("always"), unigramFiles("first")]) {
      const tokenizer = new Tokenizer(folderOf(files));
      const { ids } = tokenizer.encode("ab</s>ab", { allowSpecial: false });
      expect(ids).not.toContain(tokenizer.eosId);
      expect(ids).not.toContain(0);
      expect(tokenizer.decode(ids)).toBe("ab</s>ab");
      expect(tokenizer.encode("ab</s>", { allowSpecial: true }).ids.at(-1)).toBe(tokenizer.eosId);
    }
  });

  it("are those that the configuration names, even where tokenizer.json does not list them", () => {
    const files = byteLevelFiles({ pad_token: "he" });
    const tokenizer = new Tokenizer(folderOf(files));
    expect(tokenizer.padId).toBe(256);
    expect(tokenizer.encode("the", { allowSpecial: true }).ids).toContain(256);
    expect(tokenizer.isSpecial(256)).toBe(true);
  });

  it("are left out of decoding on request", () => {
    const tokenizer = new Tokenizer(folderOf(byteLevelFiles()));
    expect(tokenizer.decode([258, 256, 259])).toBe("<s>he</s>");
    expect(tokenizer.decode([258, 256, 259], { skipSpecial: true })).toBe("he");
    expect(tokenizer.decode([])).toBe("");
  });
});

describe("pieces", () => {
  it("show a part of a character as the replacement character", () => {
    const tokenizer = new Tokenizer(folderOf(byteLevelFiles()));
    expect(tokenizer.pieces(tokenizer.encode("é he").ids)).toEqual(["\ufffd", "\ufffd", " he"]);
  });

  it("translate between vocabulary strings and ids", () => {
    const tokenizer = new Tokenizer(folderOf(byteLevelFiles()));
    expect(tokenizer.tokenToId("Ġhe")).toBe(257);
    expect(tokenizer.idToToken(257)).toBe("Ġhe");
    expect(tokenizer.tokenToId("nothing")).toBeUndefined();
    expect(tokenizer.idToToken(9999)).toBeUndefined();
  });
});

describe("a tokenizer in a console", () => {
  it("shows what it is", () => {
    const folder = folderOf(byteLevelFiles());
    expect(inspect(new Tokenizer(folder))).toBe(`Tokenizer of 262 tokens, does not prepend BOS (${folder})`);
  });
});

describe("refusals", () => {
  const tokenizer = new Tokenizer(folderOf(byteLevelFiles()));

  it("lists the pieces of text that is not one token", () => {
    expect(() => tokenizer.toSingleToken("hex")).toThrow(
      'tokenizer.toSingleToken: text: got "hex", which is 2 tokens: "he", "x"; expected text that is exactly one token.',
    );
    expect(() => tokenizer.toSingleToken("")).toThrow("0 tokens");
  });

  it("names the id that is not in the vocabulary and where it stands", () => {
    expect(() => tokenizer.decode([1, 900])).toThrow(
      "tokenizer.decode: ids[1]: got 900; expected ids of this vocabulary (0 to 261)",
    );
    expect(() => tokenizer.pieces([1.5])).toThrow("tokenizer.pieces: ids[0]: got 1.5");
    expect(() => tokenizer.piece(-1)).toThrow("tokenizer.piece: id[0]: got -1");
  });

  it("says what a folder without a tokenizer needs", async () => {
    await expect(openTokenizer(folderOf({ "vocab.json": {} }))).rejects.toThrow("a folder without tokenizer.json");
  });

  it("names the file that is not JSON or no tokenizer", async () => {
    const broken = await openTokenizer(folderOf({ "tokenizer.json": "{" }));
    expect(() => broken.encode("a")).toThrow(
      /tokenizer\.json: got the end of the text at line 1, column 2; expected valid JSON/,
    );
    const list = await openTokenizer(folderOf({ "tokenizer.json": [] }));
    expect(() => list.encode("a")).toThrow("a list; expected a JSON object");
    const empty = await openTokenizer(folderOf({ "tokenizer.json": {} }));
    expect(() => empty.encode("a")).toThrow("no `model` in it");
    const odd = await openTokenizer(folderOf(byteLevelFiles({}, { decoder: { type: "Rot13" } })));
    expect(() => odd.encode("a")).toThrow("Unknown Decoder type: Rot13");
  });

  it("refuses text that a vocabulary without an unknown token cannot spell", () => {
    const json = {
      pre_tokenizer: { type: "Whitespace" },
      model: { type: "WordLevel", unk_token: null, vocab: { a: 0, b: 1 } },
    };
    const words = new Tokenizer(folderOf(byteLevelFiles({}, json)));
    expect(words.encode("a b").ids).toEqual([0, 1]);
    expect(() => words.encode("a zebra b")).toThrow("1 pieces that the vocabulary lacks, from position 1 on");
  });
});

interface BpeFile {
  readonly model: { readonly merges: readonly (string | string[])[]; readonly vocab: Readonly<Record<string, number>> };
}

/** Byte-pair encoding by the book: always join the best-ranked pair, everywhere, until none is left. */
function naiveBpe(folder: string): (text: string) => number[] {
  const { model } = JSON.parse(readFileSync(join(folder, "tokenizer.json"), "utf8")) as BpeFile;
  const merges = model.merges.map((merge) => (typeof merge === "string" ? merge : merge.join(" ")));
  const ranks = new Map(merges.map((merge, rank) => [merge, rank]));
  const characters = bytesToCharacters();
  const split = /'(?:[sdmt]|ll|ve|re)| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+/gu;
  const mergeWord = (word: string[]): string[] => {
    for (;;) {
      const pairs = word.slice(1).map((part, i) => ranks.get(`${word[i]} ${part}`) ?? Number.POSITIVE_INFINITY);
      const best = Math.min(...pairs);
      if (!Number.isFinite(best)) return word;
      const at = pairs.indexOf(best);
      word.splice(at, 2, `${word[at]}${word[at + 1]}`);
    }
  };
  return (text) =>
    [...text.matchAll(split)].flatMap(([word]) => {
      const letters = Array.from(new TextEncoder().encode(word), (byte) => characters[byte] ?? "");
      return mergeWord(letters).map((token) => model.vocab[token] ?? -1);
    });
}

function bytesToCharacters(): string[] {
  const keep = Array.from("!~¡¬®ÿ", (character) => character.charCodeAt(0));
  const inRange = (byte: number): boolean =>
    [0, 2, 4].some((i) => byte >= (keep[i] ?? 0) && byte <= (keep[i + 1] ?? 0));
  let shift = 0;
  return Array.from({ length: 256 }, (_, byte) => String.fromCharCode(inRange(byte) ? byte : 256 + shift++));
}
