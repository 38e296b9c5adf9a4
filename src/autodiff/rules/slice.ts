/** The rule of slices: `g` at its place, zeros elsewhere. */
import { type Dim, dimAdd, dimSub, type Value } from "../../graph/index.js";
import type { Contribution, Rule, RuleContext } from "../rule.js";
import { spreadAlong } from "./layout.js";

/** One axis of a slice, as values and, where known, as sizes. */
interface AxisRange {
  readonly axis: number;
  readonly start: Value;
  readonly end: Value;
  readonly step: Value | undefined;
  readonly known: { readonly start: Dim | undefined; readonly step: Dim | undefined };
}

function rangesOf(context: RuleContext): readonly AxisRange[] {
  const { ops, node } = context;
  const [value, starts, ends, axes, steps] = node.inputs;
  if (value === undefined || starts === undefined || ends === undefined) return [];
  const rank = value.shape.length;
  const count = Number(starts.shape[0] ?? 0);
  const list = axes === undefined ? undefined : ops.builder.known(axes);
  const knownStarts = ops.builder.known(starts);
  const knownSteps = steps === undefined ? undefined : ops.builder.known(steps);
  const one = (values: Value, index: number): Value =>
    count === 1 ? values : ops.gather(values, ops.ints([index]), 0);
  return Array.from({ length: count }, (_, index) => {
    const axis = Number(list?.[index] ?? index);
    return {
      axis: axis < 0 ? axis + rank : axis,
      start: one(starts, index),
      end: one(ends, index),
      step: steps === undefined ? undefined : one(steps, index),
      known: { start: knownStarts?.[index], step: steps === undefined ? 1 : knownSteps?.[index] },
    };
  });
}

/** First index as an offset from 0; undefined when that cannot be told. */
function offsetOf(start: Dim | undefined, size: Dim): Dim | undefined {
  if (start === undefined || typeof start === "string") return start;
  if (typeof size === "number") return Math.min(Math.max(start < 0 ? start + size : start, 0), size);
  return start < 0 ? dimAdd(size, start) : start;
}

/** Elements that lie side by side: zeros are padded before and after. */
function padded(context: RuleContext, g: Value, axis: number, ends: readonly [Dim, Dim]): Value {
  const { ops, node } = context;
  const like = node.inputs[0] === undefined ? [g] : [node.inputs[0], g];
  const at = (size: Dim): readonly Dim[] => g.shape.map((_, index) => (index === axis ? size : 0));
  const pads = ops.sizes([...at(ends[0]), ...at(ends[1])], ...like);
  return ops.builder.op("Pad", [g, pads, ops.scalar(0, g.dtype)]);
}

/** Elements anywhere: the same slice of `0, 1, …` says where each came from. */
function scattered(context: RuleContext, g: Value, range: AxisRange, shape: readonly Dim[]): Value {
  const { ops, node } = context;
  const [value] = node.inputs;
  if (value === undefined) return g;
  const { axis, start, end, step } = range;
  const all = ops.range(0, ops.dimOf(value, axis));
  const places = ops.builder.op("Slice", [all, start, end, ops.ints([0]), step]);
  const zeros = ops.full(shape, 0, g.dtype, value, g);
  return ops.builder.op("ScatterElements", [zeros, spreadAlong(context, places, axis, g), g], { axis });
}

function undo(context: RuleContext, g: Value, range: AxisRange): Value {
  const [value] = context.node.inputs;
  const { axis, known } = range;
  const size = value?.shape[axis] ?? 0;
  const own = g.shape[axis] ?? 0;
  const shape = g.shape.map((dim, index) => (index === axis ? size : dim));
  const before = known.step === 1 ? offsetOf(known.start, size) : undefined;
  if (before === undefined) return scattered(context, g, range, shape);
  const after = dimSub(dimSub(size, before), own);
  return before === 0 && after === 0 ? g : padded(context, g, axis, [before, after]);
}

/** One axis of known size, cut without gaps: the parts of one value are joined later. */
function asPart(context: RuleContext, ranges: readonly AxisRange[]): Contribution | undefined {
  const [only] = ranges;
  if (only === undefined || ranges.length !== 1 || only.known.step !== 1) return undefined;
  const size = context.node.inputs[0]?.shape[only.axis];
  const start = size === undefined ? undefined : offsetOf(only.known.start, size);
  const own = context.node.outputs[0]?.shape[only.axis];
  const isKnown = typeof size === "number" && typeof start === "number" && typeof own === "number";
  return isKnown ? { kind: "slice", axis: only.axis, start, value: context.gradient() } : undefined;
}

/** Slices of any number of axes, with any steps. */
export const slice: Rule = (context) => {
  const ranges = rangesOf(context);
  const part = asPart(context, ranges);
  return [part ?? ranges.reduce((g, range) => undo(context, g, range), context.gradient())];
};
