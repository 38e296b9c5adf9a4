/** Prompts of one length with what their rows need: activations to start from, and activations to write. */
import type { LongCallOptions } from "../../core/index.js";
import type { Metric, Model } from "../../model/index.js";
import { siteHook } from "./sites.js";
import { type PromptRun, type PromptValues, runPrompts } from "./values.js";

/** Prompts of one length into whose runs values are written. */
export interface PromptGroup {
  /** The metric's prompt of each. */
  readonly indices: readonly number[];
  readonly tokens: readonly (readonly number[])[];
  /** Number of tokens of each. */
  readonly pos: number;
  /** The unpatched run: streams, keys, values and everything asked for. */
  readonly run: PromptRun;
}

/** The hook point whose value a cache of keys holds: rotated where the model rotates. */
export function keyHook({ config }: Model, layer: number): string {
  return siteHook(config.rotary === undefined ? "k" : "rot_k", layer);
}

/** Streams, keys and values of layers from `first` on. */
export function entryHooks(model: Model, first: number): readonly string[] {
  const layers = Array.from({ length: model.config.nLayers - first }, (_, i) => first + i);
  return layers.flatMap((layer) => [siteHook("resid_pre", layer), keyHook(model, layer), siteHook("v", layer)]);
}

/** What {@link openGroup} needs. */
export interface GroupSpec extends LongCallOptions {
  readonly indices: readonly number[];
  readonly tokens: readonly (readonly number[])[];
  readonly metric: Metric;
  /** The first layer at which a row starts. */
  readonly firstLayer: number;
  /** Other hook points to keep. */
  readonly hooks: readonly string[];
}

/** Runs the prompts as they are. */
export async function openGroup(model: Model, spec: GroupSpec): Promise<PromptGroup> {
  const { indices, tokens, metric, firstLayer, hooks, ...long } = spec;
  const names = [...new Set([...entryHooks(model, firstLayer), ...hooks])];
  const run = await runPrompts(model, tokens, { ...long, hooks: names, metric, metricRows: indices });
  return { indices, tokens, pos: tokens[0]?.length ?? 0, run };
}

/** The keys or values before a window, one after the other for the prompts named. */
export function pastOf(
  values: PromptValues,
  prompts: readonly number[],
  share: { readonly from: number; readonly pos: number },
): Float32Array | Float64Array {
  const size = (values.stride / share.pos) * share.from;
  const length = size * prompts.length;
  const out = values.data instanceof Float64Array ? new Float64Array(length) : new Float32Array(length);
  prompts.forEach((prompt, i) => {
    out.set(values.data.subarray(prompt * values.stride, prompt * values.stride + size), i * size);
  });
  return out;
}
