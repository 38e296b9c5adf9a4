/**
 * Which part of a split each document falls into.
 *
 * 1. Document i gets a number u_i in [0, 1). In every ten documents from a multiple of 10, one falls into each tenth, in
 *    an order drawn anew for every ten; in every hundred from a multiple of 100, one falls into each hundredth.
 * 2. So a prefix of any length has the wanted fractions to within a few documents, and nothing periodic in the data
 *    (pairs of clean and corrupted prompts, say) can line up with the parts.
 * 3. u_i depends on i and the seed alone, so documents appended later do not move earlier ones.
 *
 * It is stratified sampling in two levels, with independent permutations instead of Owen's digit scrambling, which would
 * put even documents in one half and odd ones in the other.
 */
import { InputError } from "../core/index.js";

/** Fractions by part name; they sum to 1. */
export type SplitFractions = Readonly<Record<string, number>>;

/** Returns a number in [0, 1) for a document's number and a seed. */
export function stratifiedFraction(index: number, seed: number): number {
  const ten = Math.floor(index / 10);
  const hundred = Math.floor(ten / 10);
  const tenth = rank(index % 10, hash(seed, 1, ten));
  const hundredth = rank(ten % 10, hash(seed, 2, hundred, tenth));
  return (tenth + (hundredth + (hash(seed, 3, index) >>> 0) / 2 ** 32) / 10) / 10;
}

/** Returns where each part starts and ends in [0, 1), after checking names and fractions. */
export function partRanges(parts: SplitFractions): ReadonlyMap<string, { readonly from: number; readonly to: number }> {
  const entries = Object.entries(parts);
  const sum = entries.reduce((total, [, fraction]) => total + fraction, 0);
  if (entries.length === 0 || entries.some(([, f]) => !(f > 0 && f <= 1)) || Math.abs(sum - 1) > 1e-9)
    throw badFractions(parts);
  let from = 0;
  return new Map(
    entries.map(([name, fraction], i) => {
      const range = { from, to: i === entries.length - 1 ? 1 : from + fraction };
      from = range.to;
      return [name, range];
    }),
  );
}

/** Where `item` of 0 to 9 stands when the ten are put in a random order. */
function rank(item: number, key: number): number {
  const own = hash(key, item);
  let before = 0;
  for (let other = 0; other < 10; other++) {
    const value = hash(key, other);
    if (value < own || (value === own && other < item)) before += 1;
  }
  return before;
}

function hash(...parts: readonly number[]): number {
  return parts.reduce((state, part) => mix(mix(state ^ (part | 0)) ^ (Math.floor(part / 2 ** 32) | 0)), 0x2545_f491);
}

function mix(word: number): number {
  let z = (word + 0x9e37_79b9) | 0;
  z = Math.imul(z ^ (z >>> 16), 0x85eb_ca6b);
  z = Math.imul(z ^ (z >>> 13), 0xc2b2_ae35);
  return z ^ (z >>> 16);
}

function badFractions(parts: SplitFractions): InputError {
  return new InputError({
    where: "dataset.split: parts",
    got: JSON.stringify(parts),
    expected: "at least one part, each with a fraction above 0, that sum to 1",
    fix: "Name every part, such as { train: 0.9, test: 0.1 }.",
  });
}
