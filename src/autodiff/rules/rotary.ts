/**
 * The rule of rotary embedding. A pair `(x1, x2)` becomes `(x1 c - x2 s, x1 s + x2 c)`:
 * `dx` is `g` rotated by the opposite angle, `dc = g1 x1 + g2 x2`, `ds = g2 x1 - g1 x2`, summed over heads.
 */
import { dimProduct, type Value } from "../../graph/index.js";
import { type Contribution, each, type Rule, type RuleContext } from "../rule.js";
import { reshapeTo } from "../shapes.js";
import { spreadAlong } from "./layout.js";

/** `[batch, pos, head, dHead]` of either layout. */
function byPosition(context: RuleContext, x: Value): Value {
  const { ops } = context;
  if (x.shape.length === 4) return ops.transpose(x, [0, 2, 1, 3]);
  const [batch = 1, pos = 1, flat = 1] = x.shape;
  const heads = context.number("num_heads", 1);
  return reshapeTo(ops, x, [batch, pos, heads, Number(flat) / heads]);
}

/** The two members of each rotated pair, `[batch, pos, head, pair]`. */
function pairs(context: RuleContext, x: Value, half: number): readonly [Value, Value] {
  const { ops } = context;
  const apart = byPosition(context, x);
  if (context.number("interleaved", 0) === 0)
    return [ops.slice(apart, 3, 0, half), ops.slice(apart, 3, half, 2 * half)];
  const rotated = ops.slice(apart, 3, 0, 2 * half);
  return [ops.stride(rotated, 3, { start: 0, step: 2 }), ops.stride(rotated, 3, { start: 1, step: 2 })];
}

/** Puts the gradient of every position where its angles were read: `[batch, pos, pair]` or added into the table's rows. */
function toTable(context: RuleContext, gradient: Value): Contribution {
  const { ops, node } = context;
  const positions = node.inputs[3];
  const summed = ops.reduceSum(gradient, [2], false);
  if (positions === undefined) return summed;
  const count = dimProduct(positions.shape);
  const updates = reshapeTo(ops, summed, [count, summed.shape[2] ?? 1], positions);
  const list = reshapeTo(ops, positions, [count]);
  return { kind: "scatter", axis: 0, indices: spreadAlong(context, list, 0, updates), updates };
}

/** Rotary embedding of either layout, with or without a table of angles. */
export const rotary: Rule = (context) => {
  const { ops, node } = context;
  const half = Number(node.inputs[1]?.shape.at(-1));
  const products = (sign: 1 | -1): Value => {
    const [x1, x2] = pairs(context, context.input(0), half);
    const [g1, g2] = pairs(context, context.gradient(), half);
    return sign === 1 ? ops.add(ops.mul(g1, x1), ops.mul(g2, x2)) : ops.sub(ops.mul(g2, x1), ops.mul(g1, x2));
  };
  const rotated = (): Value => {
    const inputs = [context.gradient(), context.input(1), ops.neg(context.input(2)), node.inputs[3]];
    return ops.builder.op("RotaryEmbedding", inputs, node.attributes);
  };
  return each(
    context,
    rotated,
    () => toTable(context, products(1)),
    () => toTable(context, products(-1)),
  );
};
