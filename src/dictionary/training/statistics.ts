/** What is measured on the first block before training: scales, centres, variances. */
import type { SourceHook, Vectors } from "./source.js";

/** Numbers of one hook point. */
export interface HookStatistics {
  /** What vectors are multiplied by: `sqrt(width) / mean ‖x‖`, or 1. */
  readonly scale: number;
  /** Mean or geometric median of the scaled vectors, `[width]`. */
  readonly centre: Float32Array;
  /** Mean squared distance of the scaled vectors from their mean, summed over their numbers. */
  readonly variance: number;
}

/** How hook points are measured. */
export interface StatisticsOptions {
  /** Whether vectors are scaled. */
  readonly isScaled: boolean;
  readonly centre: "mean" | "median";
}

function meanOf(data: Float32Array, width: number): Float64Array {
  const mean = new Float64Array(width);
  const count = data.length / width;
  for (let i = 0; i < data.length; i++) mean[i % width] = (mean[i % width] ?? 0) + (data[i] ?? 0) / count;
  return mean;
}

function distance(data: Float32Array, row: number, centre: ArrayLike<number>): number {
  let sum = 0;
  for (let i = 0; i < centre.length; i++) sum += ((data[row * centre.length + i] ?? 0) - (centre[i] ?? 0)) ** 2;
  return Math.sqrt(sum);
}

function meanNorm(data: Float32Array, width: number): number {
  const zeros = new Float64Array(width);
  const count = data.length / width;
  let sum = 0;
  for (let row = 0; row < count; row++) sum += distance(data, row, zeros);
  return sum / count;
}

/** Vectors that a median looks at: more change it by little. */
const medianRows = 8192;
const medianSteps = 100;

/**
 * Returns the point with the least sum of distances to vectors, `[width]`.
 *
 * Weiszfeld's algorithm from the mean on: `m ← Σ x / ‖x − m‖ / Σ 1 / ‖x − m‖`, at most 100 steps, over the first 8,192.
 */
export function geometricMedian(data: Float32Array, width: number): Float64Array {
  const rows = Math.min(medianRows, data.length / width);
  const own = data.subarray(0, rows * width);
  let median = meanOf(own, width);
  for (let step = 0; step < medianSteps; step++) {
    const next = new Float64Array(width);
    let weights = 0;
    for (let row = 0; row < rows; row++) {
      const weight = 1 / Math.max(distance(own, row, median), 1e-12);
      weights += weight;
      for (let i = 0; i < width; i++) next[i] = (next[i] ?? 0) + weight * (own[row * width + i] ?? 0);
    }
    const before = median;
    median = next.map((sum) => sum / weights);
    const moved = Math.hypot(...median.map((value, i) => value - (before[i] ?? 0)));
    if (moved <= 1e-7 * Math.hypot(...median)) break;
  }
  return median;
}

function varianceOf(data: Float32Array, mean: Float64Array): number {
  const count = data.length / mean.length;
  let sum = 0;
  for (let row = 0; row < count; row++) sum += distance(data, row, mean) ** 2;
  return sum / count;
}

/** Returns the numbers of one hook point. */
function measure(data: Float32Array, width: number, options: StatisticsOptions): HookStatistics {
  const norm = meanNorm(data, width);
  const scale = options.isScaled && norm > 0 ? Math.fround(Math.sqrt(width) / norm) : 1;
  const mean = meanOf(data, width);
  const centre = options.centre === "mean" ? mean : geometricMedian(data, width);
  const variance = scale * scale * varianceOf(data, mean);
  return {
    scale,
    centre: Float32Array.from(centre, (value) => value * scale),
    // Constant activations have nothing to explain; the loss is then their squared error.
    variance: variance > 0 ? variance : 1,
  };
}

/** Measures a block of activations. */
export function measureBlock(
  vectors: Vectors,
  hooks: readonly SourceHook[],
  options: StatisticsOptions,
): ReadonlyMap<string, HookStatistics> {
  return new Map(
    hooks.map(({ name, width }) => [name, measure(vectors.get(name) ?? new Float32Array(0), width, options)] as const),
  );
}
