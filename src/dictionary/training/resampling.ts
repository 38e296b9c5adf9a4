/**
 * Resampling: every so many steps, dead features begin anew at inputs that are reconstructed badly.
 *
 * Bricken et al. 2023. It is part of the step's graph and happens after the update: inputs are drawn from the batch with
 * probability in proportion to their squared error (the largest of `log error + Gumbel noise`, the noise coming with the
 * batch), so that equal runs resample equally. A feature that is dead has no gradients left in the optimiser's averages.
 */
import { createRandom, InputError } from "../../core/index.js";
import type { Ops, Value } from "../../graph/index.js";
import { type Schedule, schedule } from "../../train/index.js";
import type { BuildContext } from "../architectures/architecture.js";

/** When dead features are replaced. */
export interface ResamplingOptions {
  /** Steps between two resamplings. */
  readonly every: number;
  /** Last step at which it happens. Default: half of all steps, so that new features have time to learn. */
  readonly until?: number;
}

/** Names of what resampling adds to a trainer. */
export const resamplingNames = { noise: "resamplingNoise", scalar: "resamples" } as const;

/** New encoder columns have this share of the mean norm of living ones. */
const encoderShare = 0.2;

/** Returns the scalar that is 1 at steps that resample. */
export function resamplingSchedule({ every, until }: ResamplingOptions, steps: number): Schedule {
  for (const value of [every, until ?? 1]) if (!(Number.isSafeInteger(value) && value >= 1)) throw badSteps(value);
  const last = until ?? Math.floor(steps / 2);
  const at = (step: number): number => ((step + 1) % every === 0 && step + 1 <= last ? 1 : 0);
  return schedule.custom(`resample every ${every} until ${last}`, at);
}

/** Returns the noise of one batch. */
export function resamplingNoise(batch: number, seed: number, index: number): Float32Array {
  const random = createRandom(createRandom(seed + 2).int(0, 2 ** 32) * 2 ** 20 + index);
  return Float32Array.from({ length: batch }, () => -Math.log(-Math.log(Math.max(random.uniform(), 1e-12))));
}

/** What new features are made from; all are values of the step's graph. */
export interface Replacement {
  /** Features that are replaced, and for each the unit vector that it begins with. */
  readonly features: Value;
  readonly inputs: Value;
  readonly targets: Value;
  /** 1 for each feature that is dead while resampling is due, else 0: `[features, 1]`. */
  readonly isDue: Value;
}

/** What is known after the loss of a batch. */
export interface ResamplingParts {
  readonly ages: Value;
  /** Squared error of each token, `[batch]`. */
  readonly errors: Value;
  readonly noise: Value;
  readonly isDue: Value;
}

function unitRows(ops: Ops, x: Value): Value {
  return ops.div(x, ops.sqrt(ops.add(ops.reduceSum(ops.mul(x, x), [1]), 1e-12)));
}

/** Pairs the longest dead features with drawn tokens. */
export function replacement(context: BuildContext, parts: ResamplingParts): Replacement {
  const { ops, shape, input, target, parameter } = context;
  const count = Math.min(shape.batch, shape.nFeatures);
  const keys = ops.add(ops.log(ops.add(parts.errors, 1e-30)), parts.noise);
  const tokens = ops.topk(keys, count, { axis: 0 }).indices;
  const oldest = ops.topk(parts.ages, count, { axis: 0 });
  const isDead = ops.cast(ops.greaterOrEqual(oldest.values, shape.deadAfter), "float32");
  const centre = parameter("b_dec");
  const from = (x: Value, offset: boolean): Value => {
    const rows = ops.gather(x, tokens, 0);
    return unitRows(ops, offset ? ops.sub(rows, centre) : rows);
  };
  return {
    features: oldest.indices,
    inputs: from(input, !shape.isTranscoder),
    targets: from(target, true),
    isDue: ops.reshape(ops.mul(isDead, parts.isDue), [count, 1]),
  };
}

/** Where `isDue`, rows `features` of a matrix become `rows`. */
function replaceRows(ops: Ops, matrix: Value, { features, isDue }: Replacement, rows: Value): Value {
  const before = ops.gather(matrix, features, 0);
  const mixed = ops.add(before, ops.mul(ops.sub(rows, before), isDue));
  return ops.scatterND(matrix, ops.unsqueeze(features, [1]), mixed);
}

/** Returns a parameter after resampling; those that are no matrix or bias of features stay. */
export function resampled(ops: Ops, name: string, parameter: Value, made: Replacement): Value {
  const { inputs, targets } = made;
  if (name === "W_dec") return replaceRows(ops, parameter, made, targets);
  if (name === "W_enc") {
    const columns = ops.transpose(parameter, [1, 0]);
    const norms = ops.sqrt(ops.reduceSum(ops.mul(columns, columns), [1]));
    const length = ops.mul(ops.reduceMean(norms, undefined, false), encoderShare);
    return ops.transpose(replaceRows(ops, columns, made, ops.mul(inputs, length)), [1, 0]);
  }
  if (!["b_enc", "b_gate", "b_mag"].includes(name)) return parameter;
  const column = ops.unsqueeze(parameter, [1]);
  const zeros = ops.mul(made.isDue, 0);
  return ops.squeeze(replaceRows(ops, column, made, zeros), [1]);
}

function badSteps(value: number): InputError {
  return new InputError({
    where: "trainDictionary: resampling",
    got: String(value),
    expected: "whole numbers of steps, 1 or more",
    fix: "Such as { every: 2500 }.",
  });
}
