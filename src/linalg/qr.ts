/** The QR decomposition. */
import { QrDecomposition } from "ml-matrix";
import { ShapeError } from "../core/index.js";
import type { Tensor } from "../tensor/index.js";
import { closeMatrix, openMatrix } from "./matrix.js";

/** `A = Q R` with orthonormal columns in `Q` and an upper triangular `R`, thin. */
export interface Qr {
  /** `[row axis, rank]`. */
  readonly Q: Tensor<"float64">;
  /** `[rank, column axis]`; its diagonal is not negative. */
  readonly R: Tensor<"float64">;
}

/**
 * Returns the thin QR decomposition of a matrix that is at least as tall as wide, in float64.
 *
 * @throws ShapeError for a wide matrix; NumericError when it is not finite.
 */
export function qr(a: Tensor): Qr {
  const { matrix, rowAxis, columnAxis } = openMatrix("qr", a);
  if (matrix.rows < matrix.columns)
    throw new ShapeError({
      where: "qr",
      got: `a matrix of ${matrix.rows} rows and ${matrix.columns} columns`,
      expected: "at least as many rows as columns",
      fix: "Transpose it.",
    });
  const found = new QrDecomposition(matrix);
  const [Q, R] = [found.orthogonalMatrix, found.upperTriangularMatrix];
  for (let i = 0; i < R.rows; i++) {
    if (R.get(i, i) >= 0) continue;
    Q.mulColumn(i, -1);
    R.mulRow(i, -1);
  }
  return { Q: closeMatrix(Q, [rowAxis, "rank"]), R: closeMatrix(R, ["rank", columnAxis]) };
}
