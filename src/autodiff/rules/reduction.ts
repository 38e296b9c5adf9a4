/** Rules of reductions. Gradients keep size 1 along reduced axes and are spread only where a full shape is needed. */
import { dimProduct, type Value } from "../../graph/index.js";
import type { Rule, RuleContext } from "../rule.js";
import { countOf } from "../shapes.js";
import { chosen } from "./piecewise.js";

/** The reduced axes, counted from 0. */
export function reducedAxes(context: RuleContext): readonly number[] {
  const [value, list] = context.node.inputs;
  const rank = value?.shape.length ?? 0;
  const known = list === undefined ? [] : (context.ops.builder.known(list) ?? []);
  const axes = known.map((axis) => (Number(axis) < 0 ? Number(axis) + rank : Number(axis))).sort((a, b) => a - b);
  if (axes.length > 0 || context.number("noop_with_empty_axes", 0) === 1) return axes;
  return Array.from({ length: rank }, (_, axis) => axis);
}

/** Puts reduced axes back with size 1. */
function kept(context: RuleContext, value: Value): Value {
  const axes = reducedAxes(context);
  return context.number("keepdims", 1) === 1 || axes.length === 0 ? value : context.ops.unsqueeze(value, axes);
}

function reduceOver(context: RuleContext, x: Value): Value {
  return context.ops.reduceSum(x, reducedAxes(context));
}

/** `g` for every element. */
export const reduceSum: Rule = (context) => [kept(context, context.gradient())];

/** `g / n`. */
export const reduceMean: Rule = (context) => {
  const [value] = context.node.inputs;
  if (value === undefined) return [];
  const count = dimProduct(reducedAxes(context).map((axis) => value.shape[axis] ?? 1));
  return [context.ops.div(kept(context, context.gradient()), countOf(context.ops, count, value))];
};

/** `g` to the elements that equal the extreme, in equal parts. */
export const reduceExtreme: Rule = (context) => {
  const { ops } = context;
  const mask = chosen(context, context.input(0), kept(context, context.output()));
  const share = ops.div(kept(context, context.gradient()), reduceOver(context, mask));
  return [ops.mul(mask, share)];
};

/** `g` times the product of the others: one zero gets the product of the rest, several zeros leave nothing. */
export const reduceProd: Rule = (context) => {
  const { ops } = context;
  const x = context.input(0);
  const isZero = ops.equal(x, 0);
  const others = ops.where(isZero, 1, x);
  const zeros = reduceOver(context, ops.cast(isZero, x.dtype));
  const product = ops.builder.op("ReduceProd", [others, ops.ints(reducedAxes(context))], {
    noop_with_empty_axes: 1,
  });
  const atZero = ops.where(ops.equal(zeros, 1), product, 0);
  const elsewhere = ops.div(ops.where(ops.equal(zeros, 0), product, 0), others);
  return [ops.mul(kept(context, context.gradient()), ops.where(isZero, atZero, elsewhere))];
};

/** `2 g x`. */
export const reduceSumSquare: Rule = (context) => {
  const { ops } = context;
  return [ops.mul(context.input(0), ops.mul(kept(context, context.gradient()), 2))];
};

/** `g sign(x)`. */
export const reduceL1: Rule = (context) => {
  const { ops } = context;
  return [ops.mul(ops.sign(context.input(0)), kept(context, context.gradient()))];
};

/** `g x / y`, 0 where the norm is 0. */
export const reduceL2: Rule = (context) => {
  const { ops } = context;
  const y = kept(context, context.output());
  const isZero = ops.equal(y, 0);
  const slope = ops.where(isZero, 0, ops.div(kept(context, context.gradient()), ops.where(isZero, 1, y)));
  return [ops.mul(context.input(0), slope)];
};

/** `g exp(x - y)`, 0 where everything is -infinity. */
export const reduceLogSumExp: Rule = (context) => {
  const { ops } = context;
  const y = kept(context, context.output());
  const finite = ops.where(ops.equal(y, -Infinity), 0, y);
  return [ops.mul(ops.exp(ops.sub(context.input(0), finite)), kept(context, context.gradient()))];
};
