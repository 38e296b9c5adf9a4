/** Limits on gradients. */
import { InputError } from "../core/index.js";
import type { Ops, Value } from "../graph/index.js";
import type { ClipOptions } from "./definition.js";

/** Throws an InputError unless the limits are numbers above 0. */
export function checkClip(clip: ClipOptions): void {
  for (const key of ["value", "norm"] as const) {
    const limit = clip[key];
    if (limit === undefined || (Number.isFinite(limit) && limit > 0)) continue;
    throw new InputError({
      where: `trainer: clip.${key}`,
      got: String(limit),
      expected: "a number above 0",
      fix: "Leave it out for no limit.",
    });
  }
}

/** Returns the Euclidean norm of all elements of all values, a scalar. */
export function globalNorm(ops: Ops, values: readonly Value[]): Value {
  const squares = values.map((value) => ops.reduceSumSquare(value, undefined, false));
  const [first, ...rest] = squares;
  return ops.sqrt(rest.reduce((sum, square) => ops.add(sum, square), first ?? ops.scalar(0, "float32")));
}

/** PyTorch's `clip_grad_norm_` adds this to the norm. */
const normOffset = 1e-6;

/** Gradients after clipping, and their norm before it. */
export interface Clipped {
  readonly gradients: readonly Value[];
  readonly norm: Value;
}

/** Clips element by element, then by the global norm: factor `min(1, limit / (norm + 1e-6))`. */
export function clipGradients(ops: Ops, gradients: readonly Value[], clip: ClipOptions): Clipped {
  const { value, norm: limit } = clip;
  const norm = globalNorm(ops, gradients);
  const bounded = value === undefined ? gradients : gradients.map((one) => ops.clip(one, -value, value));
  if (limit === undefined) return { gradients: bounded, norm };
  const own = value === undefined ? norm : globalNorm(ops, bounded);
  const factor = ops.minimum(ops.div(limit, ops.add(own, normOffset)), 1);
  return { gradients: bounded.map((one) => ops.mul(one, factor)), norm };
}
