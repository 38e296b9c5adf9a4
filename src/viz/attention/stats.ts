/** What attention patterns say in numbers: each head's strongest pair, entropy, and how far weights reach. */
import { InputError } from "../../core/index.js";
import type { Extent } from "../numbers.js";
import type { HeadBlock, ReadPattern } from "./read.js";
import { type Triangle, visibleKeys } from "./shape.js";

/** One weight and where it stands. */
export interface Pair {
  readonly query: number;
  readonly key: number;
  readonly weight: number;
}

/** Returns whether no query looks at a later key: all weights above the diagonal are 0 (or NaN, in masked rows). */
export function isCausalPattern({ blocks, queries, keys }: ReadPattern): boolean {
  const shape = { queries, keys, isCausal: true };
  if (queries > keys) return false;
  return blocks.every((block) => {
    for (let query = 0; query < queries; query++) {
      for (let key = visibleKeys(shape, query); key < keys; key++) {
        const weight = block.at(query, key);
        if (weight !== 0 && !Number.isNaN(weight)) return false;
      }
    }
    return true;
  });
}

/** Returns the smallest and largest weight; infinite ones are refused, because they are scores. */
export function extentOf(blocks: readonly HeadBlock[], shape: Triangle): Extent {
  let [min, max] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
  for (const block of blocks) {
    eachWeight(block, shape, (weight, query, key) => {
      if (weight === Number.POSITIVE_INFINITY || weight === Number.NEGATIVE_INFINITY)
        throw infinite(weight, query, key);
      if (weight < min) min = weight;
      if (weight > max) max = weight;
    });
  }
  return min <= max ? { min, max } : { min: 0, max: 0 };
}

function infinite(weight: number, query: number, key: number): InputError {
  return new InputError({
    where: "viz.attention: pattern",
    got: `${weight} at query ${query}, key ${key}`,
    expected: "finite weights",
    fix: "Give the pattern, after the softmax, not the scores before it.",
  });
}

/** Calls `visit` with every weight of a head, query by query. */
export function eachWeight(
  block: HeadBlock,
  shape: Triangle,
  visit: (weight: number, query: number, key: number) => void,
): void {
  for (let query = 0; query < shape.queries; query++) {
    const count = visibleKeys(shape, query);
    for (let key = 0; key < count; key++) visit(block.at(query, key), query, key);
  }
}

/**
 * Returns the largest weight of a head beyond the first key, on which many heads rest when they have nothing to do.
 *
 * Falls back to the first key when the others get nothing; `undefined` when no weight is a number.
 *
 * @see Xiao et al. 2023, "Efficient Streaming Language Models with Attention Sinks"
 */
export function strongestPair(block: HeadBlock, shape: Triangle): Pair | undefined {
  let [first, other]: [Pair?, Pair?] = [];
  eachWeight(block, shape, (weight, query, key) => {
    const size = Math.abs(weight);
    if (key === 0 && size > Math.abs(first?.weight ?? 0)) first = { query, key, weight };
    else if (key > 0 && size > Math.abs(other?.weight ?? 0)) other = { query, key, weight };
    else if (size === 0) first ??= { query, key, weight };
  });
  return other ?? first;
}

/**
 * Returns the mean entropy of a head's queries in bits, H = −Σ p log₂ p, over queries that have a choice of keys.
 *
 * `undefined` when rows are not probabilities.
 */
export function meanEntropy(block: HeadBlock, shape: Triangle): number | undefined {
  let [sum, count] = [0, 0];
  for (let query = 0; query < shape.queries; query++) {
    const keys = visibleKeys(shape, query);
    let [total, bits] = [0, 0];
    for (let key = 0; key < keys; key++) {
      const weight = block.at(query, key);
      if (weight < 0) return undefined;
      total += weight;
      if (weight > 0) bits -= weight * Math.log2(weight);
    }
    // A row of zeros is a position without attention, such as padding.
    if (keys < 2 || total === 0) continue;
    if (!(Math.abs(total - 1) < 0.02)) return undefined;
    [sum, count] = [sum + bits, count + 1];
  }
  return count === 0 ? undefined : sum / count;
}
