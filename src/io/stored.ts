/** Tensors that lie in a file: the one description that every reader gives and that the runtime maps without copying. */
import { UnsupportedError } from "../core/index.js";
import type { DType } from "../tensor/index.js";

/** What limpid knows about an element type of a file: bits of one element, and the dtype that it becomes in memory. */
interface StoredDTypeInfo {
  /** Bits of one element in the file. */
  readonly bits: number;
  /** The dtype of a `Tensor` read from it; absent when limpid cannot read it. */
  readonly read?: DType;
}

/**
 * Element types that files hold.
 *
 * A tensor in memory has one of `DType`: `int8`, `int16` and `uint16` widen to `int32` on reading, `uint32` to `int64`.
 * `uint64` and those after it are known by size only: opening such a file works, reading the tensor is an error.
 */
export type StoredDType =
  | DType
  | "int8"
  | "int16"
  | "uint16"
  | "uint32"
  | "uint64"
  | "complex64"
  | "float8_e4m3"
  | "float8_e5m2"
  | "float8_e8m0"
  | "float6_e2m3"
  | "float6_e3m2"
  | "float4";

const storedDTypes: { readonly [D in StoredDType]: StoredDTypeInfo } = {
  float64: { bits: 64, read: "float64" },
  float32: { bits: 32, read: "float32" },
  float16: { bits: 16, read: "float16" },
  bfloat16: { bits: 16, read: "bfloat16" },
  int64: { bits: 64, read: "int64" },
  int32: { bits: 32, read: "int32" },
  int16: { bits: 16, read: "int32" },
  int8: { bits: 8, read: "int32" },
  uint8: { bits: 8, read: "uint8" },
  bool: { bits: 8, read: "bool" },
  uint16: { bits: 16, read: "int32" },
  uint32: { bits: 32, read: "int64" },
  uint64: { bits: 64 },
  complex64: { bits: 64 },
  float8_e4m3: { bits: 8 },
  float8_e5m2: { bits: 8 },
  float8_e8m0: { bits: 8 },
  float6_e2m3: { bits: 6 },
  float6_e3m2: { bits: 6 },
  float4: { bits: 4 },
};

/** A tensor inside a file: row-major and little-endian, unless {@link StoredTensor.strides} says otherwise. */
export interface StoredTensor {
  /** The tensor's name in its file. */
  readonly name: string;
  readonly dtype: StoredDType;
  readonly shape: readonly number[];
  /** The file that holds it. */
  readonly path: string;
  /** Where its first element starts, in bytes from the start of the file. */
  readonly offset: number;
  /** Bytes from the first element to the end of the last one. */
  readonly length: number;
  /**
   * Elements to step for each axis; present only when the elements are not contiguous in row-major order (a transposed
   * or expanded PyTorch tensor, a Fortran-ordered array). Such a tensor is gathered on reading and cannot be mapped.
   */
  readonly strides?: readonly number[];
  /** Axis names, outermost first, where the file records them. */
  readonly axes?: readonly string[];
}

/** Returns the bits of one element. */
export function bitsOf(dtype: StoredDType): number {
  return storedDTypes[dtype].bits;
}

/** Returns the number of elements of a shape: 1 for a scalar, 0 when an axis is empty. */
export function sizeOf(shape: readonly number[]): number {
  return shape.reduce((product, size) => product * size, 1);
}

/** Tells whether the bytes can be mapped as they lie: contiguous, and aligned to their element size. */
export function isMappable(stored: StoredTensor): boolean {
  return stored.strides === undefined && stored.offset % Math.max(1, bitsOf(stored.dtype) / 8) === 0;
}

/**
 * Returns the dtype that a stored tensor has once read.
 *
 * @throws UnsupportedError when limpid cannot read its element type; `where` names the use.
 */
export function readableDType(stored: StoredTensor): DType {
  const read = storedDTypes[stored.dtype].read;
  if (read !== undefined) return read;
  throw new UnsupportedError({
    where: describeStored(stored),
    got: `element type ${stored.dtype}`,
    expected: `one of ${readableNames()}`,
    fix: "Convert the tensor to one of these where the file was made.",
  });
}

/** Returns `FILE: tensor "NAME"`, the way messages name a stored tensor. */
export function describeStored(stored: Pick<StoredTensor, "path" | "name">): string {
  return `${stored.path}: tensor ${JSON.stringify(stored.name)}`;
}

/** Returns row-major strides, in elements. */
export function rowMajorStrides(shape: readonly number[]): readonly number[] {
  const strides = new Array<number>(shape.length).fill(1);
  for (let axis = shape.length - 2; axis >= 0; axis--) {
    strides[axis] = (strides[axis + 1] ?? 1) * (shape[axis + 1] ?? 1);
  }
  return strides;
}

/** Tells whether strides describe row-major contiguous elements; axes of size 1 and empty tensors count as contiguous. */
export function isContiguous(shape: readonly number[], strides: readonly number[]): boolean {
  if (sizeOf(shape) === 0) return true;
  const expected = rowMajorStrides(shape);
  return shape.every((size, axis) => size === 1 || strides[axis] === expected[axis]);
}

function readableNames(): string {
  return Object.entries(storedDTypes)
    .filter(([, info]) => info.read !== undefined)
    .map(([name]) => name)
    .join(", ");
}
