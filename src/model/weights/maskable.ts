/** The matrices whose single weights can be kept or dropped: those of attention and MLPs, as TransformerLens shapes them. */
import { InputError } from "../../core/index.js";
import { Tensor } from "../../tensor/index.js";
import type { ModelCore } from "../view.js";
import { matrixOf } from "./read-linear.js";
import type { Linear } from "./weight-map.js";

/** What a matrix does. */
export type MatrixKind = "W_Q" | "W_K" | "W_V" | "W_O" | "W_in" | "W_gate" | "W_out";

/** One matrix. */
export interface WeightMatrix {
  /** TransformerLens's name, such as `blocks.0.attn.W_Q`. */
  readonly name: string;
  readonly layer: number;
  readonly kind: MatrixKind;
  /**
   * `W_Q [head, dModel, dHead]`, `W_K` and `W_V` alike over key/value heads (not repeated), `W_O [head, dHead, dModel]`,
   * `W_in` and `W_gate [dModel, dMlp]`, `W_out [dMlp, dModel]`.
   */
  readonly shape: readonly number[];
}

interface Located extends WeightMatrix {
  readonly linear: Linear;
}

function located({ config, map }: Pick<ModelCore, "config" | "map">): readonly Located[] {
  const { nHeads, nKeyValueHeads, dHead, dModel, dMlp } = config;
  return map.blocks.flatMap(({ attn, mlp }, layer) => {
    const matrix = (part: string, kind: MatrixKind, shape: readonly number[], linear: Linear): Located => {
      return { name: `blocks.${layer}.${part}.${kind}`, layer, kind, shape, linear };
    };
    const attention = [
      matrix("attn", "W_Q", [nHeads, dModel, dHead], attn.q),
      matrix("attn", "W_K", [nKeyValueHeads, dModel, dHead], attn.k),
      matrix("attn", "W_V", [nKeyValueHeads, dModel, dHead], attn.v),
      matrix("attn", "W_O", [nHeads, dHead, dModel], attn.o),
    ];
    if (mlp === undefined) return attention;
    const gate = mlp.gate === undefined ? [] : [matrix("mlp", "W_gate", [dModel, dMlp], mlp.gate)];
    const [into, out] = [
      matrix("mlp", "W_in", [dModel, dMlp], mlp.in),
      matrix("mlp", "W_out", [dMlp, dModel], mlp.out),
    ];
    return [...attention, into, ...gate, out];
  });
}

/** Returns every matrix of attention and MLPs, layer by layer. */
export function maskableMatrices(core: Pick<ModelCore, "config" | "map">): readonly WeightMatrix[] {
  return located(core).map(({ name, layer, kind, shape }) => ({ name, layer, kind, shape }));
}

/** Number of elements of a shape. */
export function sizeOf(shape: readonly number[]): number {
  return shape.reduce((product, size) => product * size, 1);
}

/** Where a matrix lies: which stored tensor, and the place there of each of its elements. */
export interface StoredPlaces {
  readonly stored: string;
  readonly storedShape: readonly number[];
  readonly places: Int32Array;
}

type Core = Pick<ModelCore, "config" | "map" | "tensors">;

/** Places that were looked up before, by the tensors of the checkpoint: every mask of a model needs the same. */
const known = new WeakMap<Core["tensors"], Map<string, StoredPlaces>>();

/** Returns where the elements of a matrix lie in the checkpoint; fused and interleaved ones are untangled. */
export function placesOf(core: Core, name: string): StoredPlaces {
  const own = known.get(core.tensors) ?? new Map<string, StoredPlaces>();
  known.set(core.tensors, own);
  const found = own.get(name) ?? computePlaces(core, name);
  own.set(name, found);
  return found;
}

function computePlaces(core: Core, name: string): StoredPlaces {
  const all = located(core);
  const found = all.find((matrix) => matrix.name === name);
  if (found === undefined) throw unknown(name, all);
  const { linear, kind } = found;
  const shape = core.tensors.get(linear.weight)?.shape ?? linear.shape;
  const numbered = Tensor.of(
    Int32Array.from({ length: sizeOf(shape) }, (_, i) => i),
    shape,
  );
  const matrix = matrixOf(numbered, linear);
  // `[in, head·dHead]` to `[head, in, dHead]`; outputs are `[head·dHead, out]` as they are.
  const isPerHead = kind === "W_Q" || kind === "W_K" || kind === "W_V";
  const heads = found.shape[0] ?? 1;
  const turned = isPerHead
    ? matrix.unflatten("out", { head: heads, dHead: matrix.sizeOf("out") / heads }).transpose(["head", "in", "dHead"])
    : matrix;
  return {
    stored: linear.weight,
    storedShape: shape,
    places: Int32Array.from(turned.contiguous().data as ArrayLike<number>),
  };
}

function unknown(name: string, all: readonly WeightMatrix[]): InputError {
  return new InputError({
    where: "edit.keepWeights",
    got: JSON.stringify(name),
    expected: `matrices of the model, such as ${all[0]?.name ?? "none"} to ${all.at(-1)?.name ?? "none"}`,
    fix: "Make the mask from this model.",
  });
}
