/** Operations that read or write elements by index. */
import { broadcastDim, sameShape } from "../dims.js";
import { numberDTypes } from "../dtypes.js";
import type { Dim } from "../ir.js";
import { axisOf, input, intAttribute, one, problem, row, typedInput, withAxis } from "./helpers.js";
import type { InferContext, OpSchema, TypedShape } from "./types.js";

const indexDTypes = ["int64", "int32"] as const;

function inferGather(context: InferContext): readonly TypedShape[] {
  const value = input(context, 0);
  const indices = typedInput(context, 1, indexDTypes);
  const axis = axisOf(context, intAttribute(context, "axis", 0), value.shape.length);
  return one(value.dtype, value.shape.toSpliced(axis, 1, ...indices.shape));
}

function inferGatherElements(context: InferContext): readonly TypedShape[] {
  const value = input(context, 0);
  const indices = typedInput(context, 1, indexDTypes);
  axisOf(context, intAttribute(context, "axis", 0), value.shape.length);
  if (indices.shape.length !== value.shape.length) {
    const got = `indices of rank ${indices.shape.length}`;
    throw problem(context, got, `rank ${value.shape.length}`, "Give the indices the rank of the data.");
  }
  return one(value.dtype, indices.shape);
}

/** Returns how many leading axes of the data one index tuple picks. */
function tupleSize(context: InferContext, shape: readonly Dim[], limit: number): number {
  const size = shape.at(-1);
  if (typeof size === "number" && size >= 1 && size <= limit) return size;
  const got = `indices of shape [${shape.join(", ")}]`;
  throw problem(context, got, `a last axis of 1 to ${limit}`, "The last axis of the indices holds one position.");
}

function inferGatherND(context: InferContext): readonly TypedShape[] {
  const value = input(context, 0);
  const indices = typedInput(context, 1, ["int64"]);
  const batchDims = intAttribute(context, "batch_dims", 0);
  const size = tupleSize(context, indices.shape, value.shape.length - batchDims);
  const clash = indices.shape
    .slice(0, batchDims)
    .findIndex((dim, axis) => broadcastDim(dim, value.shape[axis] ?? -1) === undefined);
  if (clash >= 0) {
    const got = `batch sizes ${value.shape[clash]} and ${indices.shape[clash]}`;
    throw problem(context, got, "equal batch sizes", "Expand the indices.");
  }
  return one(value.dtype, [...indices.shape.slice(0, -1), ...value.shape.slice(batchDims + size)]);
}

function inferScatterND(context: InferContext): readonly TypedShape[] {
  const value = input(context, 0);
  const indices = typedInput(context, 1, ["int64"]);
  const updates = typedInput(context, 2, [value.dtype]);
  const size = tupleSize(context, indices.shape, value.shape.length);
  const expected = [...indices.shape.slice(0, -1), ...value.shape.slice(size)];
  if (!sameShape(updates.shape, expected)) {
    const got = `updates of shape [${updates.shape.join(", ")}]`;
    throw problem(context, got, `[${expected.join(", ")}]`, "Expand the updates; they do not broadcast.");
  }
  return one(value.dtype, value.shape);
}

function inferScatterElements(context: InferContext): readonly TypedShape[] {
  const value = input(context, 0);
  const indices = typedInput(context, 1, indexDTypes);
  const updates = typedInput(context, 2, [value.dtype]);
  axisOf(context, intAttribute(context, "axis", 0), value.shape.length);
  if (!sameShape(indices.shape, updates.shape) || indices.shape.length !== value.shape.length) {
    const got = `indices [${indices.shape.join(", ")}] and updates [${updates.shape.join(", ")}]`;
    throw problem(context, got, `one shape of rank ${value.shape.length}`, "Expand one of them.");
  }
  return one(value.dtype, value.shape);
}

function inferTopK(context: InferContext): readonly TypedShape[] {
  const value = typedInput(context, 0, numberDTypes);
  const axis = axisOf(context, intAttribute(context, "axis", -1), value.shape.length);
  const k = context.known(typedInput(context, 1, ["int64"]))?.[0] ?? context.fresh(axis);
  const shape = withAxis(value.shape, axis, k);
  return [
    { dtype: value.dtype, shape },
    { dtype: "int64", shape },
  ];
}

function inferArg(context: InferContext): readonly TypedShape[] {
  const value = typedInput(context, 0, numberDTypes);
  const axis = axisOf(context, intAttribute(context, "axis", 0), value.shape.length);
  const keep = intAttribute(context, "keepdims", 1) === 1;
  return one("int64", keep ? withAxis(value.shape, axis, 1) : value.shape.toSpliced(axis, 1));
}

const argAttributes = { axis: "int", keepdims: "int", select_last_index: "int" } as const;

/** Rows of indexing operations. */
export const indexing: readonly OpSchema[] = [
  row("Gather", [2, 2], inferGather, { attributes: { axis: "int" } }),
  row("GatherElements", [2, 2], inferGatherElements, { attributes: { axis: "int" } }),
  row("GatherND", [2, 2], inferGatherND, { attributes: { batch_dims: "int" } }),
  row("ScatterND", [3, 3], inferScatterND, { attributes: { reduction: "string" } }),
  row("ScatterElements", [3, 3], inferScatterElements, { attributes: { axis: "int", reduction: "string" } }),
  row("TopK", [2, 2], inferTopK, { attributes: { axis: "int", largest: "int", sorted: "int" }, outputs: [2, 2] }),
  row("ArgMax", [1, 1], inferArg, { attributes: argAttributes }),
  row("ArgMin", [1, 1], inferArg, { attributes: argAttributes }),
];
