/** Distributions of values over tokens: equal bins in a range, and quantiles in bounded memory. */
import { InputError } from "../../core/index.js";
import { Tensor } from "../../tensor/index.js";
import { vector } from "./moments.js";
import { type Accumulator, type ActivationBatch, type Reducer, type SavedState, savedNumbers } from "./reducer.js";
import type { ReducedPoint } from "./vectors.js";

/** Options of `reduce.histogram`. */
export interface HistogramOptions {
  /** Number of equal bins; default 50. */
  readonly bins?: number;
  /** Least and greatest value of the bins; what lies outside is counted as below or above. */
  readonly range: readonly [number, number];
  /** `"all"` (default): one histogram of all elements; `"element"`: one for each. */
  readonly per?: "all" | "element";
}

/** Counts of values in bins `[edge i, edge i+1)`; the last bin includes its upper edge. */
export interface Histogram {
  /** `[bin]`, or `[…axes, bin]` per element. */
  readonly counts: Tensor;
  /** `[edge]`, one more than bins. */
  readonly edges: Tensor;
  /** Values below and above the range: a scalar, or one per element. */
  readonly below: Tensor;
  readonly above: Tensor;
}

interface Bins {
  readonly bins: number;
  readonly low: number;
  readonly high: number;
  readonly perElement: boolean;
}

/** Returns the reducer that counts values in equal bins. */
export function histogramReducer(options: HistogramOptions): Reducer<Histogram, "histogram"> {
  const { bins = 50, range, per = "all" } = options;
  const [low, high] = range;
  if (!(Number.isSafeInteger(bins) && bins >= 1 && Number.isFinite(low) && Number.isFinite(high) && low < high))
    throw badBins(options);
  const plan = { bins, low, high, perElement: per === "element" };
  return {
    name: "histogram",
    description: `histogram ${bins} bins from ${low} to ${high} per ${per}`,
    isResumable: true,
    bytes: ({ dim }) => 8 * (bins + 2) * (plan.perElement ? dim : 1),
    start: (point) => new HistogramAccumulator(point, plan),
  };
}

/** Counts `[group, below | bins… | above]`. */
class HistogramAccumulator implements Accumulator<Histogram> {
  readonly #point: ReducedPoint;
  readonly #plan: Bins;
  #counts: Float64Array;

  constructor(point: ReducedPoint, plan: Bins) {
    this.#point = point;
    this.#plan = plan;
    this.#counts = new Float64Array((plan.bins + 2) * (plan.perElement ? point.dim : 1));
  }

  update({ vectors: { data, starts, count, dim } }: ActivationBatch): void {
    const { perElement } = this.#plan;
    for (let t = 0; t < count; t++) {
      const start = starts[t] as number;
      for (let i = 0; i < dim; i++) this.#add(perElement ? i : 0, data[start + i] as number);
    }
  }

  finish(): Histogram {
    const { bins, low, high, perElement } = this.#plan;
    const [shape, axes] = perElement ? [this.#point.shape, this.#point.axes] : [[], []];
    const groups = this.#counts.length / (bins + 2);
    const pick = (from: number, count: number): Float64Array =>
      Float64Array.from(
        { length: groups * count },
        (_, i) => this.#counts[Math.floor(i / count) * (bins + 2) + from + (i % count)] ?? 0,
      );
    return {
      counts: Tensor.of(pick(1, bins), [...shape, bins], [...axes, "bin"]),
      edges: Tensor.of(
        Float64Array.from({ length: bins + 1 }, (_, i) => (i === bins ? high : low + ((high - low) * i) / bins)),
        [bins + 1],
        ["edge"],
      ),
      below: Tensor.of(pick(0, 1), shape, axes),
      above: Tensor.of(pick(bins + 1, 1), shape, axes),
    };
  }

  save(): SavedState {
    return { counts: vector(this.#counts) };
  }

  load(saved: SavedState): void {
    this.#counts = savedNumbers(saved, "counts");
  }

  #add(group: number, value: number): void {
    const { bins, low, high } = this.#plan;
    const inside = value === high ? bins : 1 + Math.floor(((value - low) / (high - low)) * bins);
    const slot = value < low ? 0 : value > high ? bins + 1 : Math.min(bins, inside);
    const at = group * (bins + 2) + slot;
    this.#counts[at] = (this.#counts[at] as number) + 1;
  }
}

function badBins(options: HistogramOptions): InputError {
  return new InputError({
    where: "reduce.histogram",
    got: JSON.stringify(options),
    expected: "at least one bin and a range [low, high] with low < high",
    fix: "Write reduce.histogram({ range: [-10, 10], bins: 50 }); when the range is unknown, use reduce.quantiles.",
  });
}

/** Options of `reduce.quantiles`. */
export interface QuantileOptions {
  /** Greatest relative error of a quantile; default 0.01. */
  readonly relativeError?: number;
}

/** Absolute values below this count as zero: the least normal float32. */
const least = 2 ** -126;

/**
 * Returns the reducer of quantiles of all elements: a tensor `[quantile]`.
 *
 * Values fall into buckets whose edges grow by γ = (1 + ε)/(1 − ε), separately for both signs, so every quantile is right
 * to a relative error ε, whatever the order of the data. The least and greatest value are exact.
 *
 * @see Masson, Rim and Lee 2019, "DDSketch"
 */
export function quantilesReducer(
  quantiles: readonly number[],
  { relativeError = 0.01 }: QuantileOptions = {},
): Reducer<Tensor, "quantiles"> {
  const isGood =
    quantiles.length > 0 && quantiles.every((q) => q >= 0 && q <= 1) && relativeError > 0 && relativeError < 1;
  if (!isGood) throw badQuantiles(quantiles, relativeError);
  const plan = { quantiles: [...quantiles], gamma: (1 + relativeError) / (1 - relativeError) };
  return {
    name: "quantiles",
    description: `quantiles ${quantiles.join(" ")} error ${relativeError}`,
    isResumable: true,
    bytes: () => 16 * (bucketOf(2 ** 128, plan.gamma) + 1),
    start: () => new QuantileAccumulator(plan),
  };
}

interface QuantilePlan {
  readonly quantiles: readonly number[];
  readonly gamma: number;
}

class QuantileAccumulator implements Accumulator<Tensor> {
  readonly #plan: QuantilePlan;
  /** Zeros, least, greatest. */
  #edges: Float64Array = Float64Array.of(0, Infinity, -Infinity);
  #positive: Float64Array;
  #negative: Float64Array;

  constructor(plan: QuantilePlan) {
    this.#plan = plan;
    const buckets = bucketOf(2 ** 128, plan.gamma) + 1;
    this.#positive = new Float64Array(buckets);
    this.#negative = new Float64Array(buckets);
  }

  update({ vectors: { data, starts, count, dim } }: ActivationBatch): void {
    for (let t = 0; t < count; t++) {
      const start = starts[t] as number;
      for (let i = 0; i < dim; i++) this.#add(data[start + i] as number);
    }
  }

  finish(): Tensor {
    const values = Float64Array.from(this.#plan.quantiles, (q) => this.#quantile(q));
    return Tensor.of(values, [values.length], ["quantile"]);
  }

  save(): SavedState {
    return { edges: vector(this.#edges), positive: vector(this.#positive), negative: vector(this.#negative) };
  }

  load(saved: SavedState): void {
    this.#edges = savedNumbers(saved, "edges");
    this.#positive = savedNumbers(saved, "positive");
    this.#negative = savedNumbers(saved, "negative");
  }

  #add(value: number): void {
    const edges = this.#edges;
    edges[1] = Math.min(edges[1] as number, value);
    edges[2] = Math.max(edges[2] as number, value);
    const size = Math.abs(value);
    if (size < least) {
      edges[0] = (edges[0] as number) + 1;
      return;
    }
    const side = value > 0 ? this.#positive : this.#negative;
    const bucket = Math.min(side.length - 1, bucketOf(size, this.#plan.gamma));
    side[bucket] = (side[bucket] as number) + 1;
  }

  /** The value at rank q (n − 1), from the most negative bucket up. */
  #quantile(q: number): number {
    const [zeros = 0, min = 0, max = 0] = this.#edges;
    if (q === 0 || q === 1) return q === 0 ? min : max;
    const below = sum(this.#negative);
    const rank = q * (below + zeros + sum(this.#positive) - 1);
    if (rank < below) return Math.max(min, -this.#middle(bucketAt(this.#negative, below - rank, true)));
    if (rank < below + zeros) return 0;
    return Math.min(max, this.#middle(bucketAt(this.#positive, rank - below - zeros, false)));
  }

  /** The point of a bucket that is at most ε away from both of its edges, relatively. */
  #middle(bucket: number): number {
    const { gamma } = this.#plan;
    return (least * gamma ** bucket * 2 * gamma) / (1 + gamma);
  }
}

function bucketOf(size: number, gamma: number): number {
  return Math.floor(Math.log(size / least) / Math.log(gamma));
}

/** The first bucket in which the running count exceeds `rank`; with `isReached`, in which it reaches it. */
function bucketAt(counts: Float64Array, rank: number, isReached: boolean): number {
  let seen = 0;
  return counts.findIndex((count) => {
    seen += count;
    return isReached ? seen >= rank : seen > rank;
  });
}

function sum(counts: Float64Array): number {
  return counts.reduce((total, count) => total + count, 0);
}

function badQuantiles(quantiles: readonly number[], relativeError: number): InputError {
  return new InputError({
    where: "reduce.quantiles",
    got: `quantiles [${quantiles.join(", ")}], relativeError ${relativeError}`,
    expected: "quantiles from 0 to 1 and an error between 0 and 1",
    fix: "Write reduce.quantiles([0.01, 0.5, 0.99]).",
  });
}
