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

/**
 * Takes the tensor's buffer away from its owner.
 *
 * Copies where that cannot be: the buffer holds more than the tensor, is shared, or belongs to WebAssembly.
 */
export function detachTensor(tensor: RawTensor): RawTensor {
  const { dtype, shape, data } = tensor;
  if (!fillsBuffer(data)) return copyTensor(tensor);
  try {
    return { dtype, shape: [...shape], data: structuredClone(data, { transfer: [data.buffer] }) };
  } catch {
    return copyTensor(tensor);
  }
}

/** Copies tensors, or takes their buffers away; a buffer that several tensors use is copied. */
export function takeTensors(
  tensors: Readonly<Record<string, RawTensor>>,
  transfer: boolean,
): Record<string, RawTensor> {
  const uses = new Map<unknown, number>();
  for (const { data } of Object.values(tensors)) uses.set(data.buffer, (uses.get(data.buffer) ?? 0) + 1);
  const take = (tensor: RawTensor): RawTensor =>
    transfer && uses.get(tensor.data.buffer) === 1 ? detachTensor(tensor) : copyTensor(tensor);
  return Object.fromEntries(Object.entries(tensors).map(([name, tensor]) => [name, take(tensor)]));
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
