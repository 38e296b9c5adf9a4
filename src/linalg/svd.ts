/** The singular value decomposition. */
import { type Matrix, SingularValueDecomposition } from "ml-matrix";
import type { Tensor } from "../tensor/index.js";
import { closeMatrix, closeVector, openMatrix } from "./matrix.js";

/** `A = U diag(S) Vᵀ`, thin: as many singular values as the shorter axis is long. */
export interface Svd {
  /** Left singular vectors `[row axis, singular]`, orthonormal columns. */
  readonly U: Tensor<"float64">;
  /** Singular values `[singular]`, largest first. */
  readonly S: Tensor<"float64">;
  /** Right singular vectors `[column axis, singular]`: `V`, not its transpose. */
  readonly V: Tensor<"float64">;
}

interface Parts {
  readonly left: Matrix;
  readonly values: readonly number[];
  readonly right: Matrix;
}

/** Decomposes the tall form; a wide matrix is turned round. */
function decompose(matrix: Matrix): Parts {
  if (matrix.rows < matrix.columns) {
    const { left, values, right } = decompose(matrix.transpose());
    return { left: right, values, right: left };
  }
  const { leftSingularVectors, diagonal, rightSingularVectors } = new SingularValueDecomposition(matrix);
  return { left: leftSingularVectors, values: diagonal, right: rightSingularVectors };
}

function largestEntry(matrix: Matrix, column: number): number {
  return matrix.getColumn(column).reduce((best, x) => (Math.abs(x) > Math.abs(best) ? x : best), 0);
}

/** Turns pairs of vectors so that the largest entry of each left one is positive. */
function fixSigns({ left, values, right }: Parts): void {
  values.forEach((_, column) => {
    if (largestEntry(left, column) >= 0) return;
    left.mulColumn(column, -1);
    right.mulColumn(column, -1);
  });
}

/**
 * Returns the singular value decomposition of a matrix, in float64.
 *
 * Signs are fixed: the entry of largest magnitude in each left vector is positive.
 *
 * @param a - Two axes of any names.
 * @throws ShapeError unless it is a matrix; NumericError for NaN and infinity.
 * @see Golub and Reinsch 1970, "Singular value decomposition and least squares solutions"
 */
export function svd(a: Tensor): Svd {
  const { matrix, rowAxis, columnAxis } = openMatrix("svd", a);
  const parts = decompose(matrix);
  fixSigns(parts);
  const singular = "singular";
  return {
    U: closeMatrix(parts.left, [rowAxis, singular]),
    S: closeVector(parts.values, singular),
    V: closeMatrix(parts.right, [columnAxis, singular]),
  };
}
