/**
 * Mean, variance and covariance over tokens, in float64.
 *
 * Each batch has its own mean and squared deviations; two sets merge by Chan's formula: with n = nA + nB, δ = mB − mA,
 * m = mA + δ nB/n and S = SA + SB + δδᵀ nA nB/n. No large numbers are subtracted from each other.
 *
 * Chan, Golub and LeVeque 1979, "Updating Formulae and a Pairwise Algorithm for Computing Sample Variances".
 */
import { InputError } from "../../core/index.js";
import { Tensor } from "../../tensor/index.js";
import { addProducts, fillLower, type OuterProducts } from "./products.js";
import { type Accumulator, type ActivationBatch, type Reducer, type SavedState, savedNumbers } from "./reducer.js";
import type { ReducedPoint, TokenVectors } from "./vectors.js";

/** Options of `reduce.variance` and `reduce.covariance`. */
export interface SpreadOptions {
  /** What is subtracted from the number of tokens in the divisor: 0 (default) or 1. */
  readonly ddof?: 0 | 1;
}

/** Tokens whose products are added in one go. */
const chunkTokens = 256;
/** The same where the engine multiplies, and from which width on it does. */
const engineTokens = 1024;
const engineWidth = 96;

/** Returns the reducer of the mean over tokens: a tensor of the token's own axes. */
export function meanReducer(): Reducer<Tensor, "mean"> {
  return {
    name: "mean",
    description: "mean",
    isResumable: true,
    bytes: ({ dim }) => 8 * dim,
    start: (point) => new MeanAccumulator(point),
  };
}

/** Returns the reducer of the variance over tokens, element by element. */
export function varianceReducer({ ddof = 0 }: SpreadOptions = {}): Reducer<Tensor, "variance"> {
  return {
    name: "variance",
    description: `variance ddof ${ddof}`,
    isResumable: true,
    bytes: ({ dim }) => 4 * 8 * dim,
    start: (point) => new SpreadAccumulator(point, { ddof, isJoint: false }),
  };
}

/**
 * Returns the reducer of the covariance over tokens along the last axis, separately for each index of the others.
 *
 * At `hook_z` that is `[head, dHead, dHead2]`; at a stream `[dModel, dModel2]`.
 */
export function covarianceReducer({ ddof = 0 }: SpreadOptions = {}): Reducer<Tensor, "covariance"> {
  return {
    name: "covariance",
    description: `covariance ddof ${ddof}`,
    isResumable: true,
    bytes: ({ dim, shape }) => 8 * dim * (3 + 2 * (shape.at(-1) ?? 1)),
    start: (point, products) => new SpreadAccumulator(point, { ddof, isJoint: true, products }),
  };
}

class MeanAccumulator implements Accumulator<Tensor> {
  readonly #point: ReducedPoint;
  #count = 0;
  #sum: Float64Array;

  constructor(point: ReducedPoint) {
    this.#point = point;
    this.#sum = new Float64Array(point.dim);
  }

  update({ vectors }: ActivationBatch): void {
    addSums(this.#sum, vectors, 0, vectors.count);
    this.#count += vectors.count;
  }

  finish(): Tensor {
    return Tensor.of(
      this.#sum.map((x) => x / this.#count),
      this.#point.shape,
      this.#point.axes,
    );
  }

  save(): SavedState {
    return { count: scalar(this.#count), sum: vector(this.#sum) };
  }

  load(saved: SavedState): void {
    this.#count = savedNumbers(saved, "count")[0] ?? 0;
    this.#sum = savedNumbers(saved, "sum");
  }
}

interface SpreadRules {
  readonly ddof: 0 | 1;
  /** Products along the last axis, or squares alone. */
  readonly isJoint: boolean;
  readonly products?: OuterProducts | undefined;
}

/** Squared deviations, and products of deviations along the last axis. */
class SpreadAccumulator implements Accumulator<Tensor> {
  readonly #point: ReducedPoint;
  readonly #rules: SpreadRules;
  readonly #width: number;
  #count = 0;
  #mean: Float64Array;
  #spread: Float64Array;

  constructor(point: ReducedPoint, rules: SpreadRules) {
    this.#point = point;
    this.#rules = rules;
    this.#width = rules.isJoint ? (point.shape.at(-1) ?? 1) : 1;
    this.#mean = new Float64Array(point.dim);
    this.#spread = new Float64Array(point.dim * this.#width);
  }

  async update({ vectors }: ActivationBatch): Promise<void> {
    const products = this.#width >= engineWidth ? this.#rules.products : undefined;
    const step = products === undefined ? chunkTokens : engineTokens;
    for (let from = 0; from < vectors.count; from += step) {
      await this.#merge(vectors, from, Math.min(vectors.count, from + step), products);
    }
  }

  finish(): Tensor {
    const { ddof, isJoint } = this.#rules;
    const { shape, axes, name } = this.#point;
    const divisor = this.#count - ddof;
    if (divisor <= 0) throw tooFew(name, this.#count);
    if (isJoint) fillLower(this.#spread, this.#width);
    const values = this.#spread.map((x) => x / divisor);
    if (!isJoint) return Tensor.of(values, shape, axes);
    const last = axes.at(-1) ?? "element";
    const outer = shape.length === 0 ? [1] : shape;
    return Tensor.of(values, [...outer, this.#width], [...(axes.length === 0 ? [last] : axes), `${last}2`]);
  }

  save(): SavedState {
    return { count: scalar(this.#count), mean: vector(this.#mean), spread: vector(this.#spread) };
  }

  load(saved: SavedState): void {
    this.#count = savedNumbers(saved, "count")[0] ?? 0;
    this.#mean = savedNumbers(saved, "mean");
    this.#spread = savedNumbers(saved, "spread");
  }

  async #merge(vectors: TokenVectors, from: number, to: number, products: OuterProducts | undefined): Promise<void> {
    const added = to - from;
    const total = this.#count + added;
    const { dim } = vectors;
    const mean = meanOf(vectors, from, to);
    const shape = { rows: added, dim, width: this.#width };
    if (!this.#rules.isJoint) addSquares(this.#spread, vectors, mean, { from, to });
    else if (products === undefined) addProducts(this.#spread, centred(vectors, mean, from, to), shape);
    else addTo(this.#spread, await products(centred(vectors, mean, from, to), shape));
    const shift = mean.map((x, i) => x - (this.#mean[i] ?? 0));
    const scale = Math.sqrt((this.#count * added) / total);
    const scaled = shift.map((x) => x * scale);
    addProducts(this.#spread, scaled, { rows: 1, dim, width: this.#width });
    for (let i = 0; i < dim; i++) this.#mean[i] = (this.#mean[i] ?? 0) + (shift[i] ?? 0) * (added / total);
    this.#count = total;
  }
}

function meanOf(vectors: TokenVectors, from: number, to: number): Float64Array {
  const mean = new Float64Array(vectors.dim);
  addSums(mean, vectors, from, to);
  return mean.map((x) => x / (to - from));
}

function addTo(sum: Float64Array, values: Float64Array): void {
  for (let i = 0; i < sum.length; i++) sum[i] = (sum[i] as number) + (values[i] as number);
}

function addSums(sum: Float64Array, { data, dim, starts }: TokenVectors, from: number, to: number): void {
  for (let t = from; t < to; t++) {
    const start = starts[t] as number;
    for (let i = 0; i < dim; i++) sum[i] = (sum[i] as number) + (data[start + i] as number);
  }
}

function addSquares(
  sum: Float64Array,
  { data, dim, starts }: TokenVectors,
  mean: Float64Array,
  { from, to }: { readonly from: number; readonly to: number },
): void {
  for (let t = from; t < to; t++) {
    const start = starts[t] as number;
    for (let i = 0; i < dim; i++) {
      const deviation = (data[start + i] as number) - (mean[i] as number);
      sum[i] = (sum[i] as number) + deviation * deviation;
    }
  }
}

/** Deviations from `mean`, `[to - from, dim]`. */
function centred({ data, dim, starts }: TokenVectors, mean: Float64Array, from: number, to: number): Float64Array {
  const out = new Float64Array((to - from) * dim);
  for (let t = from; t < to; t++) {
    const start = starts[t] as number;
    const row = (t - from) * dim;
    for (let i = 0; i < dim; i++) out[row + i] = (data[start + i] as number) - (mean[i] as number);
  }
  return out;
}

function tooFew(name: string, count: number): InputError {
  return new InputError({
    where: `model.over: variance of ${name}`,
    got: `${count} counted token${count === 1 ? "" : "s"}`,
    expected: "at least two with ddof: 1",
    fix: "Give more data, or leave ddof out.",
  });
}

/** A number as a tensor. */
export function scalar(value: number): Tensor {
  return Tensor.of(Float64Array.of(value), []);
}

/** Numbers as a tensor that shares no memory with an accumulator. */
export function vector(values: Float64Array | Int32Array): Tensor {
  return Tensor.of(values.slice(), [values.length], ["element"]);
}
