/** The naive loop: one run of the whole model for each patch. */
import type { Patch } from "../../../src/analysis/index.js";
import { edit, getActName, type Metric, type Model } from "../../../src/model/index.js";
import { Tensor } from "../../../src/tensor/index.js";

/** Token ids that differ between seeds in every row. */
export function prompts(model: Model, seed: number, shape: readonly [number, number]): number[][] {
  const { dVocab } = model.config;
  return Array.from({ length: shape[0] }, (_, row) =>
    Array.from({ length: shape[1] }, (_pos, p) => (seed * (31 + p) + row * 17 + p * 7 + 3) % dVocab),
  );
}

/** The metric of each prompt after one patch, by a run of the whole edited model. */
export async function naive(
  model: Model,
  [from, into]: readonly [number[][], number[][]],
  { site, layer, ...select }: Patch,
  metric: Metric,
): Promise<number[]> {
  const hook = getActName(site, layer);
  const { cache } = await model.run(from, { capture: hook, metric });
  const run = await model.with(edit.patch(hook, cache, select)).run(into, { metric });
  return Array.from(run.metric.data, Number);
}

/** Numbers of a tensor. */
export function numbers(tensor: Tensor | number): number[] {
  return tensor instanceof Tensor ? Array.from(tensor.data as Iterable<number>, Number) : [tensor];
}

/** The largest distance between two lists. */
export function distance(a: readonly number[], b: readonly number[]): number {
  if (a.length !== b.length) return Number.POSITIVE_INFINITY;
  return Math.max(...a.map((value, i) => Math.abs(value - (b[i] ?? Number.NaN))));
}
