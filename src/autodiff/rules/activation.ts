/** Rules of activation functions. */
import type { Value } from "../../graph/index.js";
import type { Rule, RuleContext } from "../rule.js";
import { pointwise } from "./elementwise.js";

function times(derivative: (context: RuleContext) => Value): Rule {
  return (context) => [context.ops.mul(pointwise(context), derivative(context))];
}

/** `g (1 - y^2)`. */
export const tanh: Rule = times((context) => {
  const y = context.output();
  return context.ops.sub(1, context.ops.mul(y, y));
});

/** `s (1 - s)`. */
function sigmoidSlope(context: RuleContext, s: Value): Value {
  return context.ops.mul(s, context.ops.sub(1, s));
}

/** `g y (1 - y)`. */
export const sigmoid: Rule = times((context) => sigmoidSlope(context, context.output()));

/** `g` where `y > 0`, 0 elsewhere and at 0. A product with 0 and 1 takes half the time of `Where`. */
export const relu: Rule = times((context) => {
  const y = context.output();
  return context.ops.cast(context.ops.greater(y, 0), y.dtype);
});

/** `g sigmoid(x)`. */
export const softplus: Rule = times((context) => context.ops.sigmoid(context.input(0)));

/** `g 2/sqrt(pi) exp(-x^2)`. */
export const erf: Rule = times((context) => {
  const { ops } = context;
  const x = context.input(0);
  return ops.mul(ops.exp(ops.neg(ops.mul(x, x))), 2 / Math.sqrt(Math.PI));
});

/** `Phi(x) + x phi(x)` with the normal distribution function and its density. */
function exactGelu(context: RuleContext): Value {
  const { ops } = context;
  const x = context.input(0);
  const density = ops.mul(ops.exp(ops.mul(ops.mul(x, x), -0.5)), 1 / Math.sqrt(2 * Math.PI));
  const distribution = ops.mul(ops.add(ops.erf(ops.mul(x, Math.SQRT1_2)), 1), 0.5);
  return ops.add(distribution, ops.mul(x, density));
}

/**
 * The tanh form is `y = x s` with `s = sigmoid(x p)`, `p = c (1 + 0.044715 x^2)`, `c = sqrt(8/pi)`, so
 * `y' = s + y (1 - s) (3 p - 2 c)`.
 */
function tanhGelu(context: RuleContext): Value {
  const { ops } = context;
  const [x, y] = [context.input(0), context.output()];
  const c = Math.sqrt(8 / Math.PI);
  const p = ops.add(ops.mul(ops.mul(x, x), c * 0.044715), c);
  const s = ops.sigmoid(ops.mul(x, p));
  const inner = ops.sub(ops.mul(p, 3), 2 * c);
  return ops.add(s, ops.mul(ops.mul(y, ops.sub(1, s)), inner));
}

/** `g y'` of either form of GELU. */
export const gelu: Rule = times((context) =>
  context.node.attributes["approximate"] === "tanh" ? tanhGelu(context) : exactGelu(context),
);

/** `y = x s` with `s = sigmoid(alpha x)`: `g (s + alpha y (1 - s))`. */
export const quickGelu: Rule = times((context) => {
  const { ops } = context;
  const alpha = context.number("alpha", 1.702);
  const s = ops.sigmoid(alpha === 1 ? context.input(0) : ops.mul(context.input(0), alpha));
  const rest = ops.mul(context.output(), ops.sub(1, s));
  return ops.add(s, alpha === 1 ? rest : ops.mul(rest, alpha));
});
