/** Moving typed arrays between threads without copying more than needed. */
import type { GraphData } from "../graph/index.js";
import type { RawTensor } from "./types.js";

/** Returns the tensor with data that is safe to give away: its own when it fills its buffer, else a copy. */
export function ownBuffer(tensor: RawTensor): RawTensor {
  return fillsBuffer(tensor.data) ? tensor : copyTensor(tensor);
}

/** Returns the tensor with data in a fresh buffer of its own, also when it was over shared memory. */
export function copyTensor(tensor: RawTensor): RawTensor {
  return { dtype: tensor.dtype, shape: [...tensor.shape], data: tensor.data.slice() };
}

/** Takes the tensor's buffer away from its owner, or copies where the buffer holds more than the tensor. */
export function detachTensor(tensor: RawTensor): RawTensor {
  const { dtype, shape, data } = tensor;
  if (!fillsBuffer(data)) return copyTensor(tensor);
  return { dtype, shape: [...shape], data: structuredClone(data, { transfer: [data.buffer] }) };
}

/** Returns the distinct buffers of tensors, for a transfer list. */
export function buffersOf(tensors: Iterable<RawTensor>): ArrayBuffer[] {
  const buffers = new Set<ArrayBuffer>();
  for (const { data } of tensors) if (data.buffer instanceof ArrayBuffer) buffers.add(data.buffer);
  return [...buffers];
}

type Owning<T> = T extends GraphData ? T & { readonly buffer: ArrayBuffer } : never;

function fillsBuffer(data: GraphData): data is Owning<GraphData> {
  return data.buffer instanceof ArrayBuffer && data.byteLength === data.buffer.byteLength;
}
