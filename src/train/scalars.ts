/** The numbers that change from step to step, computed in float64 and fed as float32. */
import type { RawTensor } from "../runtime/index.js";
import type { ShapedDefinition } from "./definition.js";
import type { ResolvedGroup } from "./groups.js";
import { scalarNames } from "./program.js";
import { inputNames } from "./trace.js";

function scalar(value: number): RawTensor {
  return { dtype: "float32", shape: [], data: Float32Array.of(value) };
}

/**
 * Returns every scalar input of a step by name.
 *
 * @param step - Updates done before.
 * @param micro - Which batch of the step, from 0.
 */
export function scalarFeeds(
  definition: ShapedDefinition,
  groups: readonly ResolvedGroup[],
  step: number,
  micro: number,
): Readonly<Record<string, RawTensor>> {
  const { optimizer, schedule, scalars = {} } = definition;
  const learningRate = optimizer.learningRate * (schedule?.at(step) ?? 1);
  const feeds: Record<string, RawTensor> = { [scalarNames.keepGradient]: scalar(micro === 0 ? 0 : 1) };
  for (const [name, value] of Object.entries(scalars))
    feeds[inputNames.scalar(name)] = scalar(typeof value === "number" ? value : value.at(step));
  for (const [index, { learningRateScale, weightDecay }] of groups.entries()) {
    const settings = { step: step + 1, learningRate: learningRate * learningRateScale, weightDecay };
    for (const [name, value] of Object.entries(optimizer.scalars(settings)))
      feeds[scalarNames.optimizer(name, index)] = scalar(value);
  }
  return feeds;
}
