/** The tokenizer, trained once, and the texts as token ids. */
import { existsSync } from "node:fs";
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { tasks } from "../../src/data/index.js";
import { loadSafetensors, writeFileAtomic, writeSafetensors } from "../../src/io/index.js";
import { openTokenizer, type Tokenizer } from "../../src/model/index.js";
import { Tensor } from "../../src/tensor/index.js";
import { endOfText, trainTokenizer } from "./bpe.js";
import { type Part, readCorpus } from "./corpus.js";
import { cache } from "./paths.js";

export const vocabularySize = 4096;
export const contextLength = 256;

/** Where the tokenizer's two files lie. */
export const tokenizerFolder: string = join(cache, "tokenizer");

const [wordCount, centuryCount] = [2_500, 40_000];

/** Centuries come first, so that " 1862" is cut as " 18" and "62". */
function numberCounts(words: readonly string[]): Record<string, number> {
  const numbers = words.filter((word) => /^ ?\d\d$/.test(word));
  return Object.fromEntries(numbers.map((word) => [word, word.startsWith(" ") ? centuryCount : wordCount]));
}

function tokenizerConfig(): unknown {
  return {
    add_bos_token: false,
    add_prefix_space: false,
    bos_token: endOfText,
    clean_up_tokenization_spaces: false,
    eos_token: endOfText,
    model_max_length: contextLength,
    pad_token: endOfText,
    tokenizer_class: "GPT2Tokenizer",
    unk_token: endOfText,
  };
}

/** Returns the tokenizer; trains it on the training texts when it is not there yet. */
export async function openVocabulary(): Promise<Tokenizer> {
  const path = join(tokenizerFolder, "tokenizer.json");
  if (!existsSync(path)) {
    const words = tasks.words();
    const settings = { size: vocabularySize, whole: words, extra: numberCounts(words) };
    const content = trainTokenizer(readCorpus().train, settings);
    await mkdir(tokenizerFolder, { recursive: true });
    await writeFileAtomic(
      join(tokenizerFolder, "tokenizer_config.json"),
      `${JSON.stringify(tokenizerConfig(), undefined, 2)}\n`,
    );
    await writeFileAtomic(path, `${JSON.stringify(content, undefined, 1)}\n`);
  }
  return openTokenizer(tokenizerFolder);
}

/** A part of the corpus: documents one after the other, `<|endoftext|>` before each. */
export interface TokenStream {
  readonly ids: Int32Array;
  /** UTF-8 bytes of the documents. */
  readonly bytes: number;
}

/** Returns a part of the corpus as token ids, from the cache when they are there. */
export async function openStream(part: Part, tokenizer: Tokenizer): Promise<TokenStream> {
  const path = join(cache, `${part}.safetensors`);
  if (!existsSync(path)) {
    const texts = readCorpus()[part];
    const end = tokenizer.encode(endOfText, { allowSpecial: true }).ids[0] ?? -1;
    const ids = texts.flatMap((text) => [end, ...tokenizer.encode(text).ids]);
    const bytes = texts.reduce((sum, text) => sum + Buffer.byteLength(text), 0);
    await writeSafetensors(path, {
      ids: Tensor.of(Int32Array.from(ids), [ids.length]),
      bytes: Tensor.of(Int32Array.of(bytes), [1]),
    });
  }
  const stored = await loadSafetensors(path);
  const data = (name: string): Int32Array => stored[name]?.data as Int32Array;
  return { ids: data("ids"), bytes: Number(data("bytes")[0]) };
}
