/**
 * The rows that the model is trained on. Each row is one of
 *
 * - text: a random stretch of the corpus;
 * - tasks: sentences of all tasks, `<|endoftext|>` between them;
 * - repeats: a block of ids that comes again and again, so that attention heads learn to copy from an earlier
 *   occurrence. Its ids are uniformly random, or as frequent as in the text, or a stretch of text. The first block carries
 *   no loss, and its length varies so that no fixed distance can be learnt.
 *
 * Half of all rows begin with `<|endoftext|>`, so that the model works with it and without it.
 */
import { createRandom, type Random } from "../../src/core/index.js";
import type { Tokenizer } from "../../src/model/index.js";
import { trainingTasks } from "./splits.js";
import { contextLength } from "./vocabulary.js";

/** What a row is made of. */
export type RowKind = "text" | "tasks" | "repeats";

/** One row of `contextLength + 1` tokens. */
export interface Row {
  readonly kind: RowKind;
  readonly ids: Int32Array;
  /** The first target that carries loss. */
  readonly learnsFrom: number;
}

/** Share of each kind of row; repeats are more frequent for a while, when the model can read: copying forms then. */
export function rowShares(progress: number): Readonly<Record<RowKind, number>> {
  const repeats = progress > 0.15 && progress < 0.35 ? 0.35 : 0.12;
  return { repeats, tasks: 0.36 * (1 - repeats), text: 0.64 * (1 - repeats) };
}

/** Encoded sentences of every task. */
export interface Sentences {
  readonly shares: readonly number[];
  readonly encoded: readonly (readonly Int32Array[])[];
}

/** Makes and encodes the sentences of all training tasks. */
export function makeSentences(tokenizer: Tokenizer): Sentences {
  const encoded = trainingTasks.map(({ make, count }) => {
    const pairs = make(tokenizer, { n: count, seed: 1 });
    return Array.from({ length: pairs.length }, (_, i) => Int32Array.from(tokenizer.encode(pairs.text(i)).ids));
  });
  return { shares: trainingTasks.map(({ share }) => share), encoded };
}

/** What rows are made from. */
export interface RowSource {
  readonly text: Int32Array;
  readonly sentences: Sentences;
  readonly endId: number;
}

const length = contextLength + 1;

function stretch(random: Random, text: Int32Array, size: number): Int32Array {
  const start = random.int(0, text.length - size);
  return text.subarray(start, start + size);
}

function taskIds(random: Random, { sentences, endId }: RowSource, size: number): Int32Array {
  const ids: number[] = [];
  while (ids.length < size) {
    const pool = sentences.encoded[random.choice(sentences.shares)] ?? [];
    ids.push(...(pool[random.int(0, pool.length)] ?? []), endId);
  }
  return Int32Array.from(ids.slice(0, size));
}

function block(random: Random, { text, endId }: RowSource, size: number): Int32Array {
  const kind = random.int(0, 3);
  if (kind === 0) return Int32Array.from({ length: size }, () => random.int(0, endId));
  if (kind === 1) return Int32Array.from({ length: size }, () => text[random.int(0, text.length)] ?? 0);
  return stretch(random, text, size);
}

/** Makes one row of a kind. */
export function makeRow(kind: RowKind, source: RowSource, random: Random): Row {
  const first = random.uniform() < 0.5 ? 1 : 0;
  const ids = new Int32Array(length).fill(source.endId, 0, first);
  const size = length - first;
  if (kind === "text") ids.set(stretch(random, source.text, size), first);
  if (kind === "tasks") ids.set(taskIds(random, source, size), first);
  if (kind !== "repeats") return { kind, ids, learnsFrom: 1 };
  const period = Math.round(Math.exp(Math.log(4) + random.uniform() * Math.log(contextLength / 8)));
  const repeated = block(random, source, period);
  for (let i = 0; i < size; i++) ids[first + i] = repeated[i % period] ?? 0;
  return { kind, ids, learnsFrom: first + period };
}

/** Makes the rows of one batch; equal numbers and shares make equal rows. */
export function makeRows(source: RowSource, seed: number, count: number, progress: number): readonly Row[] {
  const random = createRandom(seed);
  const shares = rowShares(progress);
  const kinds = Object.keys(shares) as RowKind[];
  const kind = (): RowKind => kinds[random.choice(Object.values(shares))] ?? "text";
  return Array.from({ length: count }, () => makeRow(kind(), source, random));
}
