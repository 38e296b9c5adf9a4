/** Lion. */
import { checkNumbers, fraction, nonNegative } from "./checks.js";
import type { Optimizer } from "./optimizer.js";

/** Options of {@link lion}. */
export interface LionOptions {
  /** Every parameter moves by exactly this much; a third to a tenth of an Adam rate. Default 1e-4. */
  readonly learningRate?: number;
  /** Decoupled, as in AdamW. Default 0. */
  readonly weightDecay?: number;
  /** Share of the old average in the direction. Default 0.9. */
  readonly beta1?: number;
  /** Share of the old average in the new one. Default 0.99. */
  readonly beta2?: number;
}

/**
 * Returns Lion: steps of one length, in the direction of the sign of an average of gradients; one state tensor.
 *
 * Each step: `p <- p (1 - lr decay) - lr sign(beta1 m + (1 - beta1) g)`; `m <- beta2 m + (1 - beta2) g`. With
 * `beta1 = beta2` this is Signum.
 *
 * @throws InputError when an option is out of range.
 * @see Chen et al. 2023, "Symbolic Discovery of Optimization Algorithms"; Bernstein et al. 2018, "signSGD"
 */
export function lion(options: LionOptions = {}): Optimizer {
  const { learningRate = 1e-4, weightDecay = 0, beta1 = 0.9, beta2 = 0.99 } = options;
  checkNumbers("lion", {
    learningRate: [learningRate, nonNegative],
    weightDecay: [weightDecay, nonNegative],
    beta1: [beta1, fraction],
    beta2: [beta2, fraction],
  });
  return {
    name: "lion",
    learningRate,
    weightDecay,
    settings: { beta1, beta2 },
    state: ["mean"],
    scalars: (at) => ({ rate: at.learningRate, keep: 1 - at.learningRate * at.weightDecay }),
    update: (context) => {
      const { ops, parameter, gradient, decays } = context;
      const old = context.state("mean");
      const blend = (share: number) => ops.add(ops.mul(old, share), ops.mul(gradient, 1 - share));
      const start = decays ? ops.mul(parameter, context.scalar("keep")) : parameter;
      const step = ops.mul(ops.sign(blend(beta1)), context.scalar("rate"));
      return { parameter: ops.sub(start, step), state: { mean: blend(beta2) } };
    },
  };
}
