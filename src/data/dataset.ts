/** A dataset: an immutable, lazy description of documents. */
import { InputError, type LongCallOptions, printsItself } from "../core/index.js";
import { Batches } from "./batches.js";
import { type PackOptions, packBatches } from "./pack.js";
import { type PadOptions, padBatches } from "./pad.js";
import type { Entry, Source } from "./source.js";
import { partRanges, type SplitFractions, stratifiedFraction } from "./split.js";
import { type Awaitable, chosen, type DocumentPlace, filteredAll, mapped, ranged, shuffled } from "./stages.js";
import type { TokenizerSource } from "./tokenizer-like.js";

/** Options of {@link Dataset.split}. */
export interface SplitOptions<T> {
  /** Equal seeds make equal splits; default 0. */
  readonly seed?: number;
  /** Documents with equal keys fall into the same part; by default each document stands alone. */
  readonly by?: (value: T) => string;
}

/**
 * Documents that are read when they are asked for, in bounded memory, as often as they are asked for.
 *
 * Every method returns a new dataset; nothing is read before `for await`, `toArray`, `count`, or a run over batches.
 *
 * @typeParam T - What one document is: `{ text }`, `{ tokens }`, or a row.
 */
export class Dataset<T> implements AsyncIterable<T> {
  static {
    printsItself(this.prototype);
  }

  readonly #source: Source<T>;

  /** @internal Made by `data.text`, `data.file`, `data.tokens`, `data.table` and `data.labelled`. */
  constructor(source: Source<T>) {
    this.#source = source;
  }

  /** What the documents are and what was done to them, in words. */
  get description(): string {
    return this.#source.description;
  }

  /** Yields every document. */
  async *[Symbol.asyncIterator](): AsyncGenerator<T> {
    for await (const { value } of this.#source.stream({})) yield value;
  }

  /** Yields every document with its place in the source. */
  async *entries(options: LongCallOptions = {}): AsyncGenerator<Entry<T>> {
    const { onProgress } = options;
    let done = 0;
    for await (const entry of this.#source.stream(options)) {
      onProgress?.({ done: ++done, label: `read ${this.#source.description}` });
      yield entry;
    }
  }

  /** Returns the number of documents; a file is read through once. */
  async count(options: LongCallOptions = {}): Promise<number> {
    const located = await this.#source.locate(options);
    await located.close();
    return located.length;
  }

  /** Returns every document in a list. */
  async toArray(options: LongCallOptions = {}): Promise<T[]> {
    const values: T[] = [];
    for await (const { value } of this.entries(options)) values.push(value);
    return values;
  }

  /** Returns the dataset with `fn` applied to each document. */
  map<U>(fn: (value: T, place: DocumentPlace) => Awaitable<U>): Dataset<U> {
    return new Dataset(mapped(this.#source, fn));
  }

  /** Returns the documents that pass a test. Reading throws an InputError when none does. */
  filter(test: (value: T, place: DocumentPlace) => Awaitable<boolean>): Dataset<T> {
    const nothing = filteredAll(this.description);
    const make = () => (entry: Entry<T>) => test(entry.value, { index: entry.index, place: entry.place });
    return new Dataset(chosen(this.#source, { description: "filtered", nothing, make }));
  }

  /** Returns the first `n` documents, or all when there are fewer. */
  take(n: number): Dataset<T> {
    checkCount(n, "dataset.take");
    return new Dataset(ranged(this.#source, 0, n));
  }

  /** Returns the documents after the first `n`. */
  skip(n: number): Dataset<T> {
    checkCount(n, "dataset.skip");
    return new Dataset(ranged(this.#source, n, Infinity));
  }

  /**
   * Returns the documents in an order that the seed fixes.
   *
   * A file is indexed by byte offsets once (24 bytes a document); its texts stay on the disk.
   */
  shuffle(seed: number): Dataset<T> {
    checkSeed(seed, "dataset.shuffle");
    return new Dataset(shuffled(this.#source, seed));
  }

  /**
   * Splits by document into disjoint parts that together are everything: `split({ train: 0.9, test: 0.1 })`.
   *
   * A document's part depends on its place and the seed alone, so appending to the data moves no earlier document. (Split
   * before you shuffle.) Fractions are met to within a few documents. Reading a part that got no document is an
   * InputError.
   */
  split<const P extends SplitFractions>(
    parts: P,
    options: SplitOptions<T> = {},
  ): { readonly [K in keyof P]: Dataset<T> } {
    const { seed = 0, by } = options;
    checkSeed(seed, "dataset.split");
    const ranges = partRanges(parts);
    const split = [...ranges].map(([name, { from, to }]) => {
      const make = (): ((entry: Entry<T>, ordinal: number) => boolean) => {
        const ordinalOf = by === undefined ? undefined : keyOrdinals(by);
        return (entry, ordinal) => {
          const u = stratifiedFraction(ordinalOf?.(entry.value) ?? ordinal, seed);
          return u >= from && u < to;
        };
      };
      const description = `part "${name}" of ${JSON.stringify(parts)} by seed ${seed}${by === undefined ? "" : " and key"}`;
      const nothing = (count: number): InputError => emptyPart(name, count, by !== undefined);
      return [name, new Dataset(chosen(this.#source, { description, nothing, make }))] as const;
    });
    return Object.fromEntries(split) as { readonly [K in keyof P]: Dataset<T> };
  }

  /**
   * Returns batches of full rows: documents one after another, cut at `contextLength`.
   *
   * @param tokenizer - A model or its tokenizer; may be absent for documents that are token ids.
   */
  pack(tokenizer: TokenizerSource | undefined, options: PackOptions = {}): Batches<T> {
    return packBatches(this.#source, tokenizer, options);
  }

  /**
   * Returns batches with one document per row, padded to the longest row of the batch.
   *
   * @param tokenizer - A model or its tokenizer; may be absent for documents that are token ids.
   */
  pad(tokenizer: TokenizerSource | undefined, options: PadOptions = {}): Batches<T> {
    return padBatches(this.#source, tokenizer, options);
  }

  /** Returns one line of description. */
  toString(): string {
    return `Dataset: ${this.description}`;
  }
}

/** Numbers keys by first appearance, so that appended documents change no earlier number. */
function keyOrdinals<T>(by: (value: T) => string): (value: T) => number {
  const ordinals = new Map<string, number>();
  return (value) => {
    const key = by(value);
    const known = ordinals.get(key);
    if (known !== undefined) return known;
    ordinals.set(key, ordinals.size);
    return ordinals.size - 1;
  };
}

function emptyPart(name: string, count: number, hasKeys: boolean): InputError {
  return new InputError({
    where: `dataset.split: part "${name}"`,
    got: `none of ${count} documents${hasKeys ? " (documents with equal keys stay together)" : ""}`,
    expected: "at least one document",
    fix: 'Use more documents or a larger fraction; a text file is one document unless { by: "paragraph" } cuts it.',
  });
}

function checkSeed(seed: number, where: string): void {
  if (Number.isSafeInteger(seed)) return;
  throw new InputError({
    where: `${where}: seed`,
    got: String(seed),
    expected: "a safe integer",
    fix: "Pass a number such as 0.",
  });
}

function checkCount(n: number, where: string): void {
  if (Number.isSafeInteger(n) && n >= 0) return;
  throw new InputError({
    where,
    got: String(n),
    expected: "a whole number of documents, zero or more",
    fix: "Pass a number such as 100.",
  });
}
