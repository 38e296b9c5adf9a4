/** Where documents come from: a stream in order, and random access for shuffling. */
import { type LongCallOptions, throwIfAborted } from "../core/index.js";

/** One document with its identity. */
export interface Entry<T> {
  /** Place in the source, from 0; it stays with the document through shuffles, filters and splits. */
  readonly index: number;
  /** Where it lies, for messages: `my.jsonl: line 7`. */
  readonly place: string;
  readonly value: T;
}

/** Random access to documents; close it after use. */
export interface Located<T> {
  readonly length: number;
  /** Returns the document at a place of this order, from 0. */
  read(at: number): Promise<Entry<T>>;
  close(): Promise<void>;
}

/** A description of documents; nothing is read before it is asked. */
export interface Source<T> {
  /** What it is, in words and in order: equal descriptions mean equal reading instructions. */
  readonly description: string;
  /** Yields every document in order, in bounded memory. */
  stream(options: LongCallOptions): AsyncIterable<Entry<T>>;
  /** Prepares random access: an index of places, not of texts. */
  locate(options: LongCallOptions): Promise<Located<T>>;
}

/** Returns a source over documents in memory. */
export function memorySource<T>(
  values: readonly T[],
  description: string,
  placeOf: (index: number) => string,
): Source<T> {
  const entry = (index: number): Entry<T> => ({ index, place: placeOf(index), value: values[index] as T });
  return {
    description,
    async *stream({ signal }) {
      for (let index = 0; index < values.length; index++) {
        throwIfAborted(signal, `read ${description}`);
        yield await Promise.resolve(entry(index));
      }
    },
    locate: () => Promise.resolve(locatedOf(values.length, (at) => Promise.resolve(entry(at)))),
  };
}

/** Returns random access that needs no closing. */
export function locatedOf<T>(length: number, read: (at: number) => Promise<Entry<T>>): Located<T> {
  return { length, read, close: () => Promise.resolve() };
}

/** A growing list of whole numbers up to 2^53 in a typed array. */
export class NumberList {
  #data: Float64Array = new Float64Array(1024);
  #length = 0;

  /** Numbers so far. */
  get length(): number {
    return this.#length;
  }

  /** Appends a number. */
  push(value: number): void {
    if (this.#length === this.#data.length) {
      const grown = new Float64Array(2 * this.#length);
      grown.set(this.#data);
      this.#data = grown;
    }
    this.#data[this.#length++] = value;
  }

  /** Returns the number at a place, which must exist. */
  at(index: number): number {
    return this.#data[index] ?? Number.NaN;
  }
}
