/** From a text to its bigrams. */
import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import {
  FormatError,
  InputError,
  type LongCallOptions,
  progressOf,
  TokenError,
  throwIfAborted,
} from "../../core/index.js";
import { loadStored, openSafetensors, writeSafetensors } from "../../io/index.js";
import { Tensor } from "../../tensor/index.js";
import { PairCounter } from "./counts.js";
import { BigramTable, type Smoothing } from "./table.js";

/** Options of {@link countBigrams}. */
export interface CountBigramsOptions extends LongCallOptions {
  /** Tokens that there are: the model's `config.dVocab`. */
  readonly vocabulary: number;
  /** Default `"backOff"`. */
  readonly smoothing?: Smoothing;
}

/** Sequences of token ids. */
export type TokenSequences = AsyncIterable<ArrayLike<number>> | Iterable<ArrayLike<number>>;

/**
 * Counts which token follows which. Nothing but counts is kept, so a corpus of any length can be streamed.
 *
 * The first token of a sequence follows the start, which has a row of its own.
 *
 * @throws InputError for no token at all; TokenError for ids outside the vocabulary.
 */
export async function countBigrams(rows: TokenSequences, options: CountBigramsOptions): Promise<BigramTable> {
  const { vocabulary, smoothing, signal } = options;
  const report = progressOf(options);
  const counter = new PairCounter(vocabulary);
  const hash = createHash("sha256");
  let [tokens, sequences] = [0, 0];
  for await (const row of rows) {
    let before = vocabulary;
    for (let i = 0; i < row.length; i++) {
      const token = row[i] ?? -1;
      if (!Number.isInteger(token) || token < 0 || token >= vocabulary) throw outside(sequences, i, token, vocabulary);
      counter.add(before, token);
      before = token;
    }
    tokens += row.length;
    hash.update(Int32Array.of(row.length)).update(Int32Array.from(row));
    if (++sequences % 256 === 0) {
      throwIfAborted(signal, "countBigrams");
      report?.({ done: tokens, label: "count pairs of tokens" });
    }
  }
  if (tokens === 0)
    throw new InputError({
      where: "countBigrams",
      got: "no token",
      expected: "a text",
      fix: "Check the path and the split.",
    });
  return new BigramTable(counter.finish(), smoothing, hash.digest("hex"));
}

function outside(row: number, place: number, token: number, vocabulary: number): TokenError {
  return new TokenError({
    where: `countBigrams: sequence ${row}, position ${place}`,
    got: `token id ${token}`,
    expected: `ids from 0 to ${vocabulary - 1}`,
    fix: "Count with the vocabulary of the model whose tokenizer made the ids.",
  });
}

const format = "limpid.bigrams.v1";

/** Writes the counts to a safetensors file that appears only when complete. */
export async function saveBigrams(path: string, { counts, corpus }: BigramTable): Promise<void> {
  const { vocabulary, starts, next, count } = counts;
  const tensors = {
    starts: Tensor.of(Int32Array.from(starts), [starts.length]),
    next: Tensor.of(next, [next.length]),
    count: Tensor.of(Int32Array.from(count), [count.length]),
  };
  const about = corpus === undefined ? {} : { corpus };
  await writeSafetensors(path, tensors, { metadata: { format, vocabulary: String(vocabulary), ...about } });
}

/** The file of an embedded model's counts, or the path as it is. */
function locate(source: string): string {
  if (existsSync(source) || !/^[\w-]+$/.test(source)) return source;
  return fileURLToPath(new URL(`../../../fixtures/masks/${source}/bigrams.safetensors`, import.meta.url));
}

/**
 * Opens counts that were saved, or those that come with limpid: `"tiny"`, of the text that the embedded model was trained on.
 *
 * @throws FormatError for a file of another kind.
 */
export async function openBigrams(source: string, smoothing?: Smoothing): Promise<BigramTable> {
  const path = locate(source);
  const { metadata, tensors } = await openSafetensors(path);
  const vocabulary = Number(metadata["vocabulary"]);
  const { starts, next, count } = await loadStored(tensors);
  const isWhole = metadata["format"] === format && starts?.size === vocabulary + 2 && next?.size === count?.size;
  if (!isWhole || starts === undefined || next === undefined || count === undefined)
    throw new FormatError({
      where: path,
      got: metadata["format"] ?? "no format",
      expected: format,
      fix: "Count again.",
    });
  const counts = {
    vocabulary,
    starts: Uint32Array.from(starts.data as Int32Array),
    next: Int32Array.from(next.data as Int32Array),
    count: Float64Array.from(count.data as Int32Array),
  };
  return new BigramTable(counts, smoothing, metadata["corpus"]);
}
