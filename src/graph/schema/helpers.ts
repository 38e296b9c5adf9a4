/** Checks and small rules that the op table shares. */
import { GraphError } from "../../core/index.js";
import { broadcastShapes, normalizeDim } from "../dims.js";
import { graphDTypeNames } from "../dtypes.js";
import type { Attribute, Dim, GraphDType, Value } from "../ir.js";
import type { OpName } from "./names.js";
import type { AttributeKind, InferContext, OpSchema, TypedShape } from "./types.js";

/** Every element type. */
export const anyDType: readonly GraphDType[] = graphDTypeNames;

/** The parts of a schema row that have defaults. */
export interface RowOptions {
  readonly domain?: string;
  readonly attributes?: Readonly<Record<string, AttributeKind>>;
  readonly outputs?: readonly [number, number];
  readonly optionalOutput?: OpSchema["optionalOutput"];
}

/** Builds a schema row for one output and no attributes unless `options` says otherwise. */
export function row(
  op: OpName,
  inputs: readonly [number, number],
  infer: OpSchema["infer"],
  options: RowOptions = {},
): OpSchema {
  const { domain = "", attributes = {}, outputs = [1, 1], optionalOutput } = options;
  return { op, domain, attributes, inputs, outputs, optionalOutput, infer };
}

/** Returns an error at `context` with the other three parts. */
export function problem(context: InferContext, got: string, expected: string, fix: string): GraphError {
  return new GraphError({ where: context.where(), got, expected, fix });
}

/** Returns input `index`, which must be present. */
export function input(context: InferContext, index: number): Value {
  const value = context.inputs[index];
  if (value !== undefined) return value;
  throw problem(context, `no input ${index}`, "a value there", "Pass a value instead of undefined.");
}

/** Returns input `index` after checking its element type. */
export function typedInput(context: InferContext, index: number, dtypes: readonly GraphDType[]): Value {
  const value = input(context, index);
  if (dtypes.includes(value.dtype)) return value;
  throw problem(context, `${value.dtype} for input ${index}`, dtypes.join(" or "), "Cast the input first.");
}

/** Checks that all given inputs have the element type of the first, which must be one of `dtypes`. */
export function sameInputs(context: InferContext, dtypes: readonly GraphDType[]): readonly Value[] {
  const values = context.inputs.filter((value) => value !== undefined);
  const first = typedInput(context, 0, dtypes);
  if (values.every((value) => value.dtype === first.dtype)) return values;
  const got = values.map((value) => value.dtype).join(", ");
  throw problem(context, `element types ${got}`, "one element type for all inputs", "Cast the inputs to one type.");
}

/** Returns an integer attribute, or `fallback` when it is absent. */
export function intAttribute(context: InferContext, name: string, fallback: number): number {
  const value = context.attributes[name];
  return typeof value === "number" ? value : fallback;
}

/** Returns a list attribute, or undefined when it is absent. */
export function listAttribute(context: InferContext, name: string): readonly number[] | undefined {
  const value: Attribute | undefined = context.attributes[name];
  return typeof value === "object" ? value : undefined;
}

/** Returns an axis as a non-negative number below `rank`. */
export function axisOf(context: InferContext, axis: number, rank: number): number {
  const positive = axis < 0 ? axis + rank : axis;
  if (Number.isInteger(axis) && positive >= 0 && positive < rank) return positive;
  throw problem(context, `axis ${axis}`, `an axis of a value of rank ${rank}`, "Count axes from 0, or back from -1.");
}

/** Returns distinct non-negative axes below `rank`. */
export function axesOf(context: InferContext, axes: readonly number[], rank: number): readonly number[] {
  const result = axes.map((axis) => axisOf(context, axis, rank));
  if (new Set(result).size === result.length) return result;
  throw problem(context, `axes [${axes.join(", ")}]`, "axes without repetition", "Name each axis once.");
}

/** Returns the numeric contents of input `index`, which must be known when the graph is built. */
export function knownNumbers(context: InferContext, index: number): readonly number[] {
  const value = typedInput(context, index, ["int64", "int32"]);
  const contents = context.known(value);
  const numbers = contents?.filter((dim) => typeof dim === "number");
  if (contents !== undefined && numbers?.length === contents.length) return numbers;
  throw problem(context, `%${value.name} as input ${index}`, "a constant", "Pass a constant of the builder.");
}

/** Returns the contents of input `index` as sizes, fresh names standing for what is not known. */
export function knownDims(context: InferContext, index: number): readonly Dim[] {
  const value = typedInput(context, index, ["int64", "int32"]);
  const contents = context.known(value);
  if (contents !== undefined) return contents.map(normalizeDim);
  const length = value.shape[0];
  if (value.shape.length === 1 && typeof length === "number") {
    return Array.from({ length }, (_, axis) => context.fresh(axis));
  }
  const got = `%${value.name} with shape [${value.shape.join(", ")}] as input ${index}`;
  throw problem(context, got, "a list whose length is known", "Build the shape from constants and shapes of values.");
}

/** Infers one output of the given element type whose shape is that of input 0. */
export function likeFirst(dtypes: readonly GraphDType[], result?: GraphDType): OpSchema["infer"] {
  return (context) => {
    const value = typedInput(context, 0, dtypes);
    return [{ dtype: result ?? value.dtype, shape: value.shape }];
  };
}

/** Infers one output from inputs of one element type that broadcast together. */
export function broadcasting(dtypes: readonly GraphDType[], result?: GraphDType): OpSchema["infer"] {
  return (context) => {
    const values = sameInputs(context, dtypes);
    const shape = broadcastShapes(context.where, ...values.map((value) => value.shape));
    return [{ dtype: result ?? values[0]?.dtype ?? "float32", shape }];
  };
}

/** Returns `shape` with `axis` replaced by `dim`. */
export function withAxis(shape: readonly Dim[], axis: number, dim: Dim): readonly Dim[] {
  return shape.map((own, index) => (index === axis ? dim : own));
}

/** Returns one output of an element type and shape. */
export function one(dtype: GraphDType, shape: readonly Dim[]): readonly TypedShape[] {
  return [{ dtype, shape }];
}
