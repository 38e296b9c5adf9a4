/**
 * Limited-memory BFGS for several convex problems in step with each other, so that their products are made together.
 *
 * 1. The direction is −H g, where H starts from the preconditioner and learns from the last steps (two-loop recursion).
 * 2. A step is halved until the value falls enough (Armijo); a rejected trial costs one shared evaluation.
 * 3. A problem ends when its gradient is its tolerance times the first one.
 *
 * Nocedal and Wright 2006, "Numerical Optimization", algorithms 7.4 and 3.1.
 */
import { notConverged } from "./conjugate.js";

/** Value and gradient of one problem at one point. */
export interface Evaluation {
  readonly value: number;
  readonly gradient: Float64Array;
}

/** Convex problems. */
export interface Problems {
  readonly start: readonly Float64Array[];
  /** Evaluates the problems named at one point each. */
  readonly evaluate: (points: readonly Float64Array[], indices: readonly number[]) => Promise<readonly Evaluation[]>;
  /** Applies an approximate inverse Hessian to several vectors, in place. */
  readonly precondition: (vectors: readonly Float64Array[]) => void;
  /** Of each problem. */
  readonly tolerances: readonly number[];
  readonly maxSteps: number;
}

/** Where one problem ended. */
export interface Minimum {
  readonly point: Float64Array;
  readonly value: number;
  /** Norm of the gradient there. */
  readonly gradientNorm: number;
  /** Evaluations of this problem. */
  readonly steps: number;
}

const memory = 20;

interface Pair {
  readonly s: Float64Array;
  readonly y: Float64Array;
  /** The preconditioner applied to `y`: it is linear, so no solve of its own is needed. */
  readonly shaped: Float64Array;
  readonly rho: number;
}

interface State {
  readonly index: number;
  point: Float64Array;
  value: number;
  gradient: Float64Array;
  /** The preconditioner applied to the gradient. */
  shaped: Float64Array;
  direction: Float64Array;
  step: number;
  readonly pairs: Pair[];
  readonly goal: number;
  steps: number;
  isDone: boolean;
}

function dot(a: Float64Array, b: Float64Array): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += (a[i] as number) * (b[i] as number);
  return sum;
}

function addScaled(a: Float64Array, scale: number, b: Float64Array): void {
  for (let i = 0; i < a.length; i++) a[i] = (a[i] as number) + scale * (b[i] as number);
}

function norm(a: Float64Array): number {
  return Math.sqrt(dot(a, a));
}

/** The scale at which the preconditioner P fits the last step: sᵀy / yᵀPy. */
function fitScale(pairs: readonly Pair[]): number {
  const last = pairs.at(-1);
  return last === undefined ? 1 : 1 / (last.rho * dot(last.y, last.shaped));
}

/** The two-loop recursion; `P (−g + Σ α y)` is put together from `P g` and `P y`, which are known. */
function newDirection({ gradient, shaped, pairs }: State): Float64Array {
  const q = gradient.slice();
  const direction = shaped.slice();
  const alphas = pairs.map(() => 0);
  for (let i = pairs.length - 1; i >= 0; i--) {
    const pair = pairs[i] as Pair;
    const alpha = pair.rho * dot(pair.s, q);
    addScaled(q, -alpha, pair.y);
    addScaled(direction, -alpha, pair.shaped);
    alphas[i] = alpha;
  }
  const scale = fitScale(pairs);
  for (let i = 0; i < direction.length; i++) direction[i] = (direction[i] as number) * scale;
  for (const [i, pair] of pairs.entries())
    addScaled(direction, (alphas[i] ?? 0) - pair.rho * dot(pair.y, direction), pair.s);
  for (let i = 0; i < direction.length; i++) direction[i] = -(direction[i] as number);
  return direction;
}

function trialOf({ point, direction, step }: State): Float64Array {
  return point.map((x, i) => x + step * (direction[i] as number));
}

/** Whether a trial is low enough; near the minimum, where values drown in rounding, whether its gradient is. */
function isLower(state: State, found: Evaluation): boolean {
  const slope = dot(state.gradient, state.direction);
  if (found.value <= state.value + 1e-4 * state.step * slope) return true;
  const isRounding = Math.abs(found.value - state.value) <= 1e-11 * Math.abs(state.value);
  return isRounding && norm(found.gradient) < norm(state.gradient);
}

/** A trial that became the point, and the preconditioner applied to its gradient. */
interface Accepted {
  readonly state: State;
  readonly trial: Float64Array;
  readonly found: Evaluation;
  readonly shaped: Float64Array;
}

function accept({ state, trial, found, shaped }: Accepted): void {
  const s = trial.map((x, i) => x - (state.point[i] as number));
  const y = found.gradient.map((x, i) => x - (state.gradient[i] as number));
  const sy = dot(s, y);
  if (sy > 1e-14 * norm(s) * norm(y))
    state.pairs.push({ s, y, shaped: shaped.map((x, i) => x - (state.shaped[i] as number)), rho: 1 / sy });
  if (state.pairs.length > memory) state.pairs.shift();
  state.point = trial;
  state.value = found.value;
  state.gradient = found.gradient;
  state.shaped = shaped;
  state.isDone = norm(found.gradient) <= state.goal;
  state.step = 1;
  if (!state.isDone) state.direction = newDirection(state);
}

/** A step that cannot be made any smaller ends at the precision of the numbers. */
function shorten(state: State): void {
  state.step /= 2;
  if (state.step < 1e-9) state.isDone = norm(state.gradient) <= 1e3 * state.goal;
}

function consider(
  open: readonly State[],
  trials: readonly Float64Array[],
  found: readonly Evaluation[],
  precondition: Problems["precondition"],
): void {
  const accepted = open.flatMap((state, i): readonly Accepted[] => {
    const [trial, evaluation] = [trials[i], found[i]];
    state.steps += 1;
    if (trial === undefined || evaluation === undefined) return [];
    if (isLower(state, evaluation)) return [{ state, trial, found: evaluation, shaped: evaluation.gradient.slice() }];
    shorten(state);
    return [];
  });
  precondition(accepted.map(({ shaped }) => shaped));
  accepted.forEach(accept);
}

async function begin({ start, evaluate, precondition, tolerances }: Problems): Promise<readonly State[]> {
  const first = await evaluate(
    start,
    start.map((_, i) => i),
  );
  const allShaped = first.map(({ gradient }) => gradient.slice());
  precondition(allShaped);
  return start.map((point, index) => {
    const { value, gradient } = first[index] ?? { value: Number.NaN, gradient: point };
    const size = norm(gradient);
    const shaped = allShaped[index] ?? gradient;
    return {
      index,
      point,
      value,
      gradient,
      shaped,
      direction: shaped.map((x) => -x),
      step: 1,
      pairs: [],
      goal: (tolerances[index] ?? 0) * size,
      steps: 1,
      isDone: size === 0,
    };
  });
}

/**
 * Returns the minimum of each problem.
 *
 * @throws NumericError when one does not converge.
 */
export async function minimize(problems: Problems): Promise<readonly Minimum[]> {
  const states = await begin(problems);
  for (let round = 0; round < problems.maxSteps; round++) {
    const open = states.filter(({ isDone }) => !isDone);
    if (open.length === 0)
      return states.map(({ point, value, gradient, steps }) => ({ point, value, gradientNorm: norm(gradient), steps }));
    const trials = open.map(trialOf);
    const found = await problems.evaluate(
      trials,
      open.map(({ index }) => index),
    );
    consider(open, trials, found, problems.precondition);
  }
  throw notConverged("probe.fit: log loss", problems.maxSteps);
}
