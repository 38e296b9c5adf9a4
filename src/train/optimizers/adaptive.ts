/** The step that Adam and AdamW share. */
import type { Value } from "../../graph/index.js";
import { checkNumbers, fraction, nonNegative } from "./checks.js";
import type { Optimizer, StepSettings, UpdateContext, Updated } from "./optimizer.js";

/** Averaging coefficients and the constant of the denominator. */
export interface AdaptiveSettings {
  readonly beta1: number;
  readonly beta2: number;
  readonly eps: number;
}

/** Options as Adam and AdamW take them; only the default of the decay is their own. */
interface AdaptiveOptions extends Partial<AdaptiveSettings> {
  readonly learningRate?: number;
  readonly weightDecay: number;
}

/**
 * Returns what Adam and AdamW have in common, with PyTorch's defaults.
 *
 * @throws InputError when an option is out of range.
 */
export function adaptiveBase(
  name: string,
  { learningRate = 1e-3, weightDecay, beta1 = 0.9, beta2 = 0.999, eps = 1e-8 }: AdaptiveOptions,
): Omit<Optimizer, "scalars" | "update"> & { readonly settings: AdaptiveSettings } {
  checkNumbers(name, {
    learningRate: [learningRate, nonNegative],
    weightDecay: [weightDecay, nonNegative],
    beta1: [beta1, fraction],
    beta2: [beta2, fraction],
    eps: [eps, nonNegative],
  });
  return { name, learningRate, weightDecay, settings: { beta1, beta2, eps }, state: adaptiveState };
}

/** Names of the two averages: of gradients, and of their squares. */
const adaptiveState: readonly string[] = ["mean", "square"];

/**
 * The numbers of a step. With `c1 = 1 - beta1^t` and `c2 = sqrt(1 - beta2^t)`, the bias-corrected step
 * `lr (mean / c1) / (sqrt(square) / c2 + eps)` is `(lr c2 / c1) mean / (sqrt(square) + c2 eps)`: one pass less.
 */
export function adaptiveScalars(
  { beta1, beta2, eps }: AdaptiveSettings,
  { step, learningRate }: StepSettings,
): { readonly step: number; readonly eps: number } {
  const correction = Math.sqrt(1 - beta2 ** step);
  return { step: (learningRate * correction) / (1 - beta1 ** step), eps: eps * correction };
}

/** Updates both averages by `gradient` and takes the step from `start`. */
export function adaptiveStep(
  context: UpdateContext,
  { beta1, beta2 }: AdaptiveSettings,
  { gradient, start }: { readonly gradient: Value; readonly start: Value },
): Updated {
  const { ops } = context;
  const mean = ops.add(ops.mul(context.state("mean"), beta1), ops.mul(gradient, 1 - beta1));
  const fresh = ops.mul(ops.mul(gradient, gradient), 1 - beta2);
  const square = ops.add(ops.mul(context.state("square"), beta2), fresh);
  const denominator = ops.add(ops.sqrt(square), context.scalar("eps"));
  const step = ops.div(ops.mul(mean, context.scalar("step")), denominator);
  return { parameter: ops.sub(start, step), state: { mean, square } };
}
