/** Reductions and operations along one axis. */
import { floatDTypes, numberDTypes } from "../dtypes.js";
import type { GraphDType } from "../ir.js";
import { axesOf, axisOf, intAttribute, knownNumbers, one, row, typedInput } from "./helpers.js";
import type { OpName } from "./names.js";
import type { InferContext, OpSchema, TypedShape } from "./types.js";

function reduction(dtypes: readonly GraphDType[]): OpSchema["infer"] {
  return (context) => {
    const value = typedInput(context, 0, dtypes);
    const given = context.inputs[1] === undefined ? [] : knownNumbers(context, 1);
    const noop = given.length === 0 && intAttribute(context, "noop_with_empty_axes", 0) === 1;
    const all = value.shape.map((_, axis) => axis);
    const axes = noop ? [] : given.length === 0 ? all : axesOf(context, given, value.shape.length);
    const keep = intAttribute(context, "keepdims", 1) === 1;
    const kept = value.shape.map((dim, axis) => (axes.includes(axis) ? 1 : dim));
    return one(value.dtype, keep ? kept : value.shape.filter((_, axis) => !axes.includes(axis)));
  };
}

function inferSoftmax(context: InferContext): readonly TypedShape[] {
  const value = typedInput(context, 0, floatDTypes);
  axisOf(context, intAttribute(context, "axis", -1), value.shape.length);
  return one(value.dtype, value.shape);
}

const reduceAttributes = { keepdims: "int", noop_with_empty_axes: "int" } as const;
const reduce = (op: OpName, dtypes: readonly GraphDType[]): OpSchema =>
  row(op, [1, 2], reduction(dtypes), { attributes: reduceAttributes });

/** Rows of reductions. */
export const reductions: readonly OpSchema[] = [
  reduce("ReduceSum", numberDTypes),
  reduce("ReduceMean", floatDTypes),
  reduce("ReduceMax", numberDTypes),
  reduce("ReduceMin", numberDTypes),
  reduce("ReduceProd", floatDTypes),
  reduce("ReduceSumSquare", floatDTypes),
  reduce("ReduceL1", floatDTypes),
  reduce("ReduceL2", floatDTypes),
  reduce("ReduceLogSumExp", floatDTypes),
  row("Softmax", [1, 1], inferSoftmax, { attributes: { axis: "int" } }),
  row("LogSoftmax", [1, 1], inferSoftmax, { attributes: { axis: "int" } }),
];
