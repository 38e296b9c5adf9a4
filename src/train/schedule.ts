/** Schedules: numbers that change from step to step, as plain descriptions that a checkpoint can be compared by. */
import { InputError } from "../core/index.js";

/** A number for each step. Learning rates are multiplied by it; a scalar of a loss is it. */
export interface Schedule {
  /** What it is, in plain data: equal descriptions give equal numbers. */
  readonly description: Readonly<Record<string, unknown>>;
  /** Returns the number of one step; the first update is step 0. */
  readonly at: (step: number) => number;
}

/** Options of `schedule.linear` and `schedule.cosine`. */
export interface DecayOptions {
  /** The step from which on it is `final`. */
  readonly steps: number;
  /** Value at the end; the start is 1. Default 0. */
  readonly final?: number;
  /** Steps at 1 before it begins to fall; part of `steps`. Default 0. */
  readonly hold?: number;
}

/** Makers of schedules. */
export interface Schedules {
  /** Returns the same number at every step; default 1. */
  constant(value?: number): Schedule;
  /** Returns a straight fall from 1 to `final`. */
  linear(options: DecayOptions): Schedule;
  /**
   * Returns a fall from 1 to `final` along half a cosine.
   *
   * @see Loshchilov and Hutter 2017, "SGDR: Stochastic Gradient Descent with Warm Restarts"
   */
  cosine(options: DecayOptions): Schedule;
  /**
   * Returns `then` after a linear rise over `steps`: step k of it is `(k + 1) / (steps + 1)` of `then`'s first value.
   *
   * `then` begins when the rise ends, so the whole is `steps` longer. With `isFromZero`, step k is `k / steps`, as in
   * many PyTorch recipes: the first update then changes nothing.
   */
  warmup(steps: number, then?: Schedule, options?: { readonly isFromZero?: boolean }): Schedule;
  /** Returns a function of your own; `name` stands for it where runs are compared. */
  custom(name: string, at: (step: number) => number): Schedule;
}

function decay(kind: string, options: DecayOptions, shape: (progress: number) => number): Schedule {
  const { steps, final = 0, hold = 0 } = options;
  checkSteps(`schedule.${kind}: steps`, steps, 1);
  checkSteps(`schedule.${kind}: hold`, hold, 0);
  checkFinite(`schedule.${kind}: final`, final);
  if (hold >= steps) throw tooLong(kind, hold, steps);
  const at = (step: number): number => {
    const progress = Math.min(1, Math.max(0, (step - hold) / (steps - hold)));
    return final + (1 - final) * shape(progress);
  };
  return { description: { kind, steps, final, hold }, at };
}

/** Makers of schedules: `schedule.warmup(100, schedule.cosine({ steps: 900, final: 0.1 }))`. */
export const schedule: Schedules = {
  constant: (value = 1) => {
    checkFinite("schedule.constant: value", value);
    return { description: { kind: "constant", value }, at: () => value };
  },
  linear: (options) => decay("linear", options, (progress) => 1 - progress),
  cosine: (options) => decay("cosine", options, (progress) => (1 + Math.cos(Math.PI * progress)) / 2),
  warmup: (steps, then = schedule.constant(), { isFromZero = false } = {}) => {
    checkSteps("schedule.warmup: steps", steps, 0);
    const rise = (step: number): number => (isFromZero ? step / steps : (step + 1) / (steps + 1));
    return {
      description: { kind: "warmup", steps, isFromZero, then: then.description },
      at: (step) => (step < steps ? rise(step) * then.at(0) : then.at(step - steps)),
    };
  },
  custom: (name, at) => ({ description: { kind: "custom", name }, at: (step) => finiteAt(name, step, at(step)) }),
};

function finiteAt(name: string, step: number, value: number): number {
  checkFinite(`schedule.custom "${name}" at step ${step}`, value);
  return value;
}

function checkSteps(where: string, steps: number, least: number): void {
  if (Number.isSafeInteger(steps) && steps >= least) return;
  throw new InputError({
    where,
    got: String(steps),
    expected: `a whole number of steps, ${least} or more`,
    fix: "Give the number of updates.",
  });
}

function checkFinite(where: string, value: number): void {
  if (Number.isFinite(value)) return;
  throw new InputError({ where, got: String(value), expected: "a finite number", fix: "Check how it is computed." });
}

function tooLong(kind: string, hold: number, steps: number): InputError {
  return new InputError({
    where: `schedule.${kind}: hold`,
    got: `${hold} of ${steps} steps`,
    expected: `fewer than ${steps}`,
    fix: "Leave steps in which it can fall.",
  });
}
