/** Reductions over named axes; every one accumulates in float64 and rounds once. */
import { ShapeError } from "../core/index.js";
import { axisPositions, formatNamed, sizeOf } from "./axes.js";
import { floatOf, type NumericArray, promote } from "./dtype.js";
import { finish, type ResultDType, scratch } from "./result.js";
import { forEachRow, splitRows } from "./rows.js";
import type { Strided } from "./strided.js";

/** One axis, several, or all when undefined. */
export type AxisArgument = string | readonly string[] | undefined;

/** Options that every reduction takes. */
export interface ReduceOptions<K extends boolean = boolean> {
  /** Keep the reduced axes with size 1. Default false. */
  readonly keepAxis?: K;
}

/** Options of `variance` and `std`. */
export interface VarianceOptions<K extends boolean = boolean> extends ReduceOptions<K> {
  /** Subtracted from the count in the divisor: 0 (default) for the population, 1 for Bessel's correction. */
  readonly correction?: number;
}

type Kernel = (row: NumericArray) => number;

interface Reduction {
  readonly kernel: Kernel;
  /** Element type of the result: that of a sum, of a fraction, of the operand, or fixed. */
  readonly result: "sum" | "float" | "same" | "int32" | "bool";
  readonly refusesEmpty?: true;
}

/** The name of a reduction. */
export type ReduceOp = "sum" | "mean" | "norm" | "logsumexp" | "min" | "max" | "argmin" | "argmax" | "any" | "all";

const reductions: { readonly [Op in ReduceOp]: Reduction } = {
  sum: { kernel: sum, result: "sum" },
  mean: { kernel: mean, result: "float" },
  norm: { kernel: norm, result: "float" },
  logsumexp: { kernel: logSumExp, result: "float" },
  min: { kernel: (row) => row[extremeIndex(row, -1)] as number, result: "same", refusesEmpty: true },
  max: { kernel: (row) => row[extremeIndex(row, 1)] as number, result: "same", refusesEmpty: true },
  argmin: { kernel: (row) => extremeIndex(row, -1), result: "int32", refusesEmpty: true },
  argmax: { kernel: (row) => extremeIndex(row, 1), result: "int32", refusesEmpty: true },
  any: { kernel: (row) => (row.some((x: number) => x !== 0) ? 1 : 0), result: "bool" },
  all: { kernel: (row) => (row.every((x: number) => x !== 0) ? 1 : 0), result: "bool" },
};

/** Returns the reduction `op` of `view` over `axis`. */
export function reduce(op: ReduceOp, view: Strided, axis: AxisArgument, options: ReduceOptions = {}): Strided {
  return reduceWith(reductions[op], { view, axis, options, where: `tensor.${op}` });
}

/** Returns the variance over `axis`, by two passes. */
export function variance(view: Strided, axis: AxisArgument, options: VarianceOptions = {}): Strided {
  const kernel: Kernel = (row) => varianceOf(row, options.correction ?? 0);
  return reduceWith({ kernel, result: "float" }, { view, axis, options, where: "tensor.variance" });
}

/** Returns the standard deviation over `axis`: the root of {@link variance}, rounded once. */
export function standardDeviation(view: Strided, axis: AxisArgument, options: VarianceOptions = {}): Strided {
  const kernel: Kernel = (row) => Math.sqrt(varianceOf(row, options.correction ?? 0));
  return reduceWith({ kernel, result: "float" }, { view, axis, options, where: "tensor.std" });
}

interface ReduceCall {
  readonly view: Strided;
  readonly axis: AxisArgument;
  readonly options: ReduceOptions;
  readonly where: string;
}

function reduceWith(reduction: Reduction, call: ReduceCall): Strided {
  const { view, where } = call;
  const positions = axisPositions(view, call.axis, where);
  const split = splitRows(view, positions);
  const count = sizeOf(split.keptShape);
  if (reduction.refusesEmpty === true && split.rowLength === 0 && count > 0) throw emptyRow(view, split.rowAxes, where);
  const dtype = resultDType(reduction.result, view);
  const out = scratch(dtype, count);
  forEachRow(view, positions, where, (row, i) => {
    out[i] = reduction.kernel(row);
  });
  const keepsAxis = call.options.keepAxis === true;
  const axes = keepsAxis ? view.axes : split.keptAxes;
  const shape = keepsAxis ? view.shape.map((size, i) => (positions.includes(i) ? 1 : size)) : split.keptShape;
  return finish(out, dtype, { shape, axes }, where);
}

function resultDType(result: Reduction["result"], view: Strided): ResultDType {
  if (result === "float") return floatOf(view.dtype);
  if (result === "sum" || result === "same") return promote(view.dtype, view.dtype);
  return result;
}

function emptyRow(view: Strided, axes: readonly string[], where: string): ShapeError {
  return new ShapeError({
    where,
    got: `an empty row over ${axes.map((axis) => `"${axis}"`).join(", ")} of ${formatNamed(view)}`,
    expected: "at least one element to choose from",
    fix: "Check what was selected before; sum and mean of nothing are 0 and NaN, an extreme does not exist.",
  });
}

/** Sums with Neumaier's compensation; NaN and infinities pass through. */
export function sum(row: NumericArray): number {
  let total = 0;
  let compensation = 0;
  for (let i = 0; i < row.length; i++) {
    const x = row[i] as number;
    const next = total + x;
    compensation += Math.abs(total) >= Math.abs(x) ? total - next + x : x - next + total;
    total = next;
  }
  return Number.isFinite(total) ? total + compensation : total;
}

function mean(row: NumericArray): number {
  return row.length === 0 ? Number.NaN : sum(row) / row.length;
}

/** Two passes: the mean, then the squares of the deviations from it. An empty row is NaN. */
function varianceOf(row: NumericArray, correction: number): number {
  const center = mean(row);
  let squares = 0;
  for (let i = 0; i < row.length; i++) {
    const deviation = (row[i] as number) - center;
    squares += deviation * deviation;
  }
  const divisor = row.length - correction;
  return divisor > 0 ? squares / divisor : Number.NaN;
}

/** The Euclidean norm, rescaled when the squares leave the range of float64. */
function norm(row: NumericArray): number {
  const direct = rootOfSquares(row, 1);
  if (direct > 1e-140 && direct < Infinity) return direct;
  let largest = 0;
  for (let i = 0; i < row.length; i++) largest = Math.max(largest, Math.abs(row[i] as number));
  return largest > 0 && largest < Infinity ? largest * rootOfSquares(row, 1 / largest) : largest;
}

function rootOfSquares(row: NumericArray, scale: number): number {
  let squares = 0;
  for (let i = 0; i < row.length; i++) {
    const x = (row[i] as number) * scale;
    squares += x * x;
  }
  return Math.sqrt(squares);
}

/** Returns log(sum(exp(row))), shifted by the largest element; -Infinity for an empty row or one of only -Infinity. */
export function logSumExp(row: NumericArray): number {
  if (row.length === 0) return -Infinity;
  const largest = row[extremeIndex(row, 1)] as number;
  if (!Number.isFinite(largest)) return largest;
  let total = 0;
  for (let i = 0; i < row.length; i++) total += Math.exp((row[i] as number) - largest);
  return largest + Math.log(total);
}

/** Returns the index of the first NaN, or of the first greatest (`sign` 1) or least (`sign` -1) element. */
export function extremeIndex(row: NumericArray, sign: 1 | -1): number {
  let best = 0;
  let bestValue = sign * (row[0] as number);
  if (Number.isNaN(bestValue)) return 0;
  for (let i = 1; i < row.length; i++) {
    const value = sign * (row[i] as number);
    if (value > bestValue) {
      best = i;
      bestValue = value;
    } else if (Number.isNaN(value)) return i;
  }
  return best;
}
