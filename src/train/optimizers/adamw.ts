/** AdamW. */
import { adaptiveBase, adaptiveScalars, adaptiveStep } from "./adaptive.js";
import type { Optimizer } from "./optimizer.js";

/** Options of {@link adamW}. */
export interface AdamWOptions {
  /** Default 1e-3. */
  readonly learningRate?: number;
  /** Share of each parameter lost per step is `learningRate * weightDecay`. Default 0.01. */
  readonly weightDecay?: number;
  /** Default 0.9. */
  readonly beta1?: number;
  /** Default 0.999. */
  readonly beta2?: number;
  /** Default 1e-8. */
  readonly eps?: number;
}

/**
 * Returns AdamW: Adam whose weight decay acts on the parameters themselves, not through the gradient.
 *
 * Each step: `p <- p (1 - lr decay)`; `m <- beta1 m + (1 - beta1) g`; `v <- beta2 v + (1 - beta2) g^2`;
 * `p <- p - lr m^ / (sqrt(v^) + eps)` with `m^ = m / (1 - beta1^t)`, `v^ = v / (1 - beta2^t)`. PyTorch's formulas and
 * defaults.
 *
 * @throws InputError when an option is out of range.
 * @see Loshchilov and Hutter 2019, "Decoupled Weight Decay Regularization"
 */
export function adamW(options: AdamWOptions = {}): Optimizer {
  const base = adaptiveBase("adamW", { ...options, weightDecay: options.weightDecay ?? 0.01 });
  return {
    ...base,
    scalars: (at) => ({ ...adaptiveScalars(base.settings, at), keep: 1 - at.learningRate * at.weightDecay }),
    update: (context) => {
      const { ops, parameter, gradient, decays } = context;
      const start = decays ? ops.mul(parameter, context.scalar("keep")) : parameter;
      return adaptiveStep(context, base.settings, { gradient, start });
    },
  };
}
