/** What a graph explains: logits, a feature, or a direction of your own, at any position. */
import { InputError } from "../../core/index.js";
import type { Model } from "../../model/index.js";
import { Tensor } from "../../tensor/index.js";
import type { FrozenPrompt } from "./frozen.js";
import type { LinearModel } from "./linear-model.js";
import { type LogitTarget, logitTargets, type NamedTarget, positionOf } from "./logits.js";
import { featureTarget } from "./targets.js";
import type { WalkStart } from "./walk.js";

/** A feature at a position, active or not: its pre-activation is explained. */
export interface FeatureChoice {
  readonly feature: { readonly layer: number; readonly feature: number; readonly pos?: number };
}

/** A direction of the stream, such as a probe's: `direction · x` (plus `bias`) is explained. */
export interface DirectionChoice {
  /** `[dModel]`, a tensor or numbers. */
  readonly direction: Tensor | ArrayLike<number>;
  /** A hook point of the stream: `"resid_post.3"` or `"blocks.3.hook_resid_post"`; `resid_pre` and `resid_mid` too. */
  readonly at: string;
  /** Default the last position. */
  readonly pos?: number;
  /** What is added whatever the prompt: a probe's bias. Default 0. */
  readonly bias?: number;
  /** Default `"direction"`. */
  readonly label?: string;
}

/** What is explained. */
export interface LogitChoice {
  /**
   * Tokens whose logits are explained, each above the mean logit; a difference of two; the pre-activation of a feature; or a
   * direction of the stream. By default the most likely tokens, as few as hold 95 % of the probability, at most ten.
   */
  readonly target?: DirectionChoice | FeatureChoice | LogitTarget;
  /** The position whose logits are explained; negative from the end. Default the last. */
  readonly pos?: number;
}

interface StreamPlace {
  readonly hook: string;
  readonly start: WalkStart;
}

const streamHook = /^(?:blocks\.(\d+)\.hook_)?resid_(pre|mid|post)(?:\.(\d+))?$/;

function placeOf(model: Model, at: string): StreamPlace {
  const [, before, part = "", after] = streamHook.exec(at) ?? [];
  const layer = Number(before ?? after ?? Number.NaN);
  const hook = `blocks.${layer}.hook_resid_${part}`;
  const isPlace = part !== "" && (before === undefined) !== (after === undefined) && model.hookNames().includes(hook);
  if (!isPlace) {
    throw new InputError({
      where: "attributionGraph: target.at",
      got: JSON.stringify(at),
      expected: `resid_pre, resid_mid or resid_post of a layer from 0 to ${model.config.nLayers - 1} of this model`,
      fix: 'Write for instance "resid_post.0".',
    });
  }
  return { hook, start: { kind: "stream", layer: part === "post" ? layer + 1 : layer, isMid: part === "mid" } };
}

/** Returns the hook points that must be recorded for a target's value. */
export function targetHooks(model: Model, { target }: LogitChoice): readonly string[] {
  return target !== undefined && "direction" in target ? [placeOf(model, target.at).hook] : [];
}

function directionTarget(model: Model, frozen: FrozenPrompt, choice: DirectionChoice): NamedTarget {
  const { hook, start } = placeOf(model, choice.at);
  const { dModel } = model.config;
  const { direction: given, bias = 0, label = "direction" } = choice;
  const source = given instanceof Tensor ? (given.contiguous().data as ArrayLike<number>) : given;
  const direction = Float64Array.from(source);
  if (direction.length !== dModel || !direction.every(Number.isFinite)) {
    throw new InputError({
      where: "attributionGraph: target.direction",
      got: direction.length === dModel ? "numbers that are not finite" : `${direction.length} numbers`,
      expected: `${dModel} finite numbers, the width of the stream`,
      fix: "Pass the direction of a probe of this model, such as result.direction(layer).direction.",
    });
  }
  const pos = positionOf(choice.pos, frozen.positions);
  const stream = frozen.run.cache.get(hook).data as ArrayLike<number>;
  const value = direction.reduce((sum, x, i) => sum + x * (stream[pos * dModel + i] ?? 0), bias);
  return { start, pos, direction, constant: bias, value, label, weight: 1 };
}

function chosenFeature(linear: LinearModel, frozen: FrozenPrompt, choice: FeatureChoice["feature"]): NamedTarget {
  const { layer, feature } = choice;
  const loaded = frozen.dictionaries.get(layer);
  if (loaded === undefined) {
    throw new InputError({
      where: "attributionGraph: target.feature",
      got: `layer ${layer}`,
      expected: `a layer with a dictionary: ${[...frozen.dictionaries.keys()].join(", ") || "there is none"}`,
      fix: "Pass a set that has one, or explain a direction.",
    });
  }
  const { nFeatures, hooks, name } = loaded.dictionary;
  if (!Number.isInteger(feature) || feature < 0 || feature >= nFeatures) {
    throw new InputError({
      where: `attributionGraph: target.feature of ${name}`,
      got: String(feature),
      expected: `a whole number from 0 to ${nFeatures - 1}`,
      fix: "Pick one from an overview or a graph.",
    });
  }
  const pos = positionOf(choice.pos, frozen.positions);
  const preActivation = Number(frozen.run.cache.get(hooks.actsPre).data[pos * nFeatures + feature]);
  const target = featureTarget(linear, frozen, { layer, feature, pos, preActivation });
  return { ...target, label: `L${layer} #${feature}`, weight: 1 };
}

/** Returns what a graph explains; all begin at the same place. */
export async function chosenTargets(
  model: Model,
  linear: LinearModel,
  frozen: FrozenPrompt,
  { target, pos }: LogitChoice,
): Promise<readonly NamedTarget[]> {
  if (target === undefined || !("feature" in target || "direction" in target))
    return logitTargets(model, linear, frozen, { target, pos });
  if (pos !== undefined) throw twoPositions(pos);
  return ["feature" in target ? chosenFeature(linear, frozen, target.feature) : directionTarget(model, frozen, target)];
}

function twoPositions(pos: number): InputError {
  return new InputError({
    where: "attributionGraph: pos",
    got: String(pos),
    expected: "none: features and directions have a position of their own",
    fix: "Write it inside the target.",
  });
}
