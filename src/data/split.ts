/**
 * Which part of a split each document falls into.
 *
 * 1. Document i gets the number u_i in [0, 1) of a van der Corput sequence (the bits of i in reverse order) under nested
 *    uniform (Owen) scrambling by the seed: each u_i alone is uniform, and any 2^k neighbours from a multiple of 2^k fall
 *    one each into the 2^k equal intervals. So every prefix has the wanted fractions to within a few documents.
 * 2. u_i depends on i and the seed alone, so documents appended later do not move earlier ones.
 *
 * Owen 1995, "Randomly Permuted (t,m,s)-Nets and (t,s)-Sequences"; the hash is that of Laine and Karras 2011.
 */
import { InputError } from "../core/index.js";

/** Fractions by part name; they sum to 1. */
export type SplitFractions = Readonly<Record<string, number>>;

/** Returns a number in [0, 1) for a document's number and a seed. */
export function scrambledFraction(index: number, seed: number): number {
  const key = mix((seed | 0) ^ mix(Math.floor(seed / 2 ** 32) | 0));
  // Reversing the bits of `index` and reversing again inside the scrambling cancel out.
  return (reverseBits(laineKarras(index >>> 0, key)) >>> 0) / 2 ** 32;
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

/** Each output bit depends on the input bits below it only, which is Owen's scrambling read from the lowest bit up. */
function laineKarras(bits: number, key: number): number {
  let x = (bits + key) | 0;
  x ^= Math.imul(x, 0x6c50_b47c);
  x ^= Math.imul(x, 0xb82f_1e52);
  x ^= Math.imul(x, 0xc7af_e638);
  x ^= Math.imul(x, 0x8d22_f6e6);
  return x;
}

function reverseBits(word: number): number {
  let x = word;
  x = ((x >>> 1) & 0x5555_5555) | ((x & 0x5555_5555) << 1);
  x = ((x >>> 2) & 0x3333_3333) | ((x & 0x3333_3333) << 2);
  x = ((x >>> 4) & 0x0f0f_0f0f) | ((x & 0x0f0f_0f0f) << 4);
  x = ((x >>> 8) & 0x00ff_00ff) | ((x & 0x00ff_00ff) << 8);
  return (x >>> 16) | (x << 16);
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
