/**
 * Draws pairs from a space without repeating one.
 *
 * 1. Strata take turns, so that each variant has its share; a stratum that runs dry leaves the round.
 * 2. A small stratum is walked through in random order, whole; of a large one random numbers are drawn.
 * 3. A draft that the filter, or the tokenizer, refuses is counted with its reason, and the next is drawn.
 */
import { createRandom, type Random } from "../../core/index.js";
import type { TaskReader } from "./align.js";
import { type Draft, type Space, textOf } from "./draft.js";
import type { SkippedPair, TaskLabels, TaskPair } from "./types.js";

/** How to draw. */
export interface SampleOptions {
  readonly n: number;
  readonly seed: number;
  readonly filter?: ((labels: TaskLabels) => boolean) | undefined;
}

/** What was drawn. */
export interface Sample {
  /** In random order; fewer than `n` when there are no more. */
  readonly pairs: readonly TaskPair<string>[];
  readonly skipped: readonly SkippedPair[];
  readonly filtered: number;
}

/** Up to this size a stratum is walked through whole. */
const small = 1 << 16;
/** A large stratum is given up after this much work in a row without a new pair. */
const patience = 20_000;
/** Work of encoding a pair in vain; one that the filter refuses, or that was seen before, is 1. */
const encoding = 4;

/** Returns up to `n` different pairs. */
export function samplePairs(space: Space, reader: TaskReader, options: SampleOptions): Sample {
  const random = createRandom(options.seed);
  const sieve = new Sieve(reader, options.filter);
  let turns = Array.from({ length: space.strata }, (_, stratum) => drafts(space, stratum, random));
  const pairs: TaskPair<string>[] = [];
  while (pairs.length < options.n && turns.length > 0) {
    const live: typeof turns = [];
    for (const turn of turns) {
      if (pairs.length === options.n) break;
      const pair = sieve.next(turn);
      if (pair === undefined) continue;
      pairs.push(pair);
      live.push(turn);
    }
    turns = live;
  }
  return { pairs: random.shuffle(pairs), skipped: sieve.skipped, filtered: sieve.filtered };
}

/** Yields the drafts of a stratum in random order. */
function* drafts(space: Space, stratum: number, random: Random): Generator<Draft, undefined> {
  if (space.size <= small) {
    for (const index of random.shuffle(Array.from({ length: space.size }, (_, i) => i)))
      yield space.draw(stratum, index);
    return;
  }
  for (;;) yield space.draw(stratum, random.int(0, space.size));
}

class Sieve {
  readonly skipped: SkippedPair[] = [];
  filtered = 0;
  readonly #reader: TaskReader;
  readonly #filter: SampleOptions["filter"];
  readonly #seen: Set<string> = new Set();

  constructor(reader: TaskReader, filter: SampleOptions["filter"]) {
    this.#reader = reader;
    this.#filter = filter;
  }

  /** Returns the next usable pair of a stratum, or `undefined` when it runs dry. */
  next(turn: Iterator<Draft, undefined>): TaskPair<string> | undefined {
    for (let work = 0; work < patience; ) {
      const { value: draft } = turn.next();
      if (draft === undefined) return undefined;
      const before = this.skipped.length;
      const pair = this.#use(draft);
      if (pair !== undefined) return pair;
      work += this.skipped.length > before ? encoding : 1;
    }
    return undefined;
  }

  #use(draft: Draft): TaskPair<string> | undefined {
    const [clean, corrupted] = [textOf(draft.clean), textOf(draft.corrupted)];
    const key = `${clean}\0${corrupted}`;
    if (this.#seen.has(key)) return undefined;
    this.#seen.add(key);
    if (this.#filter?.(draft.labels) === false) {
      this.filtered++;
      return undefined;
    }
    const aligned = this.#reader.align(draft);
    if ("pair" in aligned) return aligned.pair;
    this.skipped.push({ clean, corrupted, reason: aligned.reason });
    return undefined;
  }
}
