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
import { type Accumulator, type ActivationBatch, type Reducer, type SavedState, savedNumbers } from "./reducer.js";
import type { ReducedPoint, TokenVectors } from "./vectors.js";

/** Options of `reduce.variance` and `reduce.covariance`. */
export interface SpreadOptions {
  /** What is subtracted from the number of tokens in the divisor: 0 (default) or 1. */
  readonly ddof?: 0 | 1;
}

/** Tokens whose products are added in one go. */
const chunkTokens = 256;

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
    start: (point) => new SpreadAccumulator(point, { ddof, isJoint: true }),
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

  update({ vectors }: ActivationBatch): void {
    for (let from = 0; from < vectors.count; from += chunkTokens) {
      this.#merge(vectors, from, Math.min(vectors.count, from + chunkTokens));
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

  #merge(vectors: TokenVectors, from: number, to: number): void {
    const added = to - from;
    const total = this.#count + added;
    const mean = new Float64Array(vectors.dim);
    addSums(mean, vectors, from, to);
    for (let i = 0; i < mean.length; i++) mean[i] = (mean[i] ?? 0) / added;
    addProducts(this.#spread, centred(vectors, mean, from, to), { rows: added, dim: vectors.dim, width: this.#width });
    const shift = mean.map((x, i) => x - (this.#mean[i] ?? 0));
    const scale = (this.#count * added) / total;
    const scaled = shift.map((x) => x * Math.sqrt(scale));
    addProducts(this.#spread, scaled, { rows: 1, dim: vectors.dim, width: this.#width });
    for (let i = 0; i < mean.length; i++) this.#mean[i] = (this.#mean[i] ?? 0) + (shift[i] ?? 0) * (added / total);
    this.#count = total;
  }
}

function addSums(sum: Float64Array, { data, dim, starts }: TokenVectors, from: number, to: number): void {
  for (let t = from; t < to; t++) {
    const start = starts[t] as number;
    for (let i = 0; i < dim; i++) sum[i] = (sum[i] as number) + (data[start + i] as number);
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

interface ProductShape {
  readonly rows: number;
  readonly dim: number;
  /** Length of the blocks whose outer products are summed; 1 for squares. */
  readonly width: number;
}

/** Adds Σ x xᵀ for every block of `width` elements; of each block only the upper triangle is filled. */
function addProducts(spread: Float64Array, x: Float64Array, shape: ProductShape): void {
  const { rows, dim, width } = shape;
  if (width === 1) {
    for (let t = 0; t < rows; t++)
      for (let i = 0; i < dim; i++) spread[i] = (spread[i] as number) + (x[t * dim + i] as number) ** 2;
    return;
  }
  for (let block = 0; block < dim; block += width)
    for (let i = 0; i < width; i++) addTriangleRow(spread, x, { ...shape, block, i });
}

/** Row i of one block's triangle, four tokens at a time. */
function addTriangleRow(
  spread: Float64Array,
  x: Float64Array,
  at: ProductShape & { readonly block: number; readonly i: number },
): void {
  const { rows, dim, width, block, i } = at;
  const row = (block + i) * width;
  let t = 0;
  for (; t + 3 < rows; t += 4) {
    const [p0, p1, p2, p3] = [t * dim + block, (t + 1) * dim + block, (t + 2) * dim + block, (t + 3) * dim + block];
    const [a0, a1] = [x[p0 + i] as number, x[p1 + i] as number];
    const [a2, a3] = [x[p2 + i] as number, x[p3 + i] as number];
    for (let j = i; j < width; j++) {
      const low = a0 * (x[p0 + j] as number) + a1 * (x[p1 + j] as number);
      const high = a2 * (x[p2 + j] as number) + a3 * (x[p3 + j] as number);
      spread[row + j] = (spread[row + j] as number) + (low + high);
    }
  }
  for (; t < rows; t++) {
    const p = t * dim + block;
    const a = x[p + i] as number;
    for (let j = i; j < width; j++) spread[row + j] = (spread[row + j] as number) + a * (x[p + j] as number);
  }
}

/** Copies the upper triangles to the lower ones. */
function fillLower(spread: Float64Array, width: number): void {
  for (let block = 0; block < spread.length; block += width * width)
    for (let i = 1; i < width; i++)
      for (let j = 0; j < i; j++) spread[block + i * width + j] = spread[block + j * width + i] ?? 0;
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
