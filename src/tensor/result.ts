/** Results of arithmetic: computed in float64, written once to their element type, integers checked. */
import { NumericError } from "../core/index.js";
import { allocate, type ComputeDType, type DType, type NumericArray, type TensorData } from "./dtype.js";
import { rowMajor, type Strided } from "./strided.js";

/** Element types that a computation can end in. */
export type ResultDType = ComputeDType | "bool";

/** Returns the array that a computation writes to: the result itself for floats and bools, float64 for integers. */
export function scratch(dtype: ResultDType, length: number): NumericArray {
  return dtype === "int32" || dtype === "int64" ? new Float64Array(length) : allocate(dtype, length);
}

/** Returns a row-major view of finished values; integers that do not fit are a NumericError. */
export function finish(
  values: NumericArray,
  dtype: ResultDType,
  named: { readonly shape: readonly number[]; readonly axes: readonly string[] },
  where: string,
): Strided {
  return rowMajor<DType>(dtype, finishedData(values, dtype, where), named.shape, named.axes);
}

function finishedData(values: NumericArray, dtype: ResultDType, where: string): TensorData {
  if (dtype === "int32") return Int32Array.from(checkedIntegers(values, dtype, where));
  if (dtype === "int64") return BigInt64Array.from(checkedIntegers(values, dtype, where), BigInt);
  return values;
}

const limits = { int32: [-0x8000_0000, 0x7fff_ffff], int64: [-(2 ** 53 - 1), 2 ** 53 - 1], uint8: [0, 255] } as const;

/** Returns numbers cut to integers towards zero; NaN, infinity and overflow of `dtype` are a NumericError. */
export function checkedIntegers(values: NumericArray, dtype: "int32" | "int64" | "uint8", where: string): Float64Array {
  const [low, high] = limits[dtype];
  const integers = new Float64Array(values.length);
  for (let i = 0; i < values.length; i++) {
    const value = Math.trunc(values[i] as number);
    if (!(value >= low && value <= high)) throw misfit(values[i] as number, i, { dtype, low, high, where });
    integers[i] = value;
  }
  return integers;
}

function misfit(
  value: number,
  i: number,
  target: { dtype: string; low: number; high: number; where: string },
): NumericError {
  return new NumericError({
    where: target.where,
    got: `${value} at flat index ${i}`,
    expected: `numbers that fit ${target.dtype}, ${target.low} to ${target.high}`,
    fix: 'Compute in floating point: cast("float64") first.',
  });
}
