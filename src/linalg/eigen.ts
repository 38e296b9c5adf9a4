/** Eigenvalues and eigenvectors. */
import { EigenvalueDecomposition, type Matrix } from "ml-matrix";
import { NumericError } from "../core/index.js";
import type { Tensor } from "../tensor/index.js";
import { closeMatrix, closeVector, openSquare } from "./matrix.js";

/** Complex numbers: two tensors of the same axes. */
export interface Complex {
  readonly re: Tensor<"float64">;
  readonly im: Tensor<"float64">;
}

/** `A = Q diag(values) Qᵀ` of a symmetric matrix. */
export interface SymmetricEigen {
  /** `[eigen]`, largest first. */
  readonly values: Tensor<"float64">;
  /** `[row axis, eigen]`, orthonormal columns. */
  readonly vectors: Tensor<"float64">;
}

/** Relative asymmetry that rounding may leave. */
const asymmetry = 1e-6;

function checkSymmetric(matrix: Matrix): void {
  let worst = 0;
  let largest = 0;
  for (let i = 0; i < matrix.rows; i++)
    for (let j = 0; j <= i; j++) {
      worst = Math.max(worst, Math.abs(matrix.get(i, j) - matrix.get(j, i)));
      largest = Math.max(largest, Math.abs(matrix.get(i, j)), Math.abs(matrix.get(j, i)));
    }
  if (worst <= asymmetry * largest) return;
  throw new NumericError({
    where: "symmetricEigen",
    got: `a matrix whose opposite entries differ by up to ${worst.toPrecision(3)}`,
    expected: "a symmetric matrix",
    fix: "Use eigenvalues(), or symmetrise it first.",
  });
}

/** The mean of a matrix and its transpose, which rounding may have told apart. */
function symmetrised(matrix: Matrix): Matrix {
  return matrix.clone().add(matrix.transpose()).mul(0.5);
}

/**
 * Returns eigenvalues and eigenvectors of a symmetric matrix, in float64.
 *
 * @throws ShapeError unless it is square; NumericError when it is not symmetric, or not finite.
 */
export function symmetricEigen(a: Tensor): SymmetricEigen {
  const { matrix, rowAxis } = openSquare("symmetricEigen", a);
  checkSymmetric(matrix);
  const found = new EigenvalueDecomposition(symmetrised(matrix), { assumeSymmetric: true });
  const order = found.realEigenvalues.map((_, i) => i);
  order.sort((i, j) => (found.realEigenvalues[j] ?? 0) - (found.realEigenvalues[i] ?? 0));
  const vectors = found.eigenvectorMatrix.subMatrixColumn(order);
  return {
    values: closeVector(
      order.map((i) => found.realEigenvalues[i] ?? Number.NaN),
      "eigen",
    ),
    vectors: closeMatrix(vectors, [rowAxis, "eigen"]),
  };
}

/**
 * Returns the eigenvalues of a square matrix, in float64, largest magnitude first; of a conjugate pair, the one with
 * positive imaginary part first.
 *
 * @returns `[eigen]`, real and imaginary parts.
 * @throws ShapeError unless it is square; NumericError when it is not finite.
 */
export function eigenvalues(a: Tensor): Complex {
  const { matrix } = openSquare("eigenvalues", a);
  const { realEigenvalues: re, imaginaryEigenvalues: im } = new EigenvalueDecomposition(matrix);
  const pairs = re.map((x, i) => ({ re: x, im: im[i] ?? 0 }));
  const size = (z: { re: number; im: number }): number => Math.hypot(z.re, z.im);
  pairs.sort((a, b) => size(b) - size(a) || b.re - a.re || b.im - a.im);
  return {
    re: closeVector(
      pairs.map((z) => z.re),
      "eigen",
    ),
    im: closeVector(
      pairs.map((z) => z.im),
      "eigen",
    ),
  };
}
