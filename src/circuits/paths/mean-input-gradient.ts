/** What drives a feature over a data set: mean of earlier activations times how strongly each is read. */
import { type LongCallOptions, progressOf, throwIfAborted } from "../../core/index.js";
import type { DictionarySet } from "../../dictionary/index.js";
import type { Model, Run } from "../../model/index.js";
import { promptTokens } from "../attribution/attribute.js";
import { readPlace } from "../attribution/frozen.js";
import { linearModel } from "../attribution/linear-model.js";
import { FeatureConnections, featureConnections } from "./connections.js";
import type { FeatureAddress } from "./directions.js";

/** Options of `meanInputTimesGradient`. */
export interface MeanInputOptions extends LongCallOptions {
  /** The data set: texts, or rows of token ids. */
  readonly prompts: readonly (string | readonly number[])[];
  /** Layers of the earlier features. Default every layer of the set below. */
  readonly from?: readonly number[];
  /** The first position that counts. Default 1. */
  readonly firstPosition?: number;
}

/** Positions of a run at which a feature fires, and one over the scale of the norm that it reads behind. */
function firing(
  run: Run,
  hooks: { acts: string; scale: string | undefined },
  feature: number,
  first: number,
): Firing[] {
  const acts = run.cache.get(hooks.acts);
  const [, positions = 0, width = 0] = acts.shape;
  const scales = hooks.scale === undefined ? undefined : run.cache.get(hooks.scale).data;
  return Array.from({ length: positions }, (_, pos) => pos)
    .filter((pos) => pos >= first && Number(acts.data[pos * width + feature]) > 0)
    .map((pos) => ({ pos, factor: scales === undefined ? 1 : 1 / Number(scales[pos]) }));
}

interface Firing {
  readonly pos: number;
  readonly factor: number;
}

/** Adds `activation * factor` of every feature at some positions of a run. */
function addActivations(sums: Float64Array, run: Run, hook: string, at: readonly Firing[]): void {
  const { data, shape } = run.cache.get(hook);
  const width = shape[2] ?? 0;
  for (const { pos, factor } of at)
    for (let i = 0; i < width; i++) sums[i] = (sums[i] ?? 0) + factor * Number(data[pos * width + i]);
}

/**
 * Returns what each earlier feature adds to a feature at its own position, on average over the tokens on which that fires:
 * activation times connection over the norm's scale.
 *
 * Dunefsky et al. 2024; what comes through attention is not counted. Zeros where the feature never fires.
 *
 * @throws InputError for a feature or layer that is not there, and for prompts of one token.
 */
export async function meanInputTimesGradient(
  model: Model,
  set: DictionarySet,
  to: FeatureAddress,
  options: MeanInputOptions,
): Promise<FeatureConnections> {
  const { prompts, from, firstPosition = 1, signal } = options;
  const report = progressOf(options);
  const direct = await featureConnections(model, set, to, from === undefined ? {} : { from });
  const target = set.layer(to.layer);
  const { hasNorm } = await linearModel(model);
  const isScaled = hasNorm && readPlace(target, to.layer) !== "stream";
  const scale = isScaled ? `blocks.${to.layer}.ln2.hook_scale` : undefined;
  const acts = (layer: number): string => set.layer(layer).hooks.actsPost;
  const hooks = { acts: acts(to.layer), scale };
  const sums = new Map([...direct.weights].map(([layer, { length }]) => [layer, new Float64Array(length)]));
  const spliced = model.with(...set.splice({ errorTerm: true }));
  const capture = [...new Set([...[...sums.keys(), to.layer].map(acts), ...(scale === undefined ? [] : [scale])])];
  let count = 0;
  for (const [done, prompt] of prompts.entries()) {
    throwIfAborted(signal, "meanInputTimesGradient");
    report?.({ done, total: prompts.length, label: "read activations" });
    const tokens = promptTokens(model, prompt, "meanInputTimesGradient");
    const run = await spliced.run([tokens], { capture, prependBos: false });
    const at = firing(run, hooks, to.feature, firstPosition);
    for (const [layer, own] of sums) addActivations(own, run, acts(layer), at);
    count += at.length;
  }
  report?.({ done: prompts.length, total: prompts.length, label: "read activations" });
  const means = [...sums].map(([layer, own]) => {
    const weights = direct.weights.get(layer);
    return [layer, own.map((sum, i) => (sum * (weights?.[i] ?? 0)) / Math.max(1, count))] as const;
  });
  return new FeatureConnections({
    to: direct.to,
    through: "direct",
    weights: new Map(means),
    basis: `mean over ${count} tokens on which it fires`,
  });
}
