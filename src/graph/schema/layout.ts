/** Operations that move elements without computing on them, and those that make or read shapes. */
import { describeAttribute } from "../describe.js";
import {
  broadcastShapes,
  countRatio,
  dimAdd,
  dimDivide,
  dimEquals,
  dimMul,
  dimProduct,
  dimSub,
  sameCount,
} from "../dims.js";
import { graphDTypeNames, numberDTypes } from "../dtypes.js";
import type { Dim } from "../ir.js";
import {
  anyDType,
  axesOf,
  axisOf,
  input,
  intAttribute,
  knownDims,
  knownNumbers,
  likeFirst,
  listAttribute,
  one,
  problem,
  row,
  sameInputs,
  typedInput,
  withAxis,
} from "./helpers.js";
import type { InferContext, OpSchema, TypedShape } from "./types.js";

function inferReshape(context: InferContext): readonly TypedShape[] {
  const value = input(context, 0);
  const requested = knownDims(context, 1);
  const zeroCopies = intAttribute(context, "allowzero", 0) === 0;
  const dims = requested.map((dim, axis) => (dim === 0 && zeroCopies ? (value.shape[axis] ?? 0) : dim));
  const given = dims.filter((dim) => dim !== -1);
  const rest = given.length === dims.length ? undefined : countRatio(value.shape, given);
  const shape = dims.map((dim, axis) => (dim === -1 ? (rest ?? context.fresh(axis)) : dim));
  const decided = [...value.shape, ...shape].every((dim) => typeof dim === "number");
  if (decided && !sameCount(value.shape, shape)) {
    const got = `[${value.shape.join(", ")}] to [${requested.join(", ")}]`;
    throw problem(context, got, `a shape of ${dimProduct(value.shape)} elements`, "Check the sizes.");
  }
  return one(value.dtype, shape);
}

function inferTranspose(context: InferContext): readonly TypedShape[] {
  const value = input(context, 0);
  const rank = value.shape.length;
  const perm = listAttribute(context, "perm") ?? value.shape.map((_, axis) => rank - 1 - axis);
  const axes = axesOf(context, perm, rank);
  if (perm.length !== rank) {
    const got = `perm [${perm.join(", ")}] for rank ${rank}`;
    throw problem(context, got, "each axis once", "List every axis.");
  }
  return one(
    value.dtype,
    axes.map((axis) => value.shape[axis] ?? 0),
  );
}

function inferUnsqueeze(context: InferContext): readonly TypedShape[] {
  const value = input(context, 0);
  const requested = knownNumbers(context, 1);
  const rank = value.shape.length + requested.length;
  const axes = new Set(axesOf(context, requested, rank));
  const left = [...value.shape];
  return one(
    value.dtype,
    Array.from({ length: rank }, (_, axis) => (axes.has(axis) ? 1 : (left.shift() ?? 0))),
  );
}

function inferSqueeze(context: InferContext): readonly TypedShape[] {
  const value = input(context, 0);
  const rank = value.shape.length;
  const ones = value.shape.flatMap((dim, axis) => (dim === 1 ? [axis] : []));
  const axes = context.inputs[1] === undefined ? ones : axesOf(context, knownNumbers(context, 1), rank);
  const wrong = axes.find((axis) => typeof value.shape[axis] === "number" && value.shape[axis] !== 1);
  if (wrong !== undefined) {
    const got = `size ${value.shape[wrong]} at axis ${wrong}`;
    throw problem(context, got, "size 1", "Squeeze only axes of size 1.");
  }
  return one(
    value.dtype,
    value.shape.filter((_, axis) => !axes.includes(axis)),
  );
}

function inferExpand(context: InferContext): readonly TypedShape[] {
  const value = input(context, 0);
  return one(value.dtype, broadcastShapes(context.where, value.shape, knownDims(context, 1)));
}

function inferConcat(context: InferContext): readonly TypedShape[] {
  const values = sameInputs(context, anyDType);
  const first = input(context, 0);
  const axis = axisOf(context, intAttribute(context, "axis", 0), first.shape.length);
  const shape = [...first.shape];
  for (const value of values.slice(1)) {
    const same = value.shape.every((dim, at) => at === axis || dimEquals(dim, first.shape[at] ?? -1));
    if (!same || value.shape.length !== shape.length) {
      const got = values.map((own) => `[${own.shape.join(", ")}]`).join(", ");
      throw problem(context, got, `equal sizes outside axis ${axis}`, "Check the sizes.");
    }
    shape[axis] = dimAdd(shape[axis] ?? 0, value.shape[axis] ?? 0);
  }
  return one(first.dtype, shape);
}

const farEnd = 2 ** 31 - 1;

/** A slice bound as an offset from 0; undefined when that cannot be told. Bounds are taken to lie inside the axis. */
function boundOf(bound: Dim, dim: Dim): Dim {
  if (typeof bound !== "number") return bound;
  if (typeof dim === "number") return Math.min(Math.max(bound < 0 ? bound + dim : bound, 0), dim);
  if (bound >= farEnd) return dim;
  return bound < 0 ? dimAdd(dim, bound) : bound;
}

/** Contents of input `index`, undefined where they are not known: two such bounds say nothing about their distance. */
function knownBounds(context: InferContext, index: number): readonly (Dim | undefined)[] {
  const dims = knownDims(context, index);
  return context.known(input(context, index)) === undefined ? dims.map(() => undefined) : dims;
}

function sliceSize(start: Dim | undefined, end: Dim | undefined, step: Dim, dim: Dim): Dim | undefined {
  if (start === undefined || end === undefined) return undefined;
  if (step === 1) {
    const size = dimSub(boundOf(end, dim), boundOf(start, dim));
    return typeof size === "number" ? Math.max(size, 0) : size;
  }
  if (step === -1 && start === -1 && typeof end === "number" && end < -farEnd) return dim;
  return strideSize(start, end, step, dim);
}

/** Number of elements from `start` to `end` where all is known. */
function strideSize(start: Dim, end: Dim, step: Dim, dim: Dim): number | undefined {
  const allNumbers = typeof start === "number" && typeof end === "number" && typeof step === "number";
  if (!allNumbers || typeof dim !== "number") return undefined;
  const low = step < 0 ? -1 : 0;
  const clamp = (bound: number): number => Math.min(Math.max(bound < 0 ? bound + dim : bound, low), dim + low);
  return Math.max(0, Math.ceil((clamp(end) - clamp(start)) / step));
}

function inferSlice(context: InferContext): readonly TypedShape[] {
  const value = input(context, 0);
  const [starts, ends] = [knownBounds(context, 1), knownBounds(context, 2)];
  const axes = context.inputs[3] === undefined ? starts.map((_, index) => index) : knownNumbers(context, 3);
  const steps = context.inputs[4] === undefined ? starts.map(() => 1) : knownNumbers(context, 4);
  const shape = [...value.shape];
  axesOf(context, axes, shape.length).forEach((axis, index) => {
    const size = sliceSize(starts[index], ends[index], steps[index] ?? 1, shape[axis] ?? 0);
    shape[axis] = size ?? context.fresh(axis);
  });
  return one(value.dtype, shape);
}

function evenParts(context: InferContext, dim: Dim): readonly Dim[] {
  const count = context.outputCount;
  if (typeof dim !== "number") {
    const part = dimDivide(dim, count);
    return Array.from({ length: count }, (_, index) => part ?? context.fresh(index));
  }
  const size = Math.ceil(dim / count);
  return Array.from({ length: count }, (_, index) => Math.min(size, dim - size * index));
}

function inferSplit(context: InferContext): readonly TypedShape[] {
  const value = input(context, 0);
  const axis = axisOf(context, intAttribute(context, "axis", 0), value.shape.length);
  const dim = value.shape[axis] ?? 0;
  const sizes = context.inputs[1] === undefined ? evenParts(context, dim) : knownDims(context, 1);
  const total = sizes.reduce<Dim>(dimAdd, 0);
  const wrongSum = typeof total === "number" && typeof dim === "number" && total !== dim;
  if (sizes.length !== context.outputCount || wrongSum) {
    const got = `sizes [${sizes.join(", ")}] for ${context.outputCount} outputs of axis ${axis} of size ${dim}`;
    throw problem(context, got, "one size for each output, with the axis as their sum", "Check the sizes.");
  }
  return sizes.map((size) => ({ dtype: value.dtype, shape: withAxis(value.shape, axis, size) }));
}

function inferTile(context: InferContext): readonly TypedShape[] {
  const value = input(context, 0);
  const repeats = knownDims(context, 1);
  if (repeats.length !== value.shape.length) {
    throw problem(
      context,
      `${repeats.length} repeats`,
      `${value.shape.length}, one for each axis`,
      "Repeat 1 elsewhere.",
    );
  }
  return one(
    value.dtype,
    value.shape.map((dim, axis) => dimMul(dim, repeats[axis] ?? 1)),
  );
}

function inferShape(context: InferContext): readonly TypedShape[] {
  const { shape } = input(context, 0);
  const end = intAttribute(context, "end", shape.length);
  return one("int64", [shape.slice(intAttribute(context, "start", 0), end).length]);
}

function inferConstantOfShape(context: InferContext): readonly TypedShape[] {
  const name = context.attributes["dtype"] ?? "float32";
  const dtype = graphDTypeNames.find((known) => known === name);
  if (dtype === undefined)
    throw problem(context, `dtype ${describeAttribute(name)}`, graphDTypeNames.join(", "), "Name an element type.");
  return one(dtype, knownDims(context, 0));
}

function inferRange(context: InferContext): readonly TypedShape[] {
  const values = sameInputs(context, numberDTypes);
  const [start, limit, delta] = values.map((value) => context.known(value)?.[0]);
  const span = start === undefined || limit === undefined ? undefined : dimSub(limit, start);
  const dtype = input(context, 0).dtype;
  if (span === undefined || delta === undefined) return one(dtype, [context.fresh(0)]);
  if (typeof span === "number" && typeof delta === "number") return one(dtype, [Math.max(0, Math.ceil(span / delta))]);
  return one(dtype, [delta === 1 ? span : context.fresh(0)]);
}

function inferPad(context: InferContext): readonly TypedShape[] {
  const value = input(context, 0);
  const rank = value.shape.length;
  const pads = knownDims(context, 1);
  const axes = context.inputs[3] === undefined ? value.shape.map((_, axis) => axis) : knownNumbers(context, 3);
  if (pads.length !== 2 * axes.length) {
    throw problem(context, `${pads.length} pads`, `${2 * axes.length}: all starts, then all ends`, "Check the pads.");
  }
  const shape = [...value.shape];
  axesOf(context, axes, rank).forEach((axis, index) => {
    const added = dimAdd(pads[index] ?? 0, pads[index + axes.length] ?? 0);
    shape[axis] = dimAdd(shape[axis] ?? 0, added);
  });
  return one(value.dtype, shape);
}

function inferOneHot(context: InferContext): readonly TypedShape[] {
  const indices = typedInput(context, 0, ["int64"]);
  const depth = context.known(typedInput(context, 1, ["int64"]))?.[0] ?? context.fresh(indices.shape.length);
  const values = typedInput(context, 2, ["float32", "int64"]);
  const axis = axisOf(context, intAttribute(context, "axis", -1), indices.shape.length + 1);
  return one(values.dtype, indices.shape.toSpliced(axis, 0, depth));
}

function inferTrilu(context: InferContext): readonly TypedShape[] {
  const value = input(context, 0);
  if (value.shape.length < 2) throw problem(context, `rank ${value.shape.length}`, "rank 2 or more", "Add an axis.");
  return one(value.dtype, value.shape);
}

function inferCallback(context: InferContext): readonly TypedShape[] {
  const values = context.inputs.map((_, index) => input(context, index));
  if (context.outputCount !== values.length) {
    const got = `${context.outputCount} outputs for ${values.length} inputs`;
    throw problem(context, got, "as many outputs as inputs", "Ask for one output for each input.");
  }
  return values.map(({ dtype, shape }) => ({ dtype, shape }));
}

/** Rows of layout operations. */
export const layout: readonly OpSchema[] = [
  row("Reshape", [2, 2], inferReshape, { attributes: { allowzero: "int" } }),
  row("Transpose", [1, 1], inferTranspose, { attributes: { perm: "ints" } }),
  row("Unsqueeze", [2, 2], inferUnsqueeze),
  row("Squeeze", [1, 2], inferSqueeze),
  row("Expand", [2, 2], inferExpand),
  row("Concat", [1, Infinity], inferConcat, { attributes: { axis: "int" } }),
  row("Slice", [3, 5], inferSlice),
  row("Split", [1, 2], inferSplit, { attributes: { axis: "int", num_outputs: "int" }, outputs: [1, Infinity] }),
  row("Tile", [2, 2], inferTile),
  row("Shape", [1, 1], inferShape, { attributes: { start: "int", end: "int" } }),
  row("Size", [1, 1], () => one("int64", [])),
  row("ConstantOfShape", [1, 1], inferConstantOfShape, { attributes: { value: "scalar", dtype: "hidden" } }),
  row("Range", [3, 3], inferRange),
  row("Pad", [2, 4], inferPad, { attributes: { mode: "string" } }),
  row("OneHot", [3, 3], inferOneHot, { attributes: { axis: "int" } }),
  row("Trilu", [1, 2], inferTrilu, { attributes: { upper: "int" } }),
  row("CumSum", [2, 2], likeFirst(numberDTypes), { attributes: { exclusive: "int", reverse: "int" } }),
  row("Callback", [1, Infinity], inferCallback, {
    domain: "limpid",
    attributes: { id: "string" },
    outputs: [1, Infinity],
  }),
];
