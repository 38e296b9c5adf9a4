/** Conversion between element types; nothing wraps around or is lost silently. */
import { sizeOf } from "./axes.js";
import type { DataOf, DType, NumericArray } from "./dtype.js";
import { toBfloat16, toFloat16 } from "./half.js";
import { checkedIntegers } from "./result.js";
import { compactData, numeric, rowMajor, type Strided } from "./strided.js";

/**
 * Returns the view with its elements converted.
 *
 * Floats round to nearest, ties to even; fractions are cut towards zero for integers, where NaN, infinity and overflow
 * are errors; bool is "not zero", NaN included. A view that has the type already is returned as it is.
 */
export function cast<D extends DType>(view: Strided, dtype: D): Strided<D> {
  if (isOfType(view, dtype)) return view;
  const where = `tensor.cast("${dtype}")`;
  return rowMajor(dtype, convert(numericCompact(view, where), dtype, where), view.shape, view.axes);
}

function isOfType<D extends DType>(view: Strided, dtype: D): view is Strided<D> {
  return view.dtype === dtype;
}

function numericCompact(view: Strided, where: string): NumericArray {
  const compact = rowMajor<DType>(view.dtype, compactData(view), view.shape, view.axes);
  return numeric(compact, where).data;
}

type Converter<D extends DType> = (source: NumericArray, where: string) => DataOf[D];

const converters: { readonly [D in DType]: Converter<D> } = {
  float32: (source) => Float32Array.from(source),
  float64: (source) => Float64Array.from(source),
  int32: (source, where) => Int32Array.from(checkedIntegers(source, "int32", where)),
  int64: (source, where) => BigInt64Array.from(checkedIntegers(source, "int64", where), BigInt),
  uint8: (source, where) => Uint8Array.from(checkedIntegers(source, "uint8", where)),
  bool: (source) => Uint8Array.from(source, (value) => (value === 0 ? 0 : 1)),
  float16: (source) => toFloat16(floats(source)),
  bfloat16: (source) => toBfloat16(floats(source)),
};

function convert<D extends DType>(source: NumericArray, dtype: D, where: string): DataOf[D] {
  return converters[dtype](source, where);
}

function floats(source: NumericArray): Float32Array | Float64Array {
  return source instanceof Float32Array ? source : Float64Array.from(source);
}

/** Returns a typed array of `dtype` filled with one value, checked like a cast. */
export function filled<D extends DType>(dtype: D, shape: readonly number[], value: number, where: string): DataOf[D] {
  return convert(new Float64Array(sizeOf(shape)).fill(value), dtype, where);
}
