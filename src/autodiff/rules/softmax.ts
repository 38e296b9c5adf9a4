/** Rules of softmax and log-softmax. */
import type { Value } from "../../graph/index.js";
import type { Rule, RuleContext } from "../rule.js";

/** Adds up along the axis of the op, which keeps size 1. */
function along(context: RuleContext, x: Value): Value {
  return context.ops.reduceSum(x, [context.number("axis", -1)]);
}

/**
 * `y (g - sum(g y))`.
 *
 * A row of -infinity only has the output NaN. Where the graph itself looks for NaN there (to replace it), the gradient
 * of such rows is 0 and not NaN.
 */
export const softmax: Rule = (context) => {
  const { ops } = context;
  const output = context.output();
  const y = context.isReadBy("IsNaN") ? ops.where(ops.isNaN(output), 0, output) : output;
  const g = context.gradient();
  return [ops.mul(y, ops.sub(g, along(context, ops.mul(g, y))))];
};

/** `g - exp(y) sum(g)`. */
export const logSoftmax: Rule = (context) => {
  const { ops } = context;
  const g = context.gradient();
  return [ops.sub(g, ops.mul(ops.exp(context.output()), along(context, g)))];
};
