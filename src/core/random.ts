/**
 * Seeded random numbers: xoroshiro128+ (pure-rand) behind a small interface whose state can be saved and restored.
 *
 * 1. The seed is expanded to 128 bits of state by splitmix32, so that neighbouring seeds give unrelated streams.
 * 2. `uniform` joins two 32-bit outputs into 53 bits; `int` rejects the biased tail; `normal` is Box–Muller.
 */
import { uniformFloat64 } from "pure-rand/distribution/uniformFloat64";
import { uniformInt } from "pure-rand/distribution/uniformInt";
import { xoroshiro128plusFromState } from "pure-rand/generator/xoroshiro128plus";
import { InputError } from "./errors.js";

/** Everything needed to continue a random stream where it stopped; plain JSON. */
export interface RandomState {
  /** The generator's four 32-bit words. */
  readonly words: readonly number[];
  /** The second half of the last Box–Muller pair, not handed out yet. */
  readonly spareNormal?: number;
}

/** A seeded stream of random numbers. Equal seeds give equal streams on every platform. */
export interface Random {
  /** Returns a number in [0, 1) with 53 random bits. */
  uniform(): number;
  /** Returns an integer in `[lo, hiExclusive)`, each equally likely. */
  int(lo: number, hiExclusive: number): number;
  /** Returns a sample of the standard normal distribution. */
  normal(): number;
  /** Returns a new array with the same items in random order (Fisher–Yates). */
  shuffle<T>(items: ArrayLike<T>): T[];
  /** Returns an index of `weights`, drawn in proportion to them; weights need not sum to 1. */
  choice(weights: ArrayLike<number>): number;
  /** Returns an independent generator; drawing from it does not advance this one any further. */
  fork(): Random;
  /** Returns the state, from which `createRandom({ state })` continues exactly. */
  state(): RandomState;
}

/** Returns a generator for a seed (any safe integer), or one that continues from a saved state. */
export function createRandom(seed: number | { readonly state: RandomState }): Random {
  if (typeof seed === "object") return new XoroshiroRandom(checkState(seed.state));
  if (!Number.isSafeInteger(seed)) {
    throw new InputError({
      where: "createRandom: seed",
      got: String(seed),
      expected: "a safe integer",
      fix: "Pass a whole number such as 0, so that the run can be repeated.",
    });
  }
  return new XoroshiroRandom({ words: expandSeed(seed) });
}

class XoroshiroRandom implements Random {
  readonly #generator: ReturnType<typeof xoroshiro128plusFromState>;
  #spareNormal: number | undefined;

  constructor(state: RandomState) {
    this.#generator = xoroshiro128plusFromState(state.words);
    this.#spareNormal = state.spareNormal;
  }

  uniform(): number {
    return uniformFloat64(this.#generator);
  }

  int(lo: number, hiExclusive: number): number {
    if (!Number.isSafeInteger(lo) || !Number.isSafeInteger(hiExclusive) || hiExclusive <= lo) {
      throw new InputError({
        where: "random.int",
        got: `the range [${lo}, ${hiExclusive})`,
        expected: "two safe integers with lo < hiExclusive",
        fix: "Check that the collection you draw from is not empty.",
      });
    }
    return uniformInt(this.#generator, lo, hiExclusive - 1);
  }

  normal(): number {
    const spare = this.#spareNormal;
    this.#spareNormal = undefined;
    if (spare !== undefined) return spare;
    const radius = Math.sqrt(-2 * Math.log(1 - this.uniform()));
    const angle = 2 * Math.PI * this.uniform();
    this.#spareNormal = radius * Math.sin(angle);
    return radius * Math.cos(angle);
  }

  shuffle<T>(items: ArrayLike<T>): T[] {
    const shuffled = Array.from(items);
    for (let last = shuffled.length - 1; last > 0; last--) {
      const other = uniformInt(this.#generator, 0, last);
      const [a, b] = [shuffled[last] as T, shuffled[other] as T];
      shuffled[last] = b;
      shuffled[other] = a;
    }
    return shuffled;
  }

  choice(weights: ArrayLike<number>): number {
    let rest = this.uniform() * checkedTotal(weights);
    let lastPositive = 0;
    for (let i = 0; i < weights.length; i++) {
      const weight = weights[i] ?? 0;
      if (weight <= 0) continue;
      if (rest < weight) return i;
      rest -= weight;
      lastPositive = i;
    }
    return lastPositive;
  }

  fork(): Random {
    return new XoroshiroRandom({ words: expandSeed(uniformInt(this.#generator, 0, Number.MAX_SAFE_INTEGER)) });
  }

  state(): RandomState {
    const words = this.#generator.getState();
    return this.#spareNormal === undefined ? { words } : { words, spareNormal: this.#spareNormal };
  }
}

function checkedTotal(weights: ArrayLike<number>): number {
  let total = 0;
  for (let i = 0; i < weights.length; i++) {
    const weight = weights[i] ?? 0;
    total += weight >= 0 ? weight : Number.NaN;
  }
  if (total > 0 && total < Infinity) return total;
  throw new InputError({
    where: "random.choice: weights",
    got: `${weights.length} weights that sum to ${total}`,
    expected: "non-negative finite weights with a positive sum",
    fix: "Check the weights for NaN, negative numbers or all zeros.",
  });
}

function checkState(state: RandomState): RandomState {
  const { words, spareNormal } = state;
  const isWords = Array.isArray(words) && words.length === 4 && words.every((word) => Number.isInteger(word));
  if (isWords && words.some((word) => word !== 0) && (spareNormal === undefined || Number.isFinite(spareNormal))) {
    return state;
  }
  throw new InputError({
    where: "createRandom: state",
    got: JSON.stringify(state) ?? "undefined",
    expected: "the value of an earlier `random.state()`",
    fix: "Pass the saved state unchanged, or a seed.",
  });
}

/** Expands a safe integer to four words by splitmix32 on its low and high halves. */
function expandSeed(seed: number): number[] {
  const low = seed | 0;
  const high = Math.floor(seed / 0x1_0000_0000) | 0;
  let counter = mix32(low) ^ Math.imul(high, 0x85eb_ca6b);
  const words: number[] = [];
  for (let i = 0; i < 4; i++) {
    counter = (counter + 0x9e37_79b9) | 0;
    words.push(mix32(counter) | (i === 3 ? 1 : 0));
  }
  return words;
}

function mix32(word: number): number {
  let z = word | 0;
  z = Math.imul(z ^ (z >>> 16), 0x85eb_ca6b);
  z = Math.imul(z ^ (z >>> 13), 0xc2b2_ae35);
  return z ^ (z >>> 16);
}
