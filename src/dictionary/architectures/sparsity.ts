/**
 * The weight of a sparsity penalty: fixed, or steered so that a wanted number of features fires.
 *
 * The controller works on the logarithm of the weight, as an integral and a proportional part of how far the mean L0 is
 * from its target, both as logarithms. It is part of the step's graph and its state are buffers: equal runs steer equally.
 */
import { InputError } from "../../core/index.js";
import type { Value } from "../../graph/index.js";
import type { Tensor } from "../../tensor/index.js";
import { type Schedule, schedule } from "../../train/index.js";
import type { BuildContext, TrainingShape } from "./architecture.js";
import { filled } from "./initial.js";

/** How sparse a dictionary is to be: say one of the two. */
export interface SparsityOptions {
  /** Mean number of features that fire on a token. The penalty's weight is found while training. */
  readonly targetL0?: number;
  /** Weight of the penalty, in place of a target. */
  readonly coefficient?: number;
  /** Steps over which the penalty rises from 0. Default a tenth of all steps. */
  readonly sparsityWarmup?: number;
}

/** Options with defaults filled in. */
export interface SparsitySettings {
  readonly targetL0: number | undefined;
  readonly coefficient: number;
  readonly sparsityWarmup: number | undefined;
}

const scalarName = "sparsity";
const logCoefficient = "logCoefficient";
const meanL0 = "meanL0";
const slowL0 = "slowL0";

/** Shares of a new L0 in the running means. */
const memory = { fast: 0.05, slow: 0.005 };
/** Where a controller begins. */
const startCoefficient = 0.05;
/** Weights of how far L0 is, and of how fast it moves: a fall under way is waited for. */
const gains = { proportional: 0.5, trend: 2 };

/** Reads the options. */
export function sparsitySettings(where: string, options: SparsityOptions): SparsitySettings {
  const { targetL0, coefficient, sparsityWarmup } = options;
  if ((targetL0 === undefined) === (coefficient === undefined)) throw oneOf(where, targetL0 === undefined);
  for (const [name, value] of Object.entries({ targetL0, coefficient }))
    if (value !== undefined && !(Number.isFinite(value) && value > 0)) throw notPositive(where, name, value);
  return { targetL0, coefficient: coefficient ?? startCoefficient, sparsityWarmup };
}

/** The scalars of a penalty's weight: its rise from 0. */
export function sparsityScalars(
  { steps }: TrainingShape,
  { sparsityWarmup }: SparsitySettings,
): Readonly<Record<string, Schedule | number>> {
  return { [scalarName]: schedule.warmup(sparsityWarmup ?? Math.floor(steps / 10)) };
}

/** The share of the penalty that counts at this step, a scalar from 0 to 1. */
export function sparsityShare({ scalar }: BuildContext): Value {
  return scalar(scalarName);
}

/** The buffers of a controller; none where the weight is fixed. */
export function sparsityBuffers({ targetL0, coefficient }: SparsitySettings): Readonly<Record<string, Tensor>> {
  if (targetL0 === undefined) return {};
  return {
    [logCoefficient]: filled(1, Math.log(coefficient)),
    [meanL0]: filled(1, targetL0),
    [slowL0]: filled(1, targetL0),
  };
}

/** The weight of this step, and the controller's next state. */
export interface Steered {
  /** A scalar, the rise from 0 included. */
  readonly weight: Value;
  readonly metrics: Readonly<Record<string, Value>>;
  readonly buffers: Readonly<Record<string, Value>>;
}

/** Speed of the integral part: a run of any length can move the weight by some powers of e. */
function speed({ steps }: TrainingShape): number {
  return Math.min(0.02, Math.max(0.001, 40 / steps));
}

/** Returns the penalty's weight at this step, given the L0 of its batch. */
export function steer(context: BuildContext, l0: Value, settings: SparsitySettings): Steered {
  const { ops, shape, buffer } = context;
  const { targetL0, coefficient } = settings;
  const share = sparsityShare(context);
  if (targetL0 === undefined) return { weight: ops.mul(share, coefficient), metrics: {}, buffers: {} };
  const [before, mean, slow] = [buffer(logCoefficient), buffer(meanL0), buffer(slowL0)];
  const logOf = (x: Value): Value => ops.log(ops.mul(ops.maximum(x, targetL0 / 100), 1 / targetL0));
  const distance = (x: Value): Value => ops.clip(logOf(x), -1, 1);
  const weight = ops.reshape(ops.exp(ops.add(before, ops.mul(distance(mean), gains.proportional))), []);
  const mixed = (x: Value, share: number): Value =>
    ops.add(ops.mul(x, 1 - share), ops.mul(ops.reshape(l0, [1]), share));
  const [nextMean, nextSlow] = [mixed(mean, memory.fast), mixed(slow, memory.slow)];
  const trend = ops.mul(ops.sub(logOf(nextMean), logOf(nextSlow)), gains.trend);
  const push = ops.clip(ops.add(distance(nextMean), trend), -1, 1);
  // While the penalty is still rising, L0 says nothing about its weight.
  const moved = ops.add(before, ops.mul(ops.mul(push, speed(shape)), share));
  return {
    weight: ops.mul(weight, share),
    metrics: { coefficient: weight },
    buffers: { [logCoefficient]: moved, [meanL0]: nextMean, [slowL0]: nextSlow },
  };
}

function oneOf(where: string, isNone: boolean): InputError {
  return new InputError({
    where,
    got: isNone ? "neither targetL0 nor coefficient" : "both targetL0 and coefficient",
    expected: "one of them",
    fix: "Say targetL0: the mean number of features that may fire on a token.",
  });
}

function notPositive(where: string, name: string, value: number): InputError {
  return new InputError({
    where: `${where}: ${name}`,
    got: String(value),
    expected: "a number above 0",
    fix: "Correct the number.",
  });
}
