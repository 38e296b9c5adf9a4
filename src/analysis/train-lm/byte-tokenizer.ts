/** Bytes as tokens: 256 ids, and one that ends a text. Needs no training and spells everything. */
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import type { TokenizerLike } from "../../data/index.js";
import { writeFileAtomic } from "../../io/index.js";

/** The id after every text. */
export const byteEndId = 256;

const endToken = "<|endoftext|>";

/** Encodes a text as its UTF-8 bytes. */
export const byteTokenizer: TokenizerLike = {
  encode: (text) => ({ ids: Array.from(new TextEncoder().encode(text)) }),
  bosId: byteEndId,
  eosId: byteEndId,
  padId: byteEndId,
  prependsBos: false,
};

/** GPT-2's printable characters: a byte that prints stands for itself, the others for letters from 256 on. */
function byteCharacters(): readonly string[] {
  const prints = (byte: number): boolean =>
    (byte >= 33 && byte <= 126) || (byte >= 161 && byte <= 172) || (byte >= 174 && byte <= 255);
  let next = 256;
  return Array.from({ length: 256 }, (_, byte) => String.fromCharCode(prints(byte) ? byte : next++));
}

function tokenizerJson(): unknown {
  const byteLevel = { type: "ByteLevel", add_prefix_space: false, trim_offsets: true, use_regex: true };
  const vocab = Object.fromEntries([...byteCharacters(), endToken].map((token, id) => [token, id]));
  const flags = { single_word: false, lstrip: false, rstrip: false, normalized: false, special: true };
  return {
    version: "1.0",
    truncation: null,
    padding: null,
    added_tokens: [{ id: byteEndId, content: endToken, ...flags }],
    normalizer: null,
    pre_tokenizer: byteLevel,
    post_processor: null,
    decoder: byteLevel,
    model: { type: "BPE", dropout: null, unk_token: null, fuse_unk: false, byte_fallback: false, vocab, merges: [] },
  };
}

const tokenizerConfig = {
  add_bos_token: false,
  add_prefix_space: false,
  bos_token: endToken,
  eos_token: endToken,
  pad_token: endToken,
  clean_up_tokenization_spaces: false,
  tokenizer_class: "GPT2Tokenizer",
};

/** Writes the tokenizer's files, as `loadModel` and Hugging Face read them. */
export async function writeByteTokenizer(folder: string): Promise<void> {
  await mkdir(folder, { recursive: true });
  await writeFileAtomic(join(folder, "tokenizer.json"), `${JSON.stringify(tokenizerJson())}\n`);
  await writeFileAtomic(join(folder, "tokenizer_config.json"), `${JSON.stringify(tokenizerConfig, undefined, 2)}\n`);
}
