/** Adam. */

import type { AdamWOptions } from "./adamw.js";
import { adaptiveBase, adaptiveScalars, adaptiveStep } from "./adaptive.js";
import type { Optimizer } from "./optimizer.js";

/** Options of {@link adam}. */
export interface AdamOptions extends Omit<AdamWOptions, "weightDecay"> {
  /** Strength of the squared-norm penalty whose gradient `weightDecay * p` is added to each gradient. Default 0. */
  readonly weightDecay?: number;
}

/**
 * Returns Adam; a weight decay goes through the gradient and both averages (use `adamW` for the decoupled one).
 *
 * Each step: `g <- g + decay p`; `m <- beta1 m + (1 - beta1) g`; `v <- beta2 v + (1 - beta2) g^2`;
 * `p <- p - lr m^ / (sqrt(v^) + eps)` with bias-corrected averages. PyTorch's formulas and defaults.
 *
 * @throws InputError when an option is out of range.
 * @see Kingma and Ba 2015, "Adam: A Method for Stochastic Optimization"
 */
export function adam(options: AdamOptions = {}): Optimizer {
  const base = adaptiveBase("adam", { ...options, weightDecay: options.weightDecay ?? 0 });
  return {
    ...base,
    scalars: (at) => ({ ...adaptiveScalars(base.settings, at), decay: at.weightDecay }),
    update: (context) => {
      const { ops, parameter, decays } = context;
      const penalty = decays ? ops.mul(parameter, context.scalar("decay")) : undefined;
      const gradient = penalty === undefined ? context.gradient : ops.add(context.gradient, penalty);
      return adaptiveStep(context, base.settings, { gradient, start: parameter });
    },
  };
}
