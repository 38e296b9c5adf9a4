/** The selection that BatchTopK and its Matryoshka variant share: the largest pre-activations of a whole batch. */
import type { Value } from "../../graph/index.js";
import { Tensor } from "../../tensor/index.js";
import type { BuildContext, TrainingShape } from "./architecture.js";

/** Name of the buffer of the running threshold, `[1]`. */
export const thresholdBuffer = "runningThreshold";

/** A token is looked at for this many times k features; see {@link selectBatch}. */
const candidatesPerK = 8;

/** Share of a new batch's threshold in the running one. */
const memory = 0.01;

/** What a batch keeps. */
export interface Selected {
  /** `[batch, nFeatures]` */
  readonly acts: Value;
  /** The running threshold after this batch. */
  readonly buffers: Readonly<Record<string, Value>>;
  readonly metrics: Readonly<Record<string, Value>>;
}

/** The buffer of a running threshold; below 0 before the first batch. */
export function thresholdBuffers(): Readonly<Record<string, Tensor>> {
  return { [thresholdBuffer]: Tensor.of(new Float32Array([-1]), [1]) };
}

/** The largest pre-activations of a batch in one list: each token's own largest, as many as may be needed. */
function candidates({ ops, shape }: BuildContext, pre: Value, k: number): Value {
  const perToken = Math.min(shape.nFeatures, candidatesPerK * k);
  const own = perToken === shape.nFeatures ? pre : ops.topk(pre, perToken, { sorted: false }).values;
  return ops.reshape(own, [shape.batch * perToken]);
}

/**
 * Keeps the `k · batch` largest positive pre-activations of a batch, and follows the smallest kept one.
 *
 * The cut is found among the 8k largest of each token, which is exact unless some token has more features than that.
 */
export function selectBatch(context: BuildContext, pre: Value, k: number): Selected {
  const { ops, shape, buffer } = context;
  const largest = ops.topk(candidates(context, pre, k), budget(shape, k), { sorted: false }).values;
  const cut = ops.maximum(ops.reduceMin(largest, undefined, false), smallest);
  const acts = ops.where(ops.greaterOrEqual(pre, cut), pre, 0);
  const positive = ops.where(ops.greater(largest, 0), largest, huge);
  const least = ops.reshape(ops.reduceMin(positive, undefined, false), [1]);
  const before = buffer(thresholdBuffer);
  const mixed = ops.add(ops.mul(before, 1 - memory), ops.mul(least, memory));
  const next = ops.where(ops.less(before, 0), least, mixed);
  const isUsable = ops.less(least, huge);
  const threshold = ops.where(isUsable, next, before);
  return { acts, buffers: { [thresholdBuffer]: threshold }, metrics: { threshold } };
}

/** Above 0, so that features that do not fire are never kept. */
const smallest = 1e-30;
const huge = 1e30;

function budget({ batch, nFeatures }: TrainingShape, k: number): number {
  return batch * Math.min(k, nFeatures);
}

/** The threshold that a trained dictionary is used with. */
export function finalThreshold(buffers: Readonly<Record<string, Tensor>>): number {
  return Math.max(0, Number(buffers[thresholdBuffer]?.data[0] ?? 0));
}
