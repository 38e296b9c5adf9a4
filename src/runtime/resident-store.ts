/**
 * Tensors that stay in the worker between runs.
 *
 * Each has two buffers: runs read the front and write the back, and a run that succeeds swaps them. So a failed or
 * aborted run changes nothing, and repeated runs allocate nothing.
 */
import type { InferenceSession, Tensor } from "onnxruntime-node";
import { InternalError } from "../core/index.js";
import { fromOrt } from "./ort.js";
import type { ResidentShape } from "./protocol.js";

interface Slot {
  readonly front: Tensor;
  readonly back: Tensor | undefined;
}

/** Holds resident tensors by name. */
export class ResidentStore {
  readonly #slots = new Map<string, Slot>();

  /** Stores or replaces a tensor; takes it over. */
  put(name: string, tensor: Tensor): ResidentShape {
    this.#slots.set(name, { front: tensor, back: undefined });
    return this.#shape(name);
  }

  /** Returns the tensor that runs read. */
  front(name: string): Tensor {
    return this.#slot(name).front;
  }

  /** Returns a buffer that `output` of `session` may be written to in place; null when it does not fit for certain. */
  back(name: string, session: InferenceSession, output: string): Tensor | null {
    const back = this.#slots.get(name)?.back;
    const declared = session.outputMetadata.find((value) => value.name === output);
    if (back === undefined || declared === undefined || !declared.isTensor || declared.type !== back.type) return null;
    return sameSizes(declared.shape, back.dims) ? back : null;
  }

  /** Makes `tensor` the one that runs read; what they read before becomes the next buffer to write to. */
  commit(name: string, tensor: Tensor): ResidentShape {
    const old = this.#slots.get(name)?.front;
    const isReusable = old !== undefined && old.type === tensor.type && sameSizes(old.dims, tensor.dims);
    const isAlias = fromOrt(tensor).data.buffer === (old === undefined ? undefined : fromOrt(old).data.buffer);
    this.#slots.set(name, { front: tensor, back: isReusable && !isAlias ? old : undefined });
    return this.#shape(name);
  }

  /** Forgets a tensor. */
  drop(name: string): void {
    this.#slots.delete(name);
  }

  #shape(name: string): ResidentShape {
    const { front, back } = this.#slot(name);
    const { dtype, shape, data } = fromOrt(front);
    return { dtype, shape, bytes: data.byteLength * (back === undefined ? 1 : 2) };
  }

  #slot(name: string): Slot {
    const slot = this.#slots.get(name);
    if (slot !== undefined) return slot;
    throw new InternalError({
      where: `engine: resident tensor "${name}"`,
      got: "a name that the worker does not hold",
      expected: "one that was put or written by a run",
      fix: "Please report it.",
    });
  }
}

function sameSizes(declared: readonly (number | string)[], dims: readonly number[]): boolean {
  return declared.length === dims.length && declared.every((size, axis) => size === dims[axis]);
}
