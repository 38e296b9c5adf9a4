/** Orders and rank correlation. */
import { pearson, ranks } from "../../stats/index.js";

/** Places of numbers from the smallest to the largest; equal ones keep their order. */
export function orderOf(values: ArrayLike<number>): readonly number[] {
  return Array.from(values, (value, place) => ({ value, place }))
    .sort((a, b) => a.value - b.value || a.place - b.place)
    .map(({ place }) => place);
}

/** Ranks from 1; equal numbers share the mean of theirs. */
export function ranksOf(values: ArrayLike<number>): Float64Array {
  return ranks(values).map((rank) => rank + 1);
}

/** Spearman's rank correlation; NaN where one side does not vary. */
export function spearman(x: ArrayLike<number>, y: ArrayLike<number>): number {
  return pearson(ranks(x), ranks(y));
}
