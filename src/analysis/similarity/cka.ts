/**
 * Centred kernel alignment with linear kernels.
 *
 * All forms are computed from `XᵀY`, or from Gram matrices where there are fewer rows than columns; both give the same
 * numbers.
 *
 * @see Kornblith et al. 2019, "Similarity of Neural Network Representations Revisited"
 * @see Nguyen et al. 2021, "Do Wide and Deep Networks Learn the Same Things?" (the unbiased estimator, minibatches)
 */
import { centred, crossProduct, type Features, gram, squaredNorm } from "./features.js";

/** `‖XᵀY‖²`, by whichever way is shorter. */
function alignment(x: Features, y: Features): number {
  if (x.rows < Math.sqrt(x.width * y.width)) {
    const [k, l] = [gram(x), gram(y)];
    return k.reduce((sum, value, i) => sum + value * (l[i] ?? 0), 0);
  }
  return squaredNorm({ data: crossProduct(x, y) });
}

/** Biased linear CKA: near 1 for any activations when rows are few for the width. */
export function biasedCka(x: Features, y: Features): number {
  const [a, b] = [centred(x), centred(y)];
  return alignment(a, b) / Math.sqrt(alignment(a, a) * alignment(b, b));
}

/** What the unbiased estimator needs of one side. */
interface KernelSums {
  readonly features: Features;
  /** Diagonal of the Gram matrix. */
  readonly diagonal: Float64Array;
  /** Row sums of the Gram matrix without its diagonal. */
  readonly rowSums: Float64Array;
  /** Sum of all of them. */
  readonly total: number;
}

function kernelSums(raw: Features): KernelSums {
  const features = centred(raw);
  const { data, rows, width } = features;
  const diagonal = new Float64Array(rows);
  for (let row = 0; row < rows; row++)
    diagonal[row] = squaredNorm({ data: data.subarray(row * width, (row + 1) * width) });
  // Columns of centred features sum to 0, so a row of the whole Gram matrix does too.
  const rowSums = diagonal.map((value) => -value);
  return { features, diagonal, rowSums, total: rowSums.reduce((sum, value) => sum + value, 0) };
}

/**
 * `HSIC_u = [tr(K̃L̃) + 1ᵀK̃1 · 1ᵀL̃1 / ((n−1)(n−2)) − 2 · 1ᵀK̃L̃1 / (n−2)] / (n(n−3))`, K̃ the Gram matrix without its
 * diagonal. A shift of the features changes nothing, so they are centred for accuracy.
 */
function unbiasedHsic(x: KernelSums, y: KernelSums): number {
  const n = x.features.rows;
  let [trace, product] = [alignment(x.features, y.features), 0];
  for (let i = 0; i < n; i++) {
    trace -= (x.diagonal[i] ?? 0) * (y.diagonal[i] ?? 0);
    product += (x.rowSums[i] ?? 0) * (y.rowSums[i] ?? 0);
  }
  return (trace + (x.total * y.total) / ((n - 1) * (n - 2)) - (2 * product) / (n - 2)) / (n * (n - 3));
}

/** Unbiased linear CKA: about 0 for independent activations of any width. Needs 4 rows. */
export function unbiasedCka(x: Features, y: Features): number {
  const [a, b] = [kernelSums(x), kernelSums(y)];
  return unbiasedHsic(a, b) / Math.sqrt(unbiasedHsic(a, a) * unbiasedHsic(b, b));
}

/** Rows of one batch of the minibatch form. */
export const minibatchRows = 256;

function slice({ data, width }: Features, from: number, to: number): Features {
  return { data: data.slice(from * width, to * width), rows: to - from, width };
}

/** CKA from unbiased estimates averaged over batches of rows: for more tokens than fit at a time. */
export function minibatchCka(x: Features, y: Features): number {
  const sums = [0, 0, 0];
  for (let from = 0; from + 4 <= x.rows; from += minibatchRows) {
    const to = Math.min(from + minibatchRows, x.rows);
    const [a, b] = [kernelSums(slice(x, from, to)), kernelSums(slice(y, from, to))];
    [unbiasedHsic(a, b), unbiasedHsic(a, a), unbiasedHsic(b, b)].forEach((value, i) => {
      sums[i] = (sums[i] ?? 0) + value;
    });
  }
  const [cross = 0, own = 0, other = 0] = sums;
  return cross / Math.sqrt(own * other);
}
