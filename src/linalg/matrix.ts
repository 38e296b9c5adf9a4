/** Between tensors and the library's matrices: two named axes, float64, finite. */
import { Matrix } from "ml-matrix";
import { formatShape, NumericError, ShapeError } from "../core/index.js";
import { Tensor } from "../tensor/index.js";

/** A tensor of two axes as a matrix. */
export interface OpenMatrix {
  readonly matrix: Matrix;
  readonly rowAxis: string;
  readonly columnAxis: string;
}

function notMatrix(where: string, tensor: Tensor, expected: string): ShapeError {
  return new ShapeError({
    where,
    got: formatShape(tensor.shape, tensor.axes),
    expected,
    fix: "Select with at() or reshape; axes keep their names.",
  });
}

function checkFinite(where: string, data: ArrayLike<number | bigint>): Float64Array {
  const numbers = Float64Array.from(data, Number);
  const bad = numbers.findIndex((x) => !Number.isFinite(x));
  if (bad < 0) return numbers;
  throw new NumericError({
    where,
    got: `${numbers[bad]} at element ${bad}`,
    expected: "finite numbers",
    fix: "Find out where it comes from: a masked score, a division by 0, an overflow.",
  });
}

/**
 * Reads a tensor as a matrix, first axis down.
 *
 * @throws ShapeError unless it has two axes, neither empty; NumericError for NaN and infinity.
 */
export function openMatrix(where: string, tensor: Tensor): OpenMatrix {
  const [rows = 0, columns = 0] = tensor.shape;
  const [rowAxis = "", columnAxis = ""] = tensor.axes;
  if (tensor.axes.length !== 2 || rows === 0 || columns === 0)
    throw notMatrix(where, tensor, "a matrix: two axes, neither empty");
  const data = checkFinite(where, tensor.contiguous().data);
  return { matrix: Matrix.from1DArray(rows, columns, data), rowAxis, columnAxis };
}

/**
 * Reads a tensor as a square matrix.
 *
 * @throws ShapeError when it is not square.
 */
export function openSquare(where: string, tensor: Tensor): OpenMatrix {
  const open = openMatrix(where, tensor);
  if (open.matrix.rows === open.matrix.columns) return open;
  throw notMatrix(where, tensor, "a square matrix");
}

/** Returns a matrix as a float64 tensor. */
export function closeMatrix<A extends string, B extends string>(
  matrix: Matrix,
  axes: readonly [A, B],
): Tensor<"float64", readonly [A, B]> {
  return Tensor.of(Float64Array.from(matrix.to1DArray()), [matrix.rows, matrix.columns], axes);
}

/** Returns numbers as a float64 vector. */
export function closeVector<A extends string>(values: ArrayLike<number>, axis: A): Tensor<"float64", readonly [A]> {
  return Tensor.of(Float64Array.from(values), [values.length], [axis]);
}
