/** Targets of a walk: features of the prompt, logits, and directions of your own. */
import { InternalError } from "../../core/index.js";
import type { ActiveFeature, FrozenPrompt, LoadedDictionary } from "./frozen.js";
import type { LinearModel } from "./linear-model.js";
import { columnOf, dot, numbersOf } from "./vectors.js";
import type { WalkTarget } from "./walker.js";

/** What is added to a feature's pre-activation whatever is read: its bias, the centre, the bias of the norm. */
function encoderConstant(
  linear: LinearModel,
  frozen: FrozenPrompt,
  active: Pick<ActiveFeature, "feature" | "layer">,
  loaded: LoadedDictionary,
): number {
  const { layer, feature } = active;
  const direction = columnOf(loaded.W_enc, feature);
  const centre = loaded.dictionary.config.subtractsDecoderBias ? dot(direction, numbersOf(loaded.b_dec)) : 0;
  const beta = linear.blocks[layer]?.ln2.bias;
  const fromNorm = frozen.layers[layer]?.reads === "affine" && beta !== undefined ? dot(direction, numbersOf(beta)) : 0;
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
  const direction = columnOf(loaded.W_enc, feature);
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
  const beta = bias === undefined ? 0 : dot(direction, numbersOf(bias));
  return { start: { kind: "unembed" }, pos, direction, constant: constant + beta, value };
}
