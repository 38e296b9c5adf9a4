/** Activations from tensors in memory. */
import { InputError, ShapeError } from "../../core/index.js";
import type { Tensor } from "../../tensor/index.js";
import { checkVectors } from "./finite.js";
import type { ActivationSource, SourceHook } from "./source.js";

/** Returns a source over tensors by hook name, each `[token, …]` or `[batch, pos, width]`, the last axis one vector. */
export function tensorSource(tensors: Readonly<Record<string, Tensor>>): ActivationSource {
  const entries = Object.entries(tensors).map(([name, tensor]) => ({ ...hookOf(name, tensor), data: floats(tensor) }));
  const counts = entries.map(({ width, data }) => data.length / width);
  const [count = 0] = counts;
  if (entries.length === 0 || counts.some((one) => one !== count)) throw unequal(counts);
  for (const { name, width, data } of entries) checkVectors(name, data, (row) => `vector ${row}`, width);
  return {
    hooks: entries.map(({ name, width }) => ({ name, width })),
    unitTokens: new Uint8Array(count).fill(1),
    about: { kind: "tensors", count },
    readsAhead: false,
    read: (pieces) =>
      Promise.resolve(new Map(entries.map(({ name, width, data }) => [name, picked(data, width, pieces)] as const))),
  };
}

function picked(data: Float32Array, width: number, pieces: readonly { readonly unit: number }[]): Float32Array {
  const result = new Float32Array(pieces.length * width);
  for (const [i, { unit }] of pieces.entries()) result.set(data.subarray(unit * width, (unit + 1) * width), i * width);
  return result;
}

function floats(tensor: Tensor): Float32Array {
  const { data } = tensor.contiguous();
  return data instanceof Float32Array ? data : Float32Array.from(data as ArrayLike<number>);
}

function hookOf(name: string, tensor: Tensor): SourceHook {
  const width = tensor.shape.at(-1) ?? 0;
  if (tensor.shape.length >= 2 && width > 0) return { name, width };
  throw new ShapeError({
    where: `activations "${name}"`,
    got: `shape [${tensor.shape.join(", ")}]`,
    expected: "[token, width]",
    fix: "Give one vector for each token.",
  });
}

function unequal(counts: readonly number[]): InputError {
  return new InputError({
    where: "activations",
    got: counts.length === 0 ? "no tensor" : `tensors of ${counts.join(", ")} vectors`,
    expected: "at least one tensor, all of as many vectors",
    fix: "Take the values of all hook points at the same tokens.",
  });
}
