/** Conjugate gradients for several symmetric systems at once, each with a matrix of its own. */
import { NumericError } from "../../core/index.js";
import type { Precondition } from "./precondition.js";

/** Systems `A_i x_i = b_i`. */
export interface Systems {
  readonly right: readonly Float64Array[];
  /** Returns `A_i v_i` for the systems named. */
  readonly apply: (vectors: readonly Float64Array[], indices: readonly number[]) => Promise<readonly Float64Array[]>;
  readonly precondition: Precondition;
}

/** Residuals end below this share of the right-hand side. */
const tolerance = 1e-12;
const maxSteps = 2000;

interface State {
  readonly index: number;
  readonly x: Float64Array;
  readonly r: Float64Array;
  readonly goal: number;
  p: Float64Array;
  rz: number;
}

function dot(a: Float64Array, b: Float64Array): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += (a[i] as number) * (b[i] as number);
  return sum;
}

function begin(right: readonly Float64Array[], precondition: Precondition): readonly State[] {
  const shaped = right.map((one) => one.slice());
  precondition(shaped);
  return right.map((one, index) => {
    const z = shaped[index] ?? one;
    const rz = dot(one, z);
    return { index, x: new Float64Array(one.length), r: one.slice(), goal: tolerance ** 2 * rz, p: z, rz };
  });
}

/** Moves along `p`, with `ap = A p`. */
function move({ x, r, p, rz }: State, ap: Float64Array): void {
  const step = rz / dot(p, ap);
  for (let i = 0; i < x.length; i++) {
    x[i] = (x[i] as number) + step * (p[i] as number);
    r[i] = (r[i] as number) - step * (ap[i] as number);
  }
}

/** The next direction from the preconditioned residual. */
function turn(state: State, z: Float64Array): void {
  const { r, p, rz } = state;
  state.rz = dot(r, z);
  const keep = state.rz / rz;
  for (let i = 0; i < z.length; i++) z[i] = (z[i] as number) + keep * (p[i] as number);
  state.p = z;
}

/**
 * Returns the solutions, their residuals below 1e-12 of the right-hand sides in the preconditioner's norm.
 *
 * @throws NumericError when a system does not converge.
 */
export async function solveSystems({ right, apply, precondition }: Systems): Promise<readonly Float64Array[]> {
  const states = begin(right, precondition);
  for (let steps = 0; steps < maxSteps; steps++) {
    const open = states.filter(({ rz, goal }) => rz > goal);
    if (open.length === 0) return states.map(({ x }) => x);
    const products = await apply(
      open.map(({ p }) => p),
      open.map(({ index }) => index),
    );
    open.forEach((state, i) => {
      move(state, products[i] ?? state.p);
    });
    const shaped = open.map(({ r }) => r.slice());
    precondition(shaped);
    open.forEach((state, i) => {
      turn(state, shaped[i] ?? state.r);
    });
  }
  throw notConverged("probe.fit: linear system", maxSteps);
}

/** Says that a solver ran out of steps. */
export function notConverged(where: string, steps: number): NumericError {
  return new NumericError({
    where,
    got: `no convergence in ${steps} steps`,
    expected: "a solution",
    fix: "Raise the penalty (or the shrinkage): the features depend on each other almost exactly.",
  });
}
