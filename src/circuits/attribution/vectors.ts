/** Products of vectors and rows of matrices, in JavaScript: for one direction at a time. */
import type { Tensor } from "../../tensor/index.js";

/** `a · b` */
export function dot(a: ArrayLike<number>, b: ArrayLike<number>): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += (a[i] ?? 0) * (b[i] ?? 0);
  return sum;
}

/** The numbers of a tensor. */
export function numbersOf(tensor: Tensor): ArrayLike<number> {
  return tensor.contiguous().data as ArrayLike<number>;
}

/** `row · v` for one row of a matrix whose rows are as long as `v`. */
export function rowDot(matrix: ArrayLike<number>, row: number, v: ArrayLike<number>): number {
  let sum = 0;
  const start = row * v.length;
  for (let i = 0; i < v.length; i++) sum += (matrix[start + i] ?? 0) * (v[i] ?? 0);
  return sum;
}

/** One column of a matrix. */
export function columnOf(matrix: Tensor, column: number): Float64Array {
  const [rows = 0, columns = 0] = matrix.shape;
  const data = numbersOf(matrix);
  return Float64Array.from({ length: rows }, (_, i) => data[i * columns + column] ?? 0);
}
