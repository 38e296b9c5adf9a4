/** From the bytes of a file to typed arrays, and from typed arrays to float32. */
import { FormatError } from "../core/index.js";
import { bfloat16ToFloat32, type DType, float16ToFloat32, Tensor, type TensorData } from "../tensor/index.js";
import { bitsOf, describeStored, readableDType, type StoredDType, type StoredTensor } from "./stored.js";

/** Returns the typed array of row-major little-endian bytes; `bytes` must start at the start of its buffer's element. */
export function decode(bytes: Uint8Array, stored: StoredTensor): TensorData {
  const dtype = readableDType(stored);
  const aligned = bytes.byteOffset % (bitsOf(stored.dtype) / 8) === 0 ? bytes : bytes.slice();
  if (dtype === "bool") return checkBooleans(aligned, stored);
  return views[stored.dtype]?.(aligned.buffer, aligned.byteOffset, aligned.byteLength) ?? aligned;
}

/** Returns a tensor of row-major bytes. */
export function tensorOfBytes(bytes: Uint8Array, stored: StoredTensor): Tensor {
  return tensorOfData(decode(bytes, stored), stored);
}

/** Returns a tensor of a stored tensor's decoded data. */
export function tensorOfData(data: TensorData, stored: StoredTensor): Tensor {
  return makeTensor(data, readableDType(stored), stored);
}

/** Returns a tensor of data whose element type is given, since 8- and 16-bit arrays do not tell theirs. */
export function makeTensor(data: TensorData, dtype: DType, layout: Pick<StoredTensor, "shape" | "axes">): Tensor {
  return Tensor.of(data, layout.shape, layout.axes, dtype);
}

/** Returns the values as float32: 16-bit floats exactly, wider numbers rounded, booleans as 0 and 1. */
export function toFloat32(data: TensorData, dtype: DType): Float32Array {
  if (data instanceof Float32Array) return data;
  if (data instanceof Uint16Array) return dtype === "bfloat16" ? bfloat16ToFloat32(data) : float16ToFloat32(data);
  return data instanceof BigInt64Array ? Float32Array.from(data, Number) : Float32Array.from(data);
}

const views: { readonly [D in StoredDType]?: (buffer: ArrayBufferLike, offset: number, bytes: number) => TensorData } =
  {
    float32: (buffer, offset, bytes) => new Float32Array(buffer, offset, bytes / 4),
    float64: (buffer, offset, bytes) => new Float64Array(buffer, offset, bytes / 8),
    float16: (buffer, offset, bytes) => new Uint16Array(buffer, offset, bytes / 2),
    bfloat16: (buffer, offset, bytes) => new Uint16Array(buffer, offset, bytes / 2),
    int64: (buffer, offset, bytes) => new BigInt64Array(buffer, offset, bytes / 8),
    int32: (buffer, offset, bytes) => new Int32Array(buffer, offset, bytes / 4),
    int16: (buffer, offset, bytes) => Int32Array.from(new Int16Array(buffer, offset, bytes / 2)),
    int8: (buffer, offset, bytes) => Int32Array.from(new Int8Array(buffer, offset, bytes)),
    uint16: (buffer, offset, bytes) => Int32Array.from(new Uint16Array(buffer, offset, bytes / 2)),
    uint32: (buffer, offset, bytes) => BigInt64Array.from(new Uint32Array(buffer, offset, bytes / 4), BigInt),
  };

function checkBooleans(bytes: Uint8Array, stored: StoredTensor): Uint8Array {
  const at = bytes.findIndex((byte) => byte > 1);
  if (at < 0) return bytes;
  throw new FormatError({
    where: describeStored(stored),
    got: `the byte ${bytes[at]} at element ${at} of a bool tensor`,
    expected: "0 or 1",
    fix: "The file is damaged, or its numbers were labelled bool; get it again.",
  });
}
