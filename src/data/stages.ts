/** What turns one source into another: map, filter, take, skip, shuffle, choose. */
import { createRandom, InputError, type LongCallOptions } from "../core/index.js";
import { type Entry, type Located, NumberList, type Source } from "./source.js";

/** A value that may have to be waited for. */
export type Awaitable<T> = T | Promise<T>;

/** Where a document stands; given to the functions of `map` and `filter`. */
export interface DocumentPlace {
  /** Place in the source, from 0. */
  readonly index: number;
  /** Such as `my.jsonl: line 7`. */
  readonly place: string;
}

/** Returns the source with another value in place of each. */
export function mapped<T, U>(source: Source<T>, fn: (value: T, place: DocumentPlace) => Awaitable<U>): Source<U> {
  const apply = async ({ index, place, value }: Entry<T>): Promise<Entry<U>> => ({
    index,
    place,
    value: await fn(value, { index, place }),
  });
  return {
    description: `${source.description}, mapped`,
    async *stream(options) {
      for await (const entry of source.stream(options)) yield await apply(entry);
    },
    async locate(options) {
      const located = await source.locate(options);
      return { ...located, read: async (at) => apply(await located.read(at)) };
    },
  };
}

/** Keeps documents by a rule that may remember what it saw; a fresh rule is made for every pass. */
export interface Rule<T> {
  readonly description: string;
  /** The error for a pass that kept none of `count` documents. */
  readonly nothing: (count: number) => Error;
  make(): (entry: Entry<T>, ordinal: number) => Awaitable<boolean>;
}

/** Returns the documents of a source that a rule keeps. */
export function chosen<T>(source: Source<T>, rule: Rule<T>): Source<T> {
  return {
    description: `${source.description}, ${rule.description}`,
    async *stream(options) {
      for await (const { entry } of keep(source, rule, options)) yield entry;
    },
    async locate(options) {
      const kept = new NumberList();
      for await (const { ordinal } of keep(source, rule, options)) kept.push(ordinal);
      return reordered(await source.locate(options), kept.length, (at) => kept.at(at));
    },
  };
}

async function* keep<T>(
  source: Source<T>,
  rule: Rule<T>,
  options: LongCallOptions,
): AsyncGenerator<{ readonly entry: Entry<T>; readonly ordinal: number }> {
  const isKept = rule.make();
  let ordinal = 0;
  let count = 0;
  for await (const entry of source.stream(options)) {
    if (await isKept(entry, ordinal)) {
      count++;
      yield { entry, ordinal };
    }
    ordinal++;
  }
  if (count === 0) throw rule.nothing(ordinal);
}

/** Returns documents `from` to `to - 1` of a source. */
export function ranged<T>(source: Source<T>, from: number, to: number): Source<T> {
  return {
    description: `${source.description}, documents ${from} to ${to === Infinity ? "the end" : to - 1}`,
    async *stream(options) {
      let ordinal = 0;
      if (to <= from) return;
      for await (const entry of source.stream(options)) {
        if (ordinal >= from) yield entry;
        ordinal++;
        if (ordinal >= to) return;
      }
    },
    async locate(options) {
      const located = await source.locate(options);
      return reordered(located, Math.max(0, Math.min(located.length, to) - from), (at) => from + at);
    },
  };
}

/** Returns the documents of a source in an order that the seed fixes. */
export function shuffled<T>(source: Source<T>, seed: number): Source<T> {
  const locate = async (options: LongCallOptions): Promise<Located<T>> => {
    const located = await source.locate(options);
    const order = randomOrder(located.length, seed);
    return reordered(located, order.length, (at) => order[at] ?? 0);
  };
  return {
    description: `${source.description}, shuffled by seed ${seed}`,
    async *stream(options) {
      const located = await locate(options);
      try {
        for (let at = 0; at < located.length; at++) yield await located.read(at);
      } finally {
        await located.close();
      }
    },
    locate,
  };
}

function reordered<T>(located: Located<T>, length: number, placeOf: (at: number) => number): Located<T> {
  return { length, read: (at) => located.read(placeOf(at)), close: () => located.close() };
}

/** Fisher–Yates in a typed array. */
function randomOrder(length: number, seed: number): Uint32Array {
  const random = createRandom(seed);
  const order = Uint32Array.from({ length }, (_, i) => i);
  for (let last = length - 1; last > 0; last--) {
    const other = random.int(0, last + 1);
    const [a, b] = [order[last] ?? 0, order[other] ?? 0];
    order[last] = b;
    order[other] = a;
  }
  return order;
}

/** The error of a filter that kept nothing. */
export function filteredAll(description: string): (count: number) => InputError {
  return (count) =>
    new InputError({
      where: `dataset.filter of ${description}`,
      got: `a test that none of ${count} documents passed`,
      expected: "at least one document",
      fix: "Look at a document with await dataset.take(1).toArray() and correct the test.",
    });
}
