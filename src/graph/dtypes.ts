/** One table per element type: its size, its typed array and its ONNX code. */
import type { GraphData, GraphDType } from "./ir.js";

/** What the graph layer knows about an element type. */
export interface GraphDTypeInfo {
  /** Bytes of one element. */
  readonly bytes: number;
  /** `TensorProto.DataType` of ONNX. */
  readonly onnx: number;
  /** Short name in printed constants. */
  readonly short: string;
}

/** Facts about each element type. */
export const graphDTypes: Readonly<Record<GraphDType, GraphDTypeInfo>> = {
  float32: { bytes: 4, onnx: 1, short: "f32" },
  float64: { bytes: 8, onnx: 11, short: "f64" },
  int32: { bytes: 4, onnx: 6, short: "i32" },
  int64: { bytes: 8, onnx: 7, short: "i64" },
  bool: { bytes: 1, onnx: 9, short: "bool" },
};

/** Every element type, in the order of the table. */
export const graphDTypeNames: readonly GraphDType[] = ["float32", "float64", "int32", "int64", "bool"];

/** Floating-point element types. */
export const floatDTypes: readonly GraphDType[] = ["float32", "float64"];

/** Element types that arithmetic is defined on. */
export const numberDTypes: readonly GraphDType[] = ["float32", "float64", "int32", "int64"];

/** Returns the element type with an ONNX `TensorProto.DataType` code, or undefined when graphs do not have it. */
export function dtypeOfOnnx(code: number): GraphDType | undefined {
  return graphDTypeNames.find((name) => graphDTypes[name].onnx === code);
}

/** Returns the element type that a typed array holds. */
export function dtypeOfData(data: GraphData): GraphDType {
  if (data instanceof Float32Array) return "float32";
  if (data instanceof Float64Array) return "float64";
  if (data instanceof Int32Array) return "int32";
  return data instanceof BigInt64Array ? "int64" : "bool";
}

/** Returns a typed array of `dtype` that holds `values`; booleans are 0 or 1. */
export function dataOf(dtype: GraphDType, values: readonly (number | bigint)[]): GraphData {
  if (dtype === "int64") return BigInt64Array.from(values, BigInt);
  const data = new arrays[dtype](values.length);
  values.forEach((value, index) => {
    data[index] = dtype === "bool" ? Number(Number(value) !== 0) : Number(value);
  });
  return data;
}

const arrays = { float32: Float32Array, float64: Float64Array, int32: Int32Array, bool: Uint8Array };

/** Returns a typed array of `dtype` over a copy of little-endian `bytes`. */
export function dataOfBytes(dtype: GraphDType, bytes: Uint8Array): GraphData {
  const { buffer } = bytes.slice();
  switch (dtype) {
    case "float32":
      return new Float32Array(buffer);
    case "float64":
      return new Float64Array(buffer);
    case "int32":
      return new Int32Array(buffer);
    case "int64":
      return new BigInt64Array(buffer);
    case "bool":
      return new Uint8Array(buffer);
  }
}

/** Returns the bytes of a typed array, sharing its memory. */
export function bytesOfData(data: GraphData): Uint8Array {
  return new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
}
