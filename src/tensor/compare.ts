/** Comparison of two tensors of the same axes and sizes. */
import { ShapeError } from "../core/index.js";
import { formatNamed } from "./axes.js";
import { compactData, numeric, rowMajor, type Strided } from "./strided.js";
import { walk } from "./walk.js";

/** Tolerances of `allclose`: |a - b| <= atol + rtol |b|. */
export interface CloseOptions {
  /** Relative tolerance. Default 1e-5. */
  readonly rtol?: number;
  /** Absolute tolerance. Default 1e-8. */
  readonly atol?: number;
  /** NaN counts as equal to NaN. Default false. */
  readonly equalNaN?: boolean;
}

/** Tells whether dtype, axes, sizes and every element agree; NaN equals NaN, and 0 equals -0. */
export function equals(left: Strided, right: Strided): boolean {
  if (left.dtype !== right.dtype || !haveSameShape(left, right)) return false;
  const [a, b] = [compactData(left), compactData(right)];
  for (let i = 0; i < a.length; i++) {
    const [x, y] = [a[i], b[i]];
    if (x !== y && !(Number.isNaN(x) && Number.isNaN(y))) return false;
  }
  return true;
}

/** Tells whether all elements agree within tolerances. */
export function allclose(left: Strided, right: Strided, options: CloseOptions = {}): boolean {
  const { rtol = 1e-5, atol = 1e-8, equalNaN = false } = options;
  let areClose = true;
  forEachPair(left, right, "tensor.allclose", (x, y) => {
    const isClose = x === y || Math.abs(x - y) <= atol + rtol * Math.abs(y);
    const areBothNaN = equalNaN && Number.isNaN(x) && Number.isNaN(y);
    // An infinite tolerance (y infinite) must not hide a finite x.
    const isFiniteMiss = x !== y && !Number.isFinite(y);
    areClose &&= areBothNaN || (isClose && !isFiniteMiss);
  });
  return areClose;
}

/** Returns max|a - b|: 0 where both are the same infinity or both NaN, NaN when only one is NaN; 0 when empty. */
export function maxAbsDiff(left: Strided, right: Strided): number {
  let largest = 0;
  forEachPair(left, right, "tensor.maxAbsDiff", (x, y) => {
    if (x === y || (Number.isNaN(x) && Number.isNaN(y))) return;
    largest = Math.max(largest, Math.abs(x - y));
  });
  return largest;
}

function haveSameShape(left: Strided, right: Strided): boolean {
  const isSame = (axis: string, i: number): boolean => right.axes[i] === axis && right.shape[i] === left.shape[i];
  return left.axes.length === right.axes.length && left.axes.every(isSame);
}

function forEachPair(left: Strided, right: Strided, where: string, visit: (x: number, y: number) => void): void {
  if (!haveSameShape(left, right)) {
    throw new ShapeError({
      where,
      got: `${formatNamed(left)} and ${formatNamed(right)}`,
      expected: "the same axes and sizes in the same order",
      fix: "Bring one into the other's form with transpose(), rename() or at().",
    });
  }
  const [a, b] = [numericRowMajor(left, where), numericRowMajor(right, where)];
  walk(left.shape, [a, b], ([i = 0, j = 0], length, [di = 0, dj = 0]) => {
    for (let k = 0; k < length; k++) visit(a.data[i + k * di] as number, b.data[j + k * dj] as number);
  });
}

function numericRowMajor(view: Strided, where: string): ReturnType<typeof numeric> {
  return numeric(rowMajor(view.dtype, compactData(view), view.shape, view.axes), where);
}
