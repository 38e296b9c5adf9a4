/** Rules of ops that choose among their inputs. Where several are chosen at once they share the gradient equally. */
import type { Value } from "../../graph/index.js";
import { each, type Rule, type RuleContext } from "../rule.js";
import { pointwise } from "./elementwise.js";

/** `g sign(x)`, 0 at 0. */
export const abs: Rule = (context) => [context.ops.mul(pointwise(context), context.ops.sign(context.input(0)))];

/** 1 where `x` is the chosen value, else 0. */
export function chosen(context: RuleContext, x: Value, y: Value): Value {
  return context.ops.cast(context.ops.equal(x, y), y.dtype);
}

/** Minimum and maximum: `g` to the operands that equal `y`, in equal parts. */
export const extreme: Rule = (context) => {
  const { ops, node } = context;
  const [first, ...others] = node.inputs.map((_, index) => chosen(context, context.input(index), context.output()));
  if (first === undefined || others.length === 0) return [context.looseGradient()];
  const count = others.reduce((sum, mask) => ops.add(sum, mask), first);
  const share = ops.div(context.gradient(), count);
  return [first, ...others].map((mask, index) => (context.wants(index) ? ops.mul(share, mask) : undefined));
};

/** Clip: `g` inside the bounds and on them; what lies outside goes to the bound. */
export const clip: Rule = (context) => {
  const { ops, node } = context;
  const g = context.gradient();
  const x = context.input(0);
  const [, low, high] = node.inputs.map((value, index) => (value === undefined ? undefined : context.input(index)));
  const inside = [
    ...(low === undefined ? [] : [ops.greaterOrEqual(x, low)]),
    ...(high === undefined ? [] : [ops.lessOrEqual(x, high)]),
  ];
  const within = (): Value => inside.reduce((value, condition) => ops.where(condition, value, 0), g);
  return each(
    context,
    within,
    () => (low === undefined ? undefined : ops.where(ops.less(x, low), g, 0)),
    () => (high === undefined ? undefined : ops.where(ops.greater(x, high), g, 0)),
  );
};

/** Where: `g` to the branch that was taken. A replacement and no product, so that infinities elsewhere do no harm. */
export const where: Rule = (context) => {
  const { ops } = context;
  const condition = context.input(0);
  const g = context.gradient();
  return each(
    context,
    () => undefined,
    () => ops.where(condition, g, 0),
    () => ops.where(condition, 0, g),
  );
};
