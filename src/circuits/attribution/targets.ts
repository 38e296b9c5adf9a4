/** Targets of a walk: features of the prompt, logits, and directions of your own. */
import { InternalError } from "../../core/index.js";
import type { Tensor } from "../../tensor/index.js";
import type { ActiveFeature, FrozenPrompt, LoadedDictionary } from "./frozen.js";
import type { LinearModel } from "./linear-model.js";
import type { WalkTarget } from "./rows.js";

function column(matrix: Tensor, index: number): Float64Array {
  const [rows = 0, columns = 0] = matrix.shape;
  const data = matrix.data as ArrayLike<number>;
  return Float64Array.from({ length: rows }, (_, i) => data[i * columns + index] ?? 0);
}

function numbers({ data }: Tensor): ArrayLike<number> {
  return data as ArrayLike<number>;
}

function dot(a: ArrayLike<number>, b: ArrayLike<number>): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += (a[i] ?? 0) * (b[i] ?? 0);
  return sum;
}

/** What is added to a feature's pre-activation whatever is read: its bias, the centre, the bias of the norm. */
function encoderConstant(
  linear: LinearModel,
  frozen: FrozenPrompt,
  active: Pick<ActiveFeature, "feature" | "layer">,
  loaded: LoadedDictionary,
): number {
  const { layer, feature } = active;
  const direction = column(loaded.W_enc, feature);
  const centre = loaded.dictionary.config.subtractsDecoderBias ? dot(direction, numbers(loaded.b_dec)) : 0;
  const beta = linear.blocks[layer]?.ln2.bias;
  const fromNorm = frozen.layers[layer]?.reads === "affine" && beta !== undefined ? dot(direction, numbers(beta)) : 0;
  return Number(loaded.b_enc.data[feature]) - centre + fromNorm;
}

/** A feature's pre-activation, as a target. */
export function featureTarget(
  linear: LinearModel,
  frozen: FrozenPrompt,
  active: Pick<ActiveFeature, "feature" | "layer" | "pos" | "preActivation">,
): WalkTarget {
  const { layer, pos, feature, preActivation } = active;
  const loaded = frozen.dictionaries.get(layer);
  if (loaded === undefined) throw noDictionary(layer);
  const constant = encoderConstant(linear, frozen, active, loaded);
  const direction = column(loaded.W_enc, feature);
  return { start: { kind: "dictionary", layer }, pos, direction, constant, value: preActivation };
}

function noDictionary(layer: number): InternalError {
  return new InternalError({
    where: `attributionGraph: layer ${layer}`,
    got: "a feature without its dictionary",
    expected: "the dictionary that it was read from",
    fix: "Report this as a bug of limpid.",
  });
}

/** A direction at the input of the unembedding, at one position; its value is the logits along it. */
export function logitTarget(
  linear: LinearModel,
  pos: number,
  { direction, constant, value }: Pick<WalkTarget, "direction" | "constant" | "value">,
): WalkTarget {
  const { bias } = linear.lnFinal;
  const beta = bias === undefined ? 0 : dot(direction, numbers(bias));
  return { start: { kind: "unembed" }, pos, direction, constant: constant + beta, value };
}
