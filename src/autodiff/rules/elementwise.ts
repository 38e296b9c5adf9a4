/** Rules of smooth element-wise ops. `g` is the gradient of the output `y`; sums over broadcast axes come later. */
import { sameShape, type Value } from "../../graph/index.js";
import { each, type Rule, type RuleContext } from "../rule.js";

/** The gradient, expanded only where an operand was broadcast: only then its size counts. */
export function pointwise(context: RuleContext): Value {
  const { inputs, outputs } = context.node;
  const shape = outputs[0]?.shape ?? [];
  const isSame = inputs.every(
    (value, index) => value === undefined || !context.wants(index) || sameShape(value.shape, shape),
  );
  return isSame ? context.looseGradient() : context.gradient();
}

/** A rule for one input: `dx = g * derivative`. */
function times(derivative: (context: RuleContext) => Value): Rule {
  return (context) => [context.ops.mul(pointwise(context), derivative(context))];
}

/** `dx = g` for every input. */
export const pass: Rule = (context) => {
  const g = pointwise(context);
  return context.node.inputs.map(() => g);
};

/** `d(a - b) = (g, -g)`. */
export const sub: Rule = (context) => {
  const g = pointwise(context);
  return each(
    context,
    () => g,
    () => context.ops.neg(g),
  );
};

/** `d(a b) = (g b, g a)`. */
export const mul: Rule = (context) => {
  const { ops } = context;
  const g = pointwise(context);
  return each(
    context,
    () => ops.mul(g, context.input(1)),
    () => ops.mul(g, context.input(0)),
  );
};

/** `d(a / b) = (g / b, -g y / b)`. */
export const div: Rule = (context) => {
  const { ops } = context;
  const g = pointwise(context);
  return each(
    context,
    () => ops.div(g, context.input(1)),
    () => ops.neg(ops.div(ops.mul(g, context.output()), context.input(1))),
  );
};

/** `d(a - b trunc(a / b)) = (g, -g trunc(a / b))`; `trunc` is found exactly by rounding `(a - y) / b`. */
export const mod: Rule = (context) => {
  const { ops } = context;
  const g = pointwise(context);
  const quotient = (): Value => ops.round(ops.div(ops.sub(context.input(0), context.output()), context.input(1)));
  return each(
    context,
    () => g,
    () => ops.neg(ops.mul(g, quotient())),
  );
};

/** `b a^(b-1)`, 0 where `b` is 0 even at `a = 0`. */
function powerSlope(context: RuleContext): Value {
  const { ops } = context;
  const [a, b] = [context.input(0), context.input(1)];
  const exponent = ops.builder.known(b)?.[0];
  if (exponent === 2) return ops.mul(a, 2);
  if (typeof exponent === "number" && exponent !== 0) return ops.mul(ops.pow(a, exponent - 1), exponent);
  return ops.mul(b, ops.pow(a, ops.sub(ops.where(ops.equal(b, 0), 1, b), 1)));
}

/** `d(a^b) = (g b a^(b-1), g y log a)`; the second is 0 where `a <= 0`. */
export const pow: Rule = (context) => {
  const { ops } = context;
  const g = pointwise(context);
  const logBase = (): Value => {
    const a = context.input(0);
    return ops.log(ops.where(ops.greater(a, 0), a, 1));
  };
  return each(
    context,
    () => ops.mul(g, powerSlope(context)),
    () => ops.mul(g, ops.mul(context.output(), logBase())),
  );
};

/** `-g`. */
export const neg: Rule = (context) => [context.ops.neg(pointwise(context))];

/** `g / (2 y)`. */
export const sqrt: Rule = (context) => {
  const { ops } = context;
  return [ops.div(ops.mul(pointwise(context), 0.5), context.output())];
};

/** `-g y^2`. */
export const reciprocal: Rule = times((context) => {
  const y = context.output();
  return context.ops.neg(context.ops.mul(y, y));
});

/** `g y`. */
export const exp: Rule = times((context) => context.output());

/** `g / x`. */
export const log: Rule = (context) => [context.ops.div(pointwise(context), context.input(0))];

/** `g cos x`. */
export const sin: Rule = times((context) => context.ops.cos(context.input(0)));

/** `-g sin x`. */
export const cos: Rule = times((context) => context.ops.neg(context.ops.sin(context.input(0))));

/** `dx = g` in the element type of `x`. */
export const cast: Rule = (context) => {
  const dtype = context.node.inputs[0]?.dtype ?? "float32";
  return [context.ops.cast(context.looseGradient(), dtype)];
};
