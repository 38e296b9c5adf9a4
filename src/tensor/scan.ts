/** Row-to-row operations: softmax, log-softmax and cumulative sums along an axis. */
import { axisPosition, sizeOf } from "./axes.js";
import { floatOf, type NumericArray, promote } from "./dtype.js";
import { extremeIndex, logSumExp } from "./reduce.js";
import { finish, type ResultDType, scratch } from "./result.js";
import { forEachRow, splitRows } from "./rows.js";
import { rowMajorStrides, type Strided } from "./strided.js";

/** Writes the result of `row` to `out[start + i]`. */
type RowKernel = (row: NumericArray, out: NumericArray, start: number) => void;

/**
 * Returns exp(x - max) / sum along `axis`.
 *
 * A row that holds NaN or +Infinity, or only -Infinity, becomes NaN: it has no probabilities.
 */
export function softmax(view: Strided, axis: string): Strided {
  return mapRows(view, axis, { dtype: floatOf(view.dtype), kernel: softmaxRow, where: "tensor.softmax" });
}

/** Returns x - log(sum(exp(x))) along `axis`, NaN in the same rows as softmax. */
export function logSoftmax(view: Strided, axis: string): Strided {
  return mapRows(view, axis, { dtype: floatOf(view.dtype), kernel: logSoftmaxRow, where: "tensor.logSoftmax" });
}

/** Returns running sums along `axis`, accumulated in float64. */
export function cumsum(view: Strided, axis: string): Strided {
  const dtype = promote(view.dtype, view.dtype);
  return mapRows(view, axis, { dtype, kernel: cumsumRow, where: "tensor.cumsum" });
}

/** What {@link mapRows} does to each row. */
export interface RowMap {
  readonly dtype: ResultDType;
  readonly kernel: RowKernel;
  readonly where: string;
  /** Length of the resulting rows; the axis keeps its size when absent. */
  readonly length?: number;
}

/** Returns the view with each row along `axis` replaced by the kernel's result; axes keep their order. */
export function mapRows(view: Strided, axis: string, map: RowMap): Strided {
  const position = axisPosition(view, axis, map.where);
  const split = splitRows(view, [position]);
  const length = map.length ?? split.rowLength;
  const shape = [...split.keptShape, length];
  const out = scratch(map.dtype, sizeOf(shape));
  forEachRow(view, [position], map.where, (row, i) => map.kernel(row, out, i * length));
  const last = finish(out, map.dtype, { shape, axes: [...split.keptAxes, axis] }, map.where);
  return moveLastAxis(last, position);
}

function moveLastAxis(view: Strided, position: number): Strided {
  const order = view.axes.map((_, i) => i);
  order.splice(position, 0, order.pop() ?? 0);
  const strides = rowMajorStrides(view.shape);
  return {
    ...view,
    axes: order.map((i) => view.axes[i] ?? ""),
    shape: order.map((i) => view.shape[i] ?? 1),
    strides: order.map((i) => strides[i] ?? 1),
  };
}

function softmaxRow(row: NumericArray, out: NumericArray, start: number): void {
  if (row.length === 0) return;
  const largest = row[extremeIndex(row, 1)] as number;
  let total = 0;
  const terms = new Float64Array(row.length);
  for (let i = 0; i < row.length; i++) {
    const term = Math.exp((row[i] as number) - largest);
    terms[i] = term;
    total += term;
  }
  for (let i = 0; i < row.length; i++) out[start + i] = (terms[i] as number) / total;
}

function logSoftmaxRow(row: NumericArray, out: NumericArray, start: number): void {
  const shift = logSumExp(row);
  for (let i = 0; i < row.length; i++) out[start + i] = (row[i] as number) - shift;
}

function cumsumRow(row: NumericArray, out: NumericArray, start: number): void {
  let total = 0;
  for (let i = 0; i < row.length; i++) {
    total += row[i] as number;
    out[start + i] = total;
  }
}
