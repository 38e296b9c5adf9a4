/**
 * How well a reconstruction `y` follows its target `x`, accumulated over tokens in float64.
 *
 * EV = 1 − E‖x − y‖² / (E‖x‖² − ‖E x‖²) over the whole stream: never a mean of ratios, never relative to zero.
 */
import { InputError, ShapeError } from "../../core/index.js";
import type { Tensor } from "../../tensor/index.js";

/** How well a reconstruction follows its target. */
export interface ReconstructionMetrics {
  /** Tokens that were counted. */
  readonly tokens: number;
  /** Explained variance, `1 − fvu`. */
  readonly explainedVariance: number;
  /** Fraction of variance unexplained: E‖x − y‖² over the variance of x about its mean; NaN where x does not vary. */
  readonly fvu: number;
  /** Mean over tokens of the squared error, summed over dimensions. */
  readonly mse: number;
  /** Mean over tokens of cos(x, y); tokens where either is 0 count as 0. */
  readonly cosine: number;
  /** Mean over tokens of ‖y‖ / ‖x‖; tokens where x is 0 are left out. */
  readonly l2Ratio: number;
  /** E‖y‖² / E[x·y]: 1 where y is neither shrunk nor stretched. */
  readonly relativeBias: number;
}

type Numbers = ArrayLike<number>;

/** Sums over tokens. Deviations are taken from the first vector, so that a large mean costs no digits. */
export class ReconstructionSums {
  readonly #dim: number;
  #origin: Float64Array | undefined;
  readonly #sum: Float64Array;
  #tokens = 0;
  #ratios = 0;
  readonly #totals = { square: 0, error: 0, cosine: 0, ratio: 0, yy: 0, xy: 0 };

  /** @param dim - Numbers in one vector. */
  constructor(dim: number) {
    this.#dim = dim;
    this.#sum = new Float64Array(dim);
  }

  /** Adds one token: `dim` numbers of each, from `at`. */
  add(x: Numbers, y: Numbers, at: number): void {
    this.#origin ??= Float64Array.from({ length: this.#dim }, (_, i) => x[at + i] ?? 0);
    const own = this.#sums(x, y, at, this.#origin);
    const totals = this.#totals;
    totals.square += own.square;
    totals.error += own.error;
    totals.yy += own.yy;
    totals.xy += own.xy;
    if (own.xx > 0 && own.yy > 0) totals.cosine += own.xy / Math.sqrt(own.xx * own.yy);
    if (own.xx > 0) {
      totals.ratio += Math.sqrt(own.yy / own.xx);
      this.#ratios += 1;
    }
    this.#tokens += 1;
  }

  /** Returns the metrics of all tokens so far. */
  finish(): ReconstructionMetrics {
    const { square, error, cosine, ratio, yy, xy } = this.#totals;
    const tokens = this.#tokens;
    const variance = square / tokens - this.#sum.reduce((total, one) => total + (one / tokens) ** 2, 0);
    // What rounding leaves of a constant's variance is no variance.
    const fvu = variance > 1e-12 * (square / tokens) ? error / tokens / variance : Number.NaN;
    return {
      tokens,
      explainedVariance: 1 - fvu,
      fvu,
      mse: error / tokens,
      cosine: cosine / tokens,
      l2Ratio: ratio / this.#ratios,
      relativeBias: yy / xy,
    };
  }

  #sums(
    x: Numbers,
    y: Numbers,
    at: number,
    origin: Float64Array,
  ): Record<"square" | "error" | "xx" | "yy" | "xy", number> {
    let [square, error, xx, yy, xy] = [0, 0, 0, 0, 0];
    for (let i = 0; i < this.#dim; i++) {
      const [a, b] = [x[at + i] as number, y[at + i] as number];
      const shifted = a - (origin[i] as number);
      this.#sum[i] = (this.#sum[i] as number) + shifted;
      square += shifted * shifted;
      error += (a - b) * (a - b);
      xx += a * a;
      yy += b * b;
      xy += a * b;
    }
    return { square, error, xx, yy, xy };
  }
}

/**
 * Measures how well `y` reconstructs `x`, both `[…, d]`: one vector for each token.
 *
 * @throws ShapeError when they differ in shape; InputError without a token.
 */
export function evaluateReconstruction(x: Tensor, y: Tensor): ReconstructionMetrics {
  const same = x.shape.length === y.shape.length && x.shape.every((size, i) => size === y.shape[i]);
  if (!same) {
    throw new ShapeError({
      where: "evaluateReconstruction",
      got: `y [${y.shape.join(", ")}]`,
      expected: `the shape of x, [${x.shape.join(", ")}]`,
      fix: "Pass a target and its reconstruction, one vector for each token.",
    });
  }
  const dim = x.shape.at(-1) ?? 0;
  if (x.size === 0 || dim === 0) {
    throw new InputError({
      where: "evaluateReconstruction",
      got: "no vectors",
      expected: "at least one token",
      fix: "Check where the activations come from.",
    });
  }
  const [a, b] = [x.contiguous().data as ArrayLike<number>, y.contiguous().data as ArrayLike<number>];
  const sums = new ReconstructionSums(dim);
  for (let at = 0; at < x.size; at += dim) sums.add(a, b, at);
  return sums.finish();
}
