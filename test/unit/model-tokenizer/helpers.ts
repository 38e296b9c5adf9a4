/** Small tokenizers made on the spot, and the larger ones that only some machines have. */
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll } from "vitest";

const root = fileURLToPath(new URL("../../../", import.meta.url));
const dataRoot = process.env["LIMPID_DATA"] ?? join(root, "../shared/data");

/** The embedded model's folder. */
export const tinyFolder: string = join(root, "fixtures/tiny");

/** A folder of the test data, or `undefined` (with a message) where there is none. */
export function dataFolder(name: string): string | undefined {
  const folder = join(dataRoot, name);
  if (existsSync(folder)) return folder;
  console.warn(`skipped: no ${name} in ${dataRoot}; set LIMPID_DATA`);
  return undefined;
}

const made: string[] = [];
afterAll(() => {
  for (const folder of made) rmSync(folder, { recursive: true, force: true });
});

/** Writes JSON (or text) files into a fresh folder. */
export function folderOf(files: Readonly<Record<string, unknown>>): string {
  const folder = mkdtempSync(join(tmpdir(), "limpid-tokenizer-"));
  made.push(folder);
  mkdirSync(folder, { recursive: true });
  for (const [name, content] of Object.entries(files)) {
    writeFileSync(join(folder, name), typeof content === "string" ? content : JSON.stringify(content));
  }
  return folder;
}

/** The 256 visible characters that stand for bytes in byte-level vocabularies, by the rule of GPT-2's encoder.py. */
export function byteCharacters(): string[] {
  const printable = (byte: number): boolean =>
    (byte >= 33 && byte <= 126) || (byte >= 161 && byte <= 172) || (byte >= 174 && byte <= 255);
  let next = 256;
  return Array.from({ length: 256 }, (_, byte) => String.fromCodePoint(printable(byte) ? byte : next++));
}

const special = (id: number, content: string, more: object = {}): object => ({
  id,
  content,
  single_word: false,
  lstrip: false,
  rstrip: false,
  normalized: false,
  special: true,
  ...more,
});

/** A byte-level BPE: one token per byte, two merges, and control tokens `<s>`, `</s>`, `<|user|>` (which eats spaces). */
export function byteLevelFiles(config: object = {}, json: object = {}): Record<string, unknown> {
  const vocab = Object.fromEntries(byteCharacters().map((character, id) => [character, id]));
  const tokenizer = {
    version: "1.0",
    added_tokens: [
      special(258, "<s>"),
      special(259, "</s>"),
      special(260, "<|user|>", { rstrip: true }),
      special(261, "<tool>", { special: false }),
    ],
    normalizer: null,
    pre_tokenizer: { type: "ByteLevel", add_prefix_space: false, trim_offsets: true, use_regex: true },
    post_processor: null,
    decoder: { type: "ByteLevel", add_prefix_space: false, trim_offsets: true, use_regex: true },
    model: {
      type: "BPE",
      unk_token: null,
      vocab: { ...vocab, he: 256, Ġhe: 257 },
      merges: ["h e", "Ġ he"],
    },
    ...json,
  };
  return {
    "tokenizer.json": tokenizer,
    "tokenizer_config.json": { bos_token: "<s>", eos_token: { content: "</s>" }, ...config },
  };
}

/** A unigram tokenizer whose vocabulary lists its control tokens, as SentencePiece models do. */
export function unigramFiles(scheme: "always" | "first" = "always"): Record<string, unknown> {
  const pieces = ["<unk>", "<s>", "</s>", "▁", "a", "b", "▁ab", "<", ">", "/", "s", "ab"];
  const tokenizer = {
    version: "1.0",
    added_tokens: [special(0, "<unk>"), special(1, "<s>"), special(2, "</s>")],
    normalizer: null,
    pre_tokenizer: { type: "Metaspace", replacement: "▁", prepend_scheme: scheme, split: false },
    post_processor: null,
    decoder: { type: "Metaspace", replacement: "▁", prepend_scheme: scheme, split: false },
    model: {
      type: "Unigram",
      unk_id: 0,
      vocab: pieces.map((piece, id) => [piece, id < 3 ? 0 : -piece.length - 1 / (id + 1)]),
    },
  };
  return {
    "tokenizer.json": tokenizer,
    "tokenizer_config.json": { bos_token: "<s>", eos_token: "</s>", unk_token: "<unk>" },
  };
}
