/**
 * Rules of ops that read or write by index.
 *
 * What was read several times gets several gradients. `ScatterND` adds them in parallel without care for equal indices,
 * so that some get lost; `ScatterElements` adds one after the other.
 */
import { type Dim, dimProduct, type Ops, type Value } from "../../graph/index.js";
import { type Contribution, each, type Rule, type RuleContext } from "../rule.js";
import { reshapeTo, zerosLike } from "../shapes.js";
import { axisOf, spreadAlong } from "./layout.js";

/** The index that a gather of one element along an axis of known size takes. */
function singleIndex(context: RuleContext, axis: number): number | undefined {
  const [value, indices] = context.node.inputs;
  const size = value?.shape[axis];
  const known = indices?.shape.length === 0 ? context.ops.builder.known(indices)?.[0] : undefined;
  if (typeof known !== "number" || typeof size !== "number") return undefined;
  return known < 0 ? known + size : known;
}

/** Entries along one axis: added up at their indices. */
export const gather: Rule = (context) => {
  const { ops, node } = context;
  const [value, indices] = node.inputs;
  if (value === undefined || indices === undefined) return [];
  const axis = axisOf(context, 0);
  const g = context.gradient();
  const [before, after] = [value.shape.slice(0, axis), value.shape.slice(axis + 1)];
  const flat = reshapeTo(ops, g, [...before, dimProduct(indices.shape), ...after], indices, value);
  const start = singleIndex(context, axis);
  if (start !== undefined) return [{ kind: "slice", axis, start, value: flat }];
  const list = reshapeTo(ops, context.input(1), [dimProduct(indices.shape)]);
  return [{ kind: "scatter", axis, indices: spreadAlong(context, list, axis, flat), updates: flat }];
};

/** Elements by index along one axis. */
export const gatherElements: Rule = (context) => [
  { kind: "scatter", axis: axisOf(context, 0), indices: context.input(1), updates: context.gradient() },
];

/** The largest or smallest elements: each gradient goes where its element came from. */
export const topK: Rule = (context) => {
  const updates = context.optionalGradient(0);
  if (updates === undefined) return [];
  return [{ kind: "scatter", axis: axisOf(context, -1), indices: context.output(1), updates }];
};

/** A size as a scalar int64 operand. */
function sizeOperand(ops: Ops, dim: Dim, like: Value): Value | number {
  return typeof dim === "number" ? dim : ops.squeeze(ops.sizes([dim], like), [0]);
}

/** `0, 1, …` along axis `axis` of a value of rank `rank`. */
function coordinate(ops: Ops, size: Value | number, axis: number, rank: number): Value {
  const list = ops.range(ops.scalar(0, "int64"), size, 1);
  const others = Array.from({ length: rank }, (_, index) => index).filter((index) => index !== axis);
  return others.length === 0 ? list : ops.unsqueeze(list, others);
}

/** The number of the row that each index tuple of a `GatherND` picks, counted over batch and indexed axes: `[…tuples]`. */
function rowNumbers(context: RuleContext, value: Value, indices: Value, batchDims: number): Value {
  const { ops } = context;
  const rank = indices.shape.length - 1;
  const size = (axis: number): Value | number => sizeOperand(ops, value.shape[axis] ?? 1, value);
  const batches = Array.from({ length: batchDims }, (_, axis) => coordinate(ops, size(axis), axis, rank));
  const tuple = Array.from({ length: Number(indices.shape.at(-1)) }, (_, place) => {
    const index = ops.gather(indices, ops.scalar(place, "int64"), rank);
    return ops.where(ops.less(index, 0), ops.add(index, size(batchDims + place)), index);
  });
  const [first, ...others] = [...batches, ...tuple];
  if (first === undefined) return indices;
  return others.reduce((number, index, place) => ops.add(ops.mul(number, size(place + 1)), index), first);
}

/** Parts by position: their gradients are added into the rows of the input, read as a matrix. */
export const gatherND: Rule = (context) => {
  const { ops, node } = context;
  const [value] = node.inputs;
  if (value === undefined) return [];
  const indices = context.input(1);
  const batchDims = context.number("batch_dims", 0);
  const picked = batchDims + Number(indices.shape.at(-1));
  const [rows, width] = [dimProduct(value.shape.slice(0, picked)), dimProduct(value.shape.slice(picked))];
  const count = dimProduct(indices.shape.slice(0, -1));
  const g = context.gradient();
  const updates = reshapeTo(ops, g, [count, width], indices, value);
  const list = reshapeTo(ops, rowNumbers(context, value, indices, batchDims), [count], indices);
  const zeros = ops.full([rows, width], 0, g.dtype, value);
  const places = spreadAlong(context, list, 0, updates);
  const summed = ops.scatterElements(zeros, places, updates, { axis: 0, reduction: "add" });
  return [reshapeTo(ops, summed, value.shape, value)];
};

/** How to undo a scatter: what reads at its indices, and what replaces there. */
interface Undo {
  readonly read: (g: Value) => Value;
  readonly clear: (g: Value) => Contribution;
}

/** The data keeps `g` but where it was replaced; the updates get `g` from their places. */
function undoScatter(context: RuleContext, { read, clear }: Undo): readonly (Contribution | undefined)[] {
  const g = context.gradient();
  const adds = context.node.attributes["reduction"] === "add";
  return each(
    context,
    () => (adds ? g : clear(g)),
    () => undefined,
    () => read(g),
  );
}

/** Replaced or added parts. Of several updates at one place all get the gradient, although only one is kept. */
export const scatterND: Rule = (context) => {
  const { ops, node } = context;
  const [, , updates] = node.inputs;
  const indices = context.input(1);
  return undoScatter(context, {
    read: (g) => ops.gatherND(g, indices),
    clear: (g) => (updates === undefined ? g : ops.scatterND(g, indices, zerosLike(ops, updates))),
  });
};

/** Replaced or added elements along one axis. */
export const scatterElements: Rule = (context) => {
  const { ops, node } = context;
  const axis = axisOf(context, 0);
  const [, , updates] = node.inputs;
  const indices = context.input(1);
  return undoScatter(context, {
    read: (g) => ops.gatherElements(g, indices, axis),
    clear: (g) => (updates === undefined ? g : ops.scatterElements(g, indices, zerosLike(ops, updates), { axis })),
  });
};
