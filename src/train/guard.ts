/**
 * Makes a graph fail where a number is not finite.
 *
 * A run that fails leaves the engine's resident tensors as they were. So a step whose loss or gradient is NaN or
 * infinite changes nothing: parameters stay those of the last good step, and can be looked at.
 */
import type { Ops, Value } from "../graph/index.js";

/** Returns `x` itself, a scalar, when it is finite; the run fails when it is not (an index beyond the only element). */
export function finiteOrFail(ops: Ops, x: Value): Value {
  const isFinite = ops.equal(ops.sub(x, x), 0);
  const index = ops.where(isFinite, ops.builder.constant(0, "int64"), ops.builder.constant(1, "int64"));
  return ops.gather(ops.unsqueeze(x, [0]), index, 0);
}
