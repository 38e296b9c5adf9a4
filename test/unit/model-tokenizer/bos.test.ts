import { describe, expect, it } from "vitest";
import { Tokenizer } from "../../../src/model/tokenizer/index.js";
import { byteLevelFiles, folderOf } from "./helpers.js";

const template = {
  type: "TemplateProcessing",
  single: [{ SpecialToken: { id: "<s>", type_id: 0 } }, { Sequence: { id: "A", type_id: 0 } }],
  pair: [],
  special_tokens: { "<s>": { id: "<s>", ids: [258], tokens: ["<s>"] } },
};
const both = { ...template, single: [...template.single, { SpecialToken: { id: "</s>", type_id: 0 } }] };

const plain = new Tokenizer(folderOf(byteLevelFiles()));
const adding = new Tokenizer(folderOf(byteLevelFiles({}, { post_processor: template })));

describe("who puts BOS in front", () => {
  it("follows the tokenizer's own habit, found by encoding", () => {
    expect([plain.prependsBos, adding.prependsBos]).toEqual([false, true]);
    expect(plain.encode("he")).toEqual({ ids: [256], bos: "none" });
    expect(adding.encode("he")).toEqual({ ids: [258, 256], bos: "tokenizer" });
  });

  it("follows the option over the habit, once and not twice", () => {
    expect(plain.encode("he", { prependBos: true })).toEqual({ ids: [258, 256], bos: "option" });
    expect(adding.encode("he", { prependBos: true })).toEqual({ ids: [258, 256], bos: "option" });
    expect(adding.encode("he", { prependBos: false })).toEqual({ ids: [256], bos: "none" });
  });

  it("keeps an end token that the tokenizer adds", () => {
    const tokenizer = new Tokenizer(folderOf(byteLevelFiles({}, { post_processor: both })));
    expect(tokenizer.encode("he").ids).toEqual([258, 256, 259]);
    expect(tokenizer.encode("he", { prependBos: false }).ids).toEqual([256, 259]);
  });

  it("lets add_bos_token decide where the tokenizer class rebuilds its post-processor from it", () => {
    const config = { tokenizer_class: "LlamaTokenizerFast", add_bos_token: true, add_eos_token: true };
    expect(new Tokenizer(folderOf(byteLevelFiles(config))).encode("he").ids).toEqual([258, 256, 259]);
    const off = { tokenizer_class: "GemmaTokenizer", add_bos_token: false };
    const json = { post_processor: template };
    expect(new Tokenizer(folderOf(byteLevelFiles(off, json))).encode("he").ids).toEqual([256]);
    const other = { tokenizer_class: "GPT2Tokenizer", add_bos_token: true };
    expect(new Tokenizer(folderOf(byteLevelFiles(other))).encode("he").ids).toEqual([256]);
  });

  it("says when the text itself begins with BOS", () => {
    expect(plain.encode("<s>he", { allowSpecial: true })).toEqual({ ids: [258, 256], bos: "text" });
  });

  it("encodes empty text to BOS alone or to nothing", () => {
    expect(adding.encode("").ids).toEqual([258]);
    expect(plain.encode("").ids).toEqual([]);
  });
});

describe("a doubled BOS", () => {
  it("is refused when the text begins with the BOS string", () => {
    const expected = /got text that begins with "<s>", and BOS is prepended \(policy "tokenizer"\)/;
    expect(() => adding.encode("<s>he")).toThrow(expected);
    expect(() => plain.encode("<s>he", { prependBos: true })).toThrow('(policy "option")');
  });

  it("is refused when control tokens in the text make one", () => {
    expect(() => adding.encode("<s>he", { allowSpecial: true })).toThrow("got the BOS token 258 twice at the start");
  });

  it("is refused in ids that the caller brings", () => {
    expect(() => plain.checkSingleBos([258, 258, 1], "model.run: tokens")).toThrow(
      "model.run: tokens: got the BOS token 258 twice at the start; expected one, as the model saw in training.",
    );
    expect(() => plain.checkSingleBos(Int32Array.of(258, 1, 258))).not.toThrow();
    expect(() => plain.checkSingleBos([])).not.toThrow();
  });

  it("is no matter when nothing is prepended, or when the caller says that those characters are text", () => {
    expect(plain.encode("<s>he").ids).not.toContain(258);
    expect(adding.encode("<s>he", { prependBos: false }).ids).not.toContain(258);
    const { ids } = adding.encode("<s>he", { allowSpecial: false });
    expect(adding.decode(ids)).toBe("<s><s>he");
    expect(ids.filter((id) => id === 258)).toHaveLength(1);
  });
});

describe("a tokenizer without BOS", () => {
  it("refuses prependBos: true", () => {
    const tokenizer = new Tokenizer(folderOf({ "tokenizer.json": byteLevelFiles()["tokenizer.json"] }));
    expect(tokenizer.bosId).toBeUndefined();
    expect(() => tokenizer.encode("he", { prependBos: true })).toThrow(
      "tokenizer.encode: prependBos: got true; expected a tokenizer with a BOS token; this one names none.",
    );
  });
});

describe("end tokens", () => {
  it("come from generation_config.json, which may list several, and from the tokenizer", () => {
    const files = { ...byteLevelFiles(), "generation_config.json": { eos_token_id: [260, 259] } };
    const tokenizer = new Tokenizer(folderOf(files));
    expect(tokenizer.eosId).toBe(259);
    expect(tokenizer.eosIds).toEqual([259, 260]);
  });

  it("come from config.json when nothing else names one, and from special_tokens_map.json", () => {
    const json = { "tokenizer.json": byteLevelFiles()["tokenizer.json"] };
    expect(new Tokenizer(folderOf({ ...json, "config.json": { eos_token_id: 7 } })).eosIds).toEqual([7]);
    const map = { "special_tokens_map.json": { eos_token: { content: "</s>" }, bos_token: "<s>" } };
    expect(new Tokenizer(folderOf({ ...json, ...map })).eosIds).toEqual([259]);
    expect(new Tokenizer(folderOf(json)).eosIds).toEqual([]);
  });
});
