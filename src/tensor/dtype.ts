/** The one table of element types, and the rules for the element type of a result. */
import { DTypeError } from "../core/index.js";

/** The typed array that holds each element type; `float16` and `bfloat16` are raw bits. */
export interface DataOf {
  readonly float32: Float32Array;
  readonly float64: Float64Array;
  readonly int32: Int32Array;
  readonly int64: BigInt64Array;
  readonly uint8: Uint8Array;
  readonly bool: Uint8Array;
  readonly float16: Uint16Array;
  readonly bfloat16: Uint16Array;
}

/** Element types. `int64`, `float16` and `bfloat16` live at the boundary: files, feeds and results. */
export type DType = keyof DataOf;

/** Any typed array that a tensor can hold. */
export type TensorData = DataOf[DType];

/** Element types that results of arithmetic have. */
export type ComputeDType = "float32" | "float64" | "int32" | "int64";

/** Typed arrays whose elements are read as plain numbers without decoding. */
export type NumericArray = Float32Array | Float64Array | Int32Array | Uint8Array;

/** The element type that a typed array implies; `Uint8Array` counts as `uint8`, raw 16-bit data is ambiguous. */
export type DTypeOfData<T> = T extends Float32Array
  ? "float32"
  : T extends Float64Array
    ? "float64"
    : T extends Int32Array
      ? "int32"
      : T extends BigInt64Array
        ? "int64"
        : T extends Uint8Array
          ? "uint8"
          : T extends Uint16Array
            ? "float16" | "bfloat16"
            : DType;

/** The floating type of a result that may have fractions: 16-bit floats become float32, integers float64. */
export type FloatOf<D extends DType> = D extends "float32" | "float16" | "bfloat16" ? "float32" : "float64";

/** The element type of `a + b`. */
export type Promote<D extends DType, E extends DType> = "float64" extends D | E
  ? "float64"
  : Extract<D | E, "float32" | "float16" | "bfloat16"> extends never
    ? "int64" extends D | E
      ? "int64"
      : "int32"
    : "float32";

interface DTypeRow {
  readonly bytes: number;
  /** `TensorProto.DataType` of ONNX. */
  readonly onnxCode: number;
  readonly isFloat: boolean;
  /** The name of the typed array class. */
  readonly array: string;
}

/** Bytes, ONNX code and kind of every element type. */
export const dtypes: { readonly [D in DType]: DTypeRow } = {
  float32: { bytes: 4, onnxCode: 1, isFloat: true, array: "Float32Array" },
  float64: { bytes: 8, onnxCode: 11, isFloat: true, array: "Float64Array" },
  int32: { bytes: 4, onnxCode: 6, isFloat: false, array: "Int32Array" },
  int64: { bytes: 8, onnxCode: 7, isFloat: false, array: "BigInt64Array" },
  uint8: { bytes: 1, onnxCode: 2, isFloat: false, array: "Uint8Array" },
  bool: { bytes: 1, onnxCode: 9, isFloat: false, array: "Uint8Array" },
  float16: { bytes: 2, onnxCode: 10, isFloat: true, array: "Uint16Array" },
  bfloat16: { bytes: 2, onnxCode: 16, isFloat: true, array: "Uint16Array" },
};

const constructors: { readonly [D in DType]: new (length: number) => DataOf[D] } = {
  float32: Float32Array,
  float64: Float64Array,
  int32: Int32Array,
  int64: BigInt64Array,
  uint8: Uint8Array,
  bool: Uint8Array,
  float16: Uint16Array,
  bfloat16: Uint16Array,
};

/** Returns a zeroed typed array of `length` elements. */
export function allocate<D extends DType>(dtype: D, length: number): DataOf[D] {
  return new constructors[dtype](length);
}

/** Tells whether `name` is an element type. */
export function isDTypeName(name: string): name is DType {
  return Object.hasOwn(dtypes, name);
}

/** Returns the element type of a typed array, or checks that `wanted` can live in it. */
export function dtypeOfData(data: TensorData, wanted: DType | undefined, where: string): DType {
  const array = data[Symbol.toStringTag];
  if (wanted !== undefined) {
    if (dtypes[wanted].array === array) return wanted;
    throw dtypeError(where, array, `${dtypes[wanted].array} for ${wanted}`, "Pass the matching array, or cast after.");
  }
  for (const dtype of ["float32", "float64", "int32", "int64", "uint8"] as const) {
    if (dtypes[dtype].array === array) return dtype;
  }
  const expected = "Float32Array, Float64Array, Int32Array, BigInt64Array or Uint8Array";
  throw dtypeError(where, array, expected, 'Raw 16-bit data needs its dtype: "float16" or "bfloat16".');
}

/** Returns the element type of a sum or product of two tensors. */
export function promote(a: DType, b: DType): ComputeDType {
  if (a === "float64" || b === "float64") return "float64";
  if (dtypes[a].isFloat || dtypes[b].isFloat) return "float32";
  return a === "int64" || b === "int64" ? "int64" : "int32";
}

/** Returns the floating type of a result that may have fractions. */
export function floatOf(dtype: DType): "float32" | "float64" {
  return dtypes[dtype].isFloat && dtype !== "float64" ? "float32" : "float64";
}

/** Returns the element type of a tensor combined with a plain number; a fraction turns integers into float64. */
export function promoteScalar(dtype: DType, value: number): ComputeDType {
  if (dtypes[dtype].isFloat || Number.isInteger(value)) return promote(dtype, dtype);
  return "float64";
}

function dtypeError(where: string, got: string, expected: string, fix: string): DTypeError {
  return new DTypeError({ where, got, expected, fix });
}
