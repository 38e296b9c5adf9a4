/** Stochastic gradient descent. */
import { InputError } from "../../core/index.js";
import type { Value } from "../../graph/index.js";
import { checkNumbers, fraction, nonNegative } from "./checks.js";
import type { Optimizer, UpdateContext, Updated } from "./optimizer.js";

/** Options of {@link sgd}. */
export interface SgdOptions {
  /** Default 1e-3. */
  readonly learningRate?: number;
  /** Share of the last step's direction that is kept. Default 0. */
  readonly momentum?: number;
  /** Looks one momentum step ahead. Default false. */
  readonly nesterov?: boolean;
  /** Strength of the squared-norm penalty whose gradient `weightDecay * p` is added to each gradient. Default 0. */
  readonly weightDecay?: number;
}

function checkNesterov(momentum: number, nesterov: boolean): void {
  if (!nesterov || momentum > 0) return;
  throw new InputError({
    where: "sgd: nesterov",
    got: "true without momentum",
    expected: "a momentum above 0",
    fix: "Give a momentum such as 0.9, or leave nesterov out.",
  });
}

function descend({ ops, parameter, scalar }: UpdateContext, direction: Value): Value {
  return ops.sub(parameter, ops.mul(direction, scalar("rate")));
}

/**
 * Returns stochastic gradient descent with optional momentum.
 *
 * Each step: `g <- g + decay p`; `b <- momentum b + g`; the direction is `b`, or `g + momentum b` with `nesterov`;
 * `p <- p - lr direction`. PyTorch's formulas (without dampening).
 *
 * @throws InputError when an option is out of range.
 * @see Sutskever et al. 2013, "On the importance of initialization and momentum in deep learning"
 */
export function sgd(options: SgdOptions = {}): Optimizer {
  const { learningRate = 1e-3, momentum = 0, nesterov = false, weightDecay = 0 } = options;
  checkNumbers("sgd", {
    learningRate: [learningRate, nonNegative],
    momentum: [momentum, fraction],
    weightDecay: [weightDecay, nonNegative],
  });
  checkNesterov(momentum, nesterov);
  const update = (context: UpdateContext): Updated => {
    const { ops, parameter, decays } = context;
    const penalty = decays ? ops.mul(parameter, context.scalar("decay")) : undefined;
    const gradient = penalty === undefined ? context.gradient : ops.add(context.gradient, penalty);
    if (momentum === 0) return { parameter: descend(context, gradient), state: {} };
    const velocity = ops.add(ops.mul(context.state("velocity"), momentum), gradient);
    const direction = nesterov ? ops.add(gradient, ops.mul(velocity, momentum)) : velocity;
    return { parameter: descend(context, direction), state: { velocity } };
  };
  return {
    name: "sgd",
    learningRate,
    weightDecay,
    settings: { momentum, nesterov },
    state: momentum === 0 ? [] : ["velocity"],
    scalars: (at) => ({ rate: at.learningRate, decay: at.weightDecay }),
    update,
  };
}
