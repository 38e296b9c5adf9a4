/** Whether a dictionary found the features that were planted. */
import { InputError, printsItself, ShapeError } from "../../core/index.js";
import { type Tensor } from "../../tensor/index.js";
import { histogram, type View } from "../../viz/index.js";
import { bestAssignment } from "./assignment.js";

/** One true feature and the learned one that stands for it. */
export interface FeatureMatch {
  readonly truth: number;
  /** Index of the learned feature; −1 where there are fewer learned than true ones and none was left. */
  readonly learned: number;
  /** Cosine of the two directions; 0 where none was left. */
  readonly cosine: number;
}

/** How well learned directions stand for true ones, each learned one used once. */
export class FeatureRecovery {
  static {
    printsItself(this.prototype);
  }

  /** One for each true feature, in their order. */
  readonly matches: readonly FeatureMatch[];
  /** Number of learned features. */
  readonly learned: number;

  /** @internal */
  constructor(matches: readonly FeatureMatch[], learned: number) {
    this.matches = matches;
    this.learned = learned;
  }

  /** Mean cosine over all true features. */
  get meanCosine(): number {
    return this.matches.reduce((sum, { cosine }) => sum + cosine, 0) / this.matches.length;
  }

  /** Returns the fraction of true features whose match has at least this cosine. */
  recovered(cosine = 0.9): number {
    return this.matches.filter((one) => one.cosine >= cosine).length / this.matches.length;
  }

  /** Returns a histogram of the cosines. */
  toView(): View {
    return histogram(
      this.matches.map(({ cosine }) => cosine),
      { title: "Recovery of planted features", note: this.toString(), name: "cosine with the match" },
    );
  }

  /** Returns one line: mean, worst, and how many were found. */
  toString(): string {
    const worst = Math.min(...this.matches.map(({ cosine }) => cosine));
    const found = this.matches.filter(({ cosine }) => cosine >= 0.9).length;
    return (
      `recovery of ${this.matches.length} features by ${this.learned}: mean cosine ${this.meanCosine.toFixed(4)}, ` +
      `worst ${worst.toFixed(4)}, ${found} with 0.9 or more`
    );
  }
}

/** Rows of a matrix, each of length 1; rows of zeros stay. */
function unitRows(matrix: Tensor): { readonly rows: number; readonly width: number; readonly data: Float64Array } {
  const [rows = 0, width = 0] = matrix.shape;
  const data = Float64Array.from(matrix.contiguous().data as ArrayLike<number>);
  for (let row = 0; row < rows; row++) {
    const own = data.subarray(row * width, (row + 1) * width);
    const norm = Math.sqrt(own.reduce((sum, one) => sum + one * one, 0));
    if (norm > 0) own.forEach((one, i) => void (own[i] = one / norm));
  }
  return { rows, width, data };
}

/**
 * Matches learned directions `[nFeatures, d]` to true ones `[features, d]` so that the sum of cosines is largest.
 *
 * The matching is optimal over all true features, and each learned feature stands for one of them at most: a direction that
 * was never found, or found twice, cannot hide. Compare decoder rows: `matchFeatures(dictionary.weight("W_dec"), truth)`.
 *
 * @throws ShapeError when widths differ or a side is no matrix; InputError when a side is empty or holds NaN.
 */
export function matchFeatures(learned: Tensor, truth: Tensor): FeatureRecovery {
  checkMatrices(learned, truth);
  const [a, b] = [unitRows(learned), unitRows(truth)];
  checkNumbers(a.data, b.data);
  const cosines = new Float64Array(b.rows * a.rows);
  for (let t = 0; t < b.rows; t++) {
    for (let l = 0; l < a.rows; l++) {
      let dot = 0;
      for (let i = 0; i < a.width; i++)
        dot += (a.data[l * a.width + i] as number) * (b.data[t * a.width + i] as number);
      cosines[t * a.rows + l] = dot;
    }
  }
  const cosine = (t: number, l: number): number => cosines[t * a.rows + l] as number;
  const found = b.rows <= a.rows ? bestAssignment(b.rows, a.rows, cosine) : fromColumns(a.rows, b.rows, cosine);
  const matches = Array.from(found, (l, t) => ({ truth: t, learned: l, cosine: l < 0 ? 0 : cosine(t, l) }));
  return new FeatureRecovery(matches, a.rows);
}

/** With fewer learned than true features, learned ones choose; the rest of the true ones gets none. */
function fromColumns(learned: number, truth: number, cosine: (t: number, l: number) => number): Int32Array {
  const found = new Int32Array(truth).fill(-1);
  bestAssignment(learned, truth, (l, t) => cosine(t, l)).forEach((t, l) => void (found[t] = l));
  return found;
}

function checkMatrices(learned: Tensor, truth: Tensor): void {
  const [a, b] = [learned.shape, truth.shape];
  if (a.length === 2 && b.length === 2 && a[1] === b[1] && learned.size > 0 && truth.size > 0) return;
  const parts = {
    where: "matchFeatures",
    got: `learned [${a.join(", ")}] and true [${b.join(", ")}]`,
    expected: "two matrices of directions as rows, equally wide, neither empty",
    fix: "Pass decoder rows [nFeatures, d] and the planted directions [features, d].",
  };
  throw a.length === 2 && b.length === 2 && a[1] === b[1] ? new InputError(parts) : new ShapeError(parts);
}

function checkNumbers(...sides: readonly Float64Array[]): void {
  if (sides.every((side) => side.every(Number.isFinite))) return;
  throw new InputError({
    where: "matchFeatures",
    got: "directions that are not finite",
    expected: "numbers",
    fix: "Look for NaN in the training of the dictionary.",
  });
}
