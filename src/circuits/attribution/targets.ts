/** Targets of a walk: features of the prompt, logits, and directions of your own. */
import type { Tensor } from "../../tensor/index.js";
import type { ActiveFeature, FrozenPrompt } from "./frozen.js";
import type { LinearModel } from "./linear-model.js";
import type { WalkTarget } from "./rows.js";

function column(matrix: Tensor, index: number): Float64Array {
  const [rows = 0, columns = 0] = matrix.shape;
  const data = matrix.data as ArrayLike<number>;
  return Float64Array.from({ length: rows }, (_, i) => data[i * columns + index] ?? 0);
}

function dot(a: ArrayLike<number>, b: ArrayLike<number> | undefined): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += (a[i] ?? 0) * (b?.[i] ?? 0);
  return sum;
}

/** A feature's pre-activation, as a target. */
export function featureTarget(linear: LinearModel, frozen: FrozenPrompt, active: ActiveFeature): WalkTarget {
  const loaded = frozen.dictionaries.get(active.layer);
  const { layer, pos, feature, preActivation } = active;
  const direction = loaded === undefined ? new Float64Array(linear.dModel) : column(loaded.W_enc, feature);
  const own = Number(loaded?.b_enc.data[feature] ?? 0);
  const { subtractsDecoderBias = false } = loaded?.dictionary.config ?? {};
  const centre = subtractsDecoderBias ? dot(direction, loaded?.b_dec.data as ArrayLike<number>) : 0;
  const readsAffine = frozen.layers[layer]?.reads === "affine";
  const beta = readsAffine ? dot(direction, linear.blocks[layer]?.ln2.bias?.data as ArrayLike<number> | undefined) : 0;
  const constant = own - centre + beta;
  return { start: { kind: "dictionary", layer }, pos, direction, constant, value: preActivation };
}

/** A direction at the input of the unembedding, at one position; its value is the logits along it. */
export function logitTarget(
  linear: LinearModel,
  pos: number,
  { direction, constant, value }: Pick<WalkTarget, "direction" | "constant" | "value">,
): WalkTarget {
  const beta = dot(direction, linear.lnFinal.bias?.data as ArrayLike<number> | undefined);
  return { start: { kind: "unembed" }, pos, direction, constant: constant + beta, value };
}
