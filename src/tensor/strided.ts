/** The record under every tensor: a typed array read through sizes, strides and an offset. */
import { NumericError } from "../core/index.js";
import { sizeOf } from "./axes.js";
import { allocate, type DataOf, type DType, type NumericArray, type TensorData } from "./dtype.js";
import { bfloat16ToFloat32, float16ToFloat32 } from "./half.js";
import { walk } from "./walk.js";

/** A view: element `[i, j]` is `data[offset + i * strides[0] + j * strides[1]]`. Strides of 0 repeat. */
export interface Strided<D extends DType = DType> {
  readonly dtype: D;
  readonly data: DataOf[D];
  readonly axes: readonly string[];
  readonly shape: readonly number[];
  readonly strides: readonly number[];
  readonly offset: number;
}

/** A view whose elements are read as numbers without decoding. */
export interface NumericStrided extends Pick<Strided, "axes" | "shape" | "strides" | "offset"> {
  readonly data: NumericArray;
}

/** Returns row-major strides. */
export function rowMajorStrides(shape: readonly number[]): number[] {
  const strides = new Array<number>(shape.length).fill(1);
  for (let i = shape.length - 2; i >= 0; i--) strides[i] = (strides[i + 1] ?? 1) * (shape[i + 1] ?? 1);
  return strides;
}

/** Returns a view on the whole of `data`, row-major. */
export function rowMajor<D extends DType>(
  dtype: D,
  data: DataOf[D],
  shape: readonly number[],
  axes: readonly string[],
): Strided<D> {
  return { dtype, data, axes, shape, strides: rowMajorStrides(shape), offset: 0 };
}

/** Tells whether the view's elements lie row-major without gaps (from `offset` on). */
export function isRowMajor(view: Pick<Strided, "shape" | "strides">): boolean {
  let expected = 1;
  for (let i = view.shape.length - 1; i >= 0; i--) {
    const size = view.shape[i] ?? 1;
    if (size === 0) return true;
    if (size > 1 && view.strides[i] !== expected) return false;
    expected *= size;
  }
  return true;
}

/** Returns the elements row-major: a window on the same memory where possible, else a copy. */
export function compactData<D extends DType>(view: Strided<D>): DataOf[D] {
  const size = sizeOf(view.shape);
  if (isRowMajor(view)) return window(view.dtype, view.data, view.offset, size);
  return copiedData(view);
}

/** Returns a row-major copy of the elements. */
export function copiedData<D extends DType>(view: Strided<D>): DataOf[D] {
  const target = allocate(view.dtype, sizeOf(view.shape));
  copyInto(rowMajor(view.dtype, target, view.shape, view.axes), view);
  return target;
}

/** Copies `source` into `target`: two views of one shape and element type. */
export function copyInto(target: Strided, source: Strided): void {
  const [to, from] = [target.data, source.data];
  walk(source.shape, [target, source], (starts, length, strides) => {
    const [toStart = 0, fromStart = 0] = starts;
    const [toStride = 0, fromStride = 0] = strides;
    if (toStride === 1 && fromStride === 1 && length > 16) {
      setWindow(to, toStart, from.subarray(fromStart, fromStart + length));
      return;
    }
    copyRun({ to, toStart, toStride, from, fromStart, fromStride, length });
  });
}

/** Returns the view with elements readable as numbers: 16-bit floats and 64-bit integers are decoded, others shared. */
export function numeric(view: Strided, where: string): NumericStrided {
  const { data, dtype } = view;
  if (dtype !== "float16" && dtype !== "bfloat16" && dtype !== "int64") return { ...view, data: data as NumericArray };
  const decoded = decode(compactData(view), dtype, where);
  return { axes: view.axes, shape: view.shape, strides: rowMajorStrides(view.shape), offset: 0, data: decoded };
}

function decode(data: TensorData, dtype: "float16" | "bfloat16" | "int64", where: string): NumericArray {
  if (data instanceof BigInt64Array) return safeNumbers(data, where);
  if (!(data instanceof Uint16Array)) return new Float64Array(0);
  return dtype === "float16" ? float16ToFloat32(data) : bfloat16ToFloat32(data);
}

/** Returns 64-bit integers as numbers, or throws a NumericError when one is beyond ±2^53. */
export function safeNumbers(data: BigInt64Array, where: string): Float64Array {
  const numbers = new Float64Array(data.length);
  for (let i = 0; i < data.length; i++) {
    const value = Number(data[i]);
    if (!Number.isSafeInteger(value)) {
      throw new NumericError({
        where,
        got: `the int64 value ${data[i]} at flat index ${i}`,
        expected: "integers within ±(2^53 - 1)",
        fix: "Read such values from `tensor.data`, a BigInt64Array.",
      });
    }
    numbers[i] = value;
  }
  return numbers;
}

function window<D extends DType>(dtype: D, data: DataOf[D], offset: number, size: number): DataOf[D] {
  if (offset === 0 && data.length === size) return data;
  return subarrayOf(dtype, data, offset, size);
}

function subarrayOf<D extends DType>(_dtype: D, data: DataOf[D], offset: number, size: number): DataOf[D] {
  // Every typed array's subarray has its own type; TypeScript only sees the union.
  return data.subarray(offset, offset + size) as DataOf[D];
}

function setWindow(to: TensorData, toStart: number, part: TensorData): void {
  if (to instanceof BigInt64Array) {
    if (part instanceof BigInt64Array) to.set(part, toStart);
  } else if (!(part instanceof BigInt64Array)) to.set(part, toStart);
}

interface Run {
  readonly to: TensorData;
  readonly toStart: number;
  readonly toStride: number;
  readonly from: TensorData;
  readonly fromStart: number;
  readonly fromStride: number;
  readonly length: number;
}

function copyRun(run: Run): void {
  const { to, from, toStride, fromStride } = run;
  let [i, j] = [run.toStart, run.fromStart];
  for (let n = run.length; n > 0; n--, i += toStride, j += fromStride) {
    // Both arrays have one element type, so the union of number and bigint elements cannot mix.
    (to as Float64Array)[i] = (from as Float64Array)[j] as number;
  }
}
