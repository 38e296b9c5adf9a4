/** Activations of prompts, as flat arrays with one stretch for each prompt. */
import type { LongCallOptions } from "../../core/index.js";
import type { ActivationCache, FloatArray, Metric, Model } from "../../model/index.js";
import type { Tensor } from "../../tensor/index.js";

/** One hook point's values for each prompt. */
export interface PromptValues {
  readonly data: FloatArray;
  /** Elements of one prompt. */
  readonly stride: number;
}

/** What one run of prompts gave. */
export interface PromptRun {
  /** The metric of each prompt; empty without one. */
  readonly metric: Float64Array;
  readonly values: (hook: string) => PromptValues;
}

/** What is wanted of {@link runPrompts}. */
export interface PromptQuestion extends LongCallOptions {
  readonly hooks: readonly string[];
  readonly metric?: Metric;
  /** The metric's prompt of each row. */
  readonly metricRows?: readonly number[];
}

/** The numbers of a tensor of activations, row-major. */
export function floatsOf(tensor: Tensor): FloatArray {
  const { data } = tensor;
  if (data instanceof Float32Array || data instanceof Float64Array) return data;
  return Float64Array.from(data as Iterable<number>);
}

function valuesIn(cache: ActivationCache, hook: string, prompts: number): PromptValues {
  const tensor = cache.get(hook);
  const stride = tensor.data.length / (tensor.shape[0] ?? 1);
  return { data: floatsOf(tensor).subarray(0, stride * prompts), stride };
}

/**
 * Runs prompts and keeps what is asked for.
 *
 * Prompts of several lengths are padded on the right. A single prompt runs twice, side by side: products with one row round otherwise than those with more, and a patch that
 * changes nothing must change no bit of the metric.
 */
export async function runPrompts(
  model: Model,
  prompts: readonly (readonly number[])[],
  { hooks, metric, metricRows = [], ...long }: PromptQuestion,
): Promise<PromptRun> {
  const isSingle = prompts.length === 1;
  const rows = isSingle ? [...prompts, ...prompts] : prompts;
  const run = await model.run(rows, {
    ...long,
    padding: "right",
    capture: hooks,
    // Edits of the model behind the hook points must reach something.
    logits: metric === undefined && (hooks.length === 0 || model.edits.length > 0) ? "last" : "none",
    ...(metric === undefined ? {} : { metric, metricRows: isSingle ? [...metricRows, ...metricRows] : metricRows }),
  });
  const numbers = metric === undefined ? [] : Array.from(run.metric.data, Number);
  const cached = new Map<string, PromptValues>();
  return {
    metric: Float64Array.from(numbers.slice(0, prompts.length)),
    values: (hook) => {
      const known = cached.get(hook) ?? valuesIn(run.cache, hook, prompts.length);
      cached.set(hook, known);
      return known;
    },
  };
}
