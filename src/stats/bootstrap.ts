/**
 * Percentile bootstrap: how far a statistic would move on another sample of the same size.
 *
 * 1. Draw as many units (items, or groups of items) as there are, with replacement; an item's count says how often.
 * 2. Compute every statistic with the counts as weights.
 * 3. The interval lies between two quantiles of the values.
 */
import { createRandom, InputError, type Random } from "../core/index.js";

/** The two ends of an interval. */
export interface Interval {
  readonly low: number;
  readonly high: number;
}

/** Options of {@link bootstrapIntervals}. */
export interface BootstrapOptions {
  /** Default 1,000. */
  readonly resamples?: number;
  /** Default 0. */
  readonly seed?: number;
  /** Share of the values inside the interval; default 0.95. */
  readonly level?: number;
  /** Items of one group are drawn together: the interval then covers other groups too. */
  readonly groups?: readonly string[];
}

function refused(what: string, got: unknown, expected: string): InputError {
  return new InputError({ where: `bootstrap: ${what}`, got: String(got), expected, fix: "Correct the option." });
}

function check({ resamples = 1000, level = 0.95, groups }: BootstrapOptions, size: number): void {
  if (!Number.isSafeInteger(size) || size < 1) throw refused("size", size, "at least one item");
  if (!Number.isSafeInteger(resamples) || resamples < 1) throw refused("resamples", resamples, "a whole number from 1");
  if (!(level > 0 && level < 1)) throw refused("level", level, "a share between 0 and 1");
  if (groups !== undefined && groups.length !== size)
    throw refused("groups", `${groups.length} names`, `one for each of ${size} items`);
}

/** The unit of each item, and how many units there are. */
function unitsOf(size: number, groups: readonly string[] | undefined): { unit: Int32Array; count: number } {
  if (groups === undefined) return { unit: Int32Array.from({ length: size }, (_, i) => i), count: size };
  const known = new Map<string, number>();
  const unit = Int32Array.from(groups, (name) => {
    const index = known.get(name) ?? known.size;
    known.set(name, index);
    return index;
  });
  return { unit, count: known.size };
}

function drawCounts(random: Random, count: number, drawn: Float64Array): void {
  drawn.fill(0);
  for (let i = 0; i < count; i++) {
    const at = Math.floor(random.uniform() * count);
    drawn[at] = (drawn[at] ?? 0) + 1;
  }
}

/** The quantile of sorted values, linear between neighbours. */
function quantile(sorted: Float64Array, share: number): number {
  const place = share * (sorted.length - 1);
  const [below, above] = [sorted[Math.floor(place)] ?? Number.NaN, sorted[Math.ceil(place)] ?? Number.NaN];
  return below + (above - below) * (place - Math.floor(place));
}

function intervalOf(values: Float64Array, level: number): Interval {
  const sorted = values.filter((x) => !Number.isNaN(x)).sort();
  return { low: quantile(sorted, (1 - level) / 2), high: quantile(sorted, (1 + level) / 2) };
}

/**
 * Returns a percentile interval for each statistic of the same items.
 *
 * @param size - Number of items.
 * @param statistics - Computes all statistics from the items' weights (how often each was drawn); NaN leaves a resample
 *   out of that statistic's interval.
 * @throws InputError for options out of range.
 * @see Efron 1979, "Bootstrap Methods: Another Look at the Jackknife"
 */
export function bootstrapIntervals(
  size: number,
  statistics: (weights: Float64Array) => readonly number[],
  options: BootstrapOptions = {},
): readonly Interval[] {
  check(options, size);
  const { resamples = 1000, level = 0.95, seed = 0, groups } = options;
  const { unit, count } = unitsOf(size, groups);
  const random = createRandom(seed);
  const drawn = new Float64Array(count);
  const weights = new Float64Array(size);
  const values: Float64Array[] = [];
  for (let r = 0; r < resamples; r++) {
    drawCounts(random, count, drawn);
    for (let i = 0; i < size; i++) weights[i] = drawn[unit[i] ?? 0] ?? 0;
    for (const [s, value] of statistics(weights).entries()) {
      values[s] ??= new Float64Array(resamples).fill(Number.NaN);
      values[s][r] = value;
    }
  }
  return values.map((one) => intervalOf(one, level));
}
