/** Rules of ops that move elements. */
import type { Dim, Value } from "../../graph/index.js";
import { type Contribution, each, type Rule, type RuleContext } from "../rule.js";
import { countOf, reshapeLike, reshapeTo, zerosLike } from "../shapes.js";

/** `g` in the shape of the input. */
export const reshape: Rule = (context) => {
  const [value] = context.node.inputs;
  return value === undefined ? [] : [reshapeLike(context.ops, context.gradient(), value)];
};

/** `g` transposed back. */
export const transpose: Rule = (context) => {
  const { perm } = context.node.attributes;
  const rank = context.node.inputs[0]?.shape.length ?? 0;
  const axes = typeof perm === "object" ? perm : Array.from({ length: rank }, (_, axis) => rank - 1 - axis);
  const back = axes.map((_, axis) => axes.findIndex((from) => (from < 0 ? from + rank : from) === axis));
  return [context.ops.transpose(context.gradient(), back)];
};

/** `g`; the sum over broadcast axes follows. */
export const expand: Rule = (context) => [context.gradient()];

/** The axis of an op, counted from 0. */
export function axisOf(context: RuleContext, fallback: number): number {
  const axis = context.number("axis", fallback);
  return axis < 0 ? axis + (context.node.inputs[0]?.shape.length ?? 0) : axis;
}

function sizesAlong(values: readonly (Value | undefined)[], axis: number): readonly Dim[] {
  return values.map((value) => value?.shape[axis] ?? 0);
}

/** Parts of `g`, one for each input. */
export const concat: Rule = (context) => {
  const { ops, node } = context;
  const axis = axisOf(context, 0);
  const g = context.gradient();
  const sizes = sizesAlong(node.inputs, axis);
  const present = node.inputs.filter((value) => value !== undefined);
  if (sizes.length === 1) return [g];
  return ops.builder.ops("Split", [g, ops.sizes(sizes, ...present)], { axis }, sizes.length);
};

/** The gradients of the parts at their places. */
export const split: Rule = (context) => {
  const { node } = context;
  const axis = axisOf(context, 0);
  const isKnown = sizesAlong([...node.outputs, node.inputs[0]], axis).every((size) => typeof size === "number");
  return [isKnown ? joined(context, axis) : concatenated(context, axis)];
};

function concatenated(context: RuleContext, axis: number): Value {
  const { ops, node } = context;
  const parts = node.outputs.map((value, index) => context.optionalGradient(index) ?? zerosLike(ops, value));
  return ops.concat(parts, axis);
}

/** Parts of known sizes: what has no gradient becomes a block of zeros. */
function joined(context: RuleContext, axis: number): Contribution {
  const gradients = context.node.outputs.map((_, index) => context.optionalGradient(index));
  const present = gradients.filter((gradient) => gradient !== undefined);
  const [only] = present;
  if (only === undefined || present.length !== 1) return concatenated(context, axis);
  const before = context.node.outputs.slice(0, gradients.indexOf(only));
  const start = before.reduce((sum, value) => sum + Number(value.shape[axis]), 0);
  return { kind: "slice", axis, start, value: only };
}

/** `g` summed over the repetitions: `[r0 d0, r1 d1]` is read as `[r0, d0, r1, d1]`. */
export const tile: Rule = (context) => {
  const { ops, node } = context;
  const [value, repeats] = node.inputs;
  const known = repeats === undefined ? undefined : ops.builder.known(repeats);
  if (value === undefined || repeats === undefined) return [];
  const counts = known ?? value.shape.map((_, axis) => `${repeats.name}.${axis}`);
  const dims = value.shape.flatMap((dim, axis) => [counts[axis] ?? 1, dim]);
  const apart = reshapeTo(ops, context.gradient(), dims, value);
  const summed = ops.reduceSum(
    apart,
    value.shape.map((_, axis) => 2 * axis),
    false,
  );
  return [summed];
};

/** The pads that undo others: negative ones crop. */
function negated({ ops }: RuleContext, pads: Value): Value {
  const known = ops.builder.known(pads) ?? [];
  const numbers = known.flatMap((size) => (typeof size === "number" ? [0 - size] : []));
  return numbers.length > 0 && numbers.length === known.length ? ops.ints(numbers) : ops.neg(pads);
}

/** Padding with a constant: the elements that were there; the rest goes to the constant. */
function constantPad(context: RuleContext): readonly (Contribution | undefined)[] {
  const { ops, node } = context;
  const g = context.gradient();
  const [, pads, , axes] = node.inputs;
  const back = (): Value => {
    const crop = pads === undefined ? undefined : negated(context, pads);
    return ops.builder.op("Pad", [g, crop, ops.scalar(0, g.dtype), axes]);
  };
  return each(
    context,
    back,
    () => undefined,
    () => ops.sub(ops.reduceSum(g, undefined, false), ops.reduceSum(back(), undefined, false)),
  );
}

/** Padding with elements of the input: each gets the gradients of its copies, one axis after the other. */
function copyingPad(context: RuleContext, mode: string): readonly Value[] {
  const { ops, node } = context;
  const [value, pads, , list] = node.inputs;
  if (value === undefined || pads === undefined) return [];
  const rank = value.shape.length;
  const axes = list === undefined ? value.shape.map((_, axis) => axis) : (ops.builder.known(list) ?? []).map(Number);
  const shape = [...(node.outputs[0]?.shape ?? [])];
  let g = context.gradient();
  axes.forEach((axis, index) => {
    const at = axis < 0 ? axis + rank : axis;
    const own = ops.gather(pads, ops.ints([index, index + axes.length]), 0);
    const positions = ops.builder.op("Pad", [ops.range(0, ops.dimOf(value, at)), own], { mode });
    shape[at] = value.shape[at] ?? 0;
    g = scatterAlong(context, g, { axis: at, positions, shape });
  });
  return [g];
}

/** Where {@link scatterAlong} adds. */
interface Places {
  readonly axis: number;
  /** int64 of rank 1: for each element along the axis, where it goes. */
  readonly positions: Value;
  /** Shape of the result. */
  readonly shape: readonly Dim[];
}

/** Adds the elements of `g` along an axis at positions of zeros. */
export function scatterAlong(context: RuleContext, g: Value, { axis, positions, shape }: Places): Value {
  const { ops, node } = context;
  const like = node.inputs.filter((value) => value !== undefined);
  const places = spreadAlong(context, positions, axis, g);
  return ops.scatterElements(ops.full(shape, 0, g.dtype, ...like, g), places, g, { axis, reduction: "add" });
}

/** A list along one axis, repeated along all others of `g`. */
export function spreadAlong(context: RuleContext, list: Value, axis: number, g: Value): Value {
  const { ops } = context;
  const own = reshapeTo(ops, list, [g.shape[axis] ?? 1], g);
  const others = g.shape.flatMap((_, index) => (index === axis ? [] : [index]));
  return ops.expand(others.length === 0 ? own : ops.unsqueeze(own, others), g.shape, g);
}

/** Padding of every mode. */
export const pad: Rule = (context) => {
  const mode = context.node.attributes["mode"] ?? "constant";
  return mode === "constant" ? constantPad(context) : copyingPad(context, String(mode));
};

/** The same triangle of `g`. */
export const trilu: Rule = (context) => {
  const { ops, node } = context;
  return [ops.builder.op("Trilu", [context.gradient(), node.inputs[1]], node.attributes)];
};

/** Sums of `g` that run the other way. */
export const cumSum: Rule = (context) => {
  const { ops, node } = context;
  const reverse = context.number("reverse", 0) === 1 ? 0 : 1;
  return [ops.builder.op("CumSum", [context.gradient(), node.inputs[1]], { ...node.attributes, reverse })];
};

/** `start + i delta`: the limit only says how many there are. */
export const range: Rule = (context) => {
  const { ops } = context;
  const g = context.gradient();
  const counted = (): Value => {
    const steps = ops.range(ops.scalar(0, g.dtype), countOf(ops, g.shape[0] ?? 0, g), 1);
    return ops.reduceSum(ops.mul(g, reshapeLike(ops, steps, g)), undefined, false);
  };
  return each(
    context,
    () => ops.reduceSum(g, undefined, false),
    () => undefined,
    counted,
  );
};

/** The two values of a one-hot: `[sum of g where off, sum of g where on]`. */
export const oneHot: Rule = (context) => {
  const { ops, node } = context;
  const g = context.gradient();
  const [indices, depth] = node.inputs;
  const zeroOne = ops.builder.constant([0, 1], g.dtype);
  const hot = ops.builder.op("OneHot", [indices, depth, zeroOne], node.attributes);
  const on = ops.reduceSum(ops.mul(g, hot), undefined, false);
  const off = ops.sub(ops.reduceSum(g, undefined, false), on);
  return [undefined, undefined, ops.concat([ops.unsqueeze(off, [0]), ops.unsqueeze(on, [0])], 0)];
};
