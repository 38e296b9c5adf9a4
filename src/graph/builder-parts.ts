/** Checks and small pieces of the builder: nothing here has state. */
import { GraphError } from "../core/index.js";
import { describeAttribute, describeOp, describeShape, describeType, describeValue } from "./describe.js";
import { dataOf, dtypeOfData, graphDTypes } from "./dtypes.js";
import type { Attribute, Dim, GraphData, GraphDType, Node, Value, WeightSource } from "./ir.js";
import { findSchema, type OpSchema } from "./schema.js";

/** Inputs of an op; `undefined` leaves an optional input out. */
export type OpInputs = readonly (Value | undefined)[];

/** Attributes of an op. */
export type OpAttributes = Readonly<Record<string, Attribute>>;

/** Returns the row of `Identity`. */
export function identitySchema(): OpSchema {
  const schema = findSchema("Identity");
  if (schema === undefined) throw unknownOp("Identity", []);
  return schema;
}

/** Returns an immutable node; `attributes` come from {@link freezeAttributes}. */
export function freezeNode(
  schema: OpSchema,
  inputs: OpInputs,
  attributes: OpAttributes,
  outputs: readonly Value[],
): Node {
  return Object.freeze({
    op: schema.op,
    domain: schema.domain,
    inputs: Object.freeze([...inputs]),
    outputs: Object.freeze([...outputs]),
    attributes,
  });
}

/** Returns a text that is equal for nodes that compute the same; `ids` stands for the inputs. */
export function nodeKey(schema: OpSchema, ids: string, attributes: OpAttributes, outputCount: number): string {
  let key = `${schema.op}${ids}|${outputCount}`;
  for (const name of Object.keys(attributes).sort()) key += `;${name}=${describeAttribute(attributes[name] ?? "")}`;
  return key;
}

/** Returns inputs without absent ones at the end. */
export function trimTrailing(inputs: OpInputs): OpInputs {
  if (inputs.at(-1) !== undefined) return inputs;
  return inputs.slice(0, inputs.findLastIndex((value) => value !== undefined) + 1);
}

/** Tells whether two lists of names are equal. */
export function sameList(a: readonly string[], b: readonly string[]): boolean {
  return a.length === b.length && a.every((name, index) => name === b[index]);
}

/** Checks that axis names are distinct and as many as the rank. */
export function checkAxes(where: string, shape: readonly Dim[], axes: readonly string[] | undefined): void {
  if (axes === undefined || (axes.length === shape.length && new Set(axes).size === axes.length)) return;
  throw new GraphError({
    where,
    got: `axes [${axes.join(", ")}]`,
    expected: `${shape.length} distinct names for ${describeShape(shape)}`,
    fix: "Name each axis once, outermost first.",
  });
}

/** Checks the number of inputs and outputs of a call, and its attributes. */
export function checkCall(schema: OpSchema, inputs: OpInputs, attributes: OpAttributes, outputCount: number): void {
  const where = (): string => describeOp(schema.op, inputs);
  const [least, most] = schema.inputs;
  if (inputs.length < least || inputs.length > most) {
    const expected = least === most ? `${least}` : `${least} to ${most}`;
    throw new GraphError({
      where: where(),
      got: `${inputs.length} inputs`,
      expected,
      fix: "Check the inputs of the op.",
    });
  }
  const [fewest, largest] = schema.outputs;
  if (outputCount < fewest || outputCount > largest) {
    const expected = fewest === largest ? `${fewest}` : `${fewest} to ${largest}`;
    throw new GraphError({
      where: where(),
      got: `${outputCount} outputs`,
      expected,
      fix: "Check the number of outputs.",
    });
  }
  for (const [name, value] of Object.entries(attributes)) checkAttribute(schema, where, name, value);
}

function checkAttribute(schema: OpSchema, where: () => string, name: string, value: Attribute): void {
  const kind = Object.hasOwn(schema.attributes, name) ? schema.attributes[name] : undefined;
  if (kind === undefined) {
    const known = Object.keys(schema.attributes).join(", ") || "none";
    const got = `attribute "${name}"`;
    throw new GraphError({ where: where(), got, expected: `one of: ${known}`, fix: "Check the attribute's name." });
  }
  if (attributeFits(kind, value)) return;
  const got = `${name} = ${describeAttribute(value)}`;
  throw new GraphError({
    where: where(),
    got,
    expected: `a value of kind ${kind}`,
    fix: "Check the attribute's value.",
  });
}

/**
 * Returns attributes that cannot change any more.
 *
 * ONNX stores floats as float32; rounding them here lets every reader see what the runtime will see.
 */
export function freezeAttributes(schema: OpSchema, attributes: OpAttributes): OpAttributes {
  const frozen: Record<string, Attribute> = {};
  for (const name of Object.keys(attributes)) {
    const value = attributes[name] ?? "";
    frozen[name] = schema.attributes[name] === "float" ? Math.fround(Number(value)) : Object.freeze(value);
  }
  return Object.freeze(frozen);
}

function attributeFits(kind: OpSchema["attributes"][string], value: Attribute): boolean {
  switch (kind) {
    case "int":
      return Number.isInteger(value);
    case "float":
    case "scalar":
      return typeof value === "number";
    case "ints":
      return typeof value === "object" && value.every((item) => Number.isInteger(item));
    case "floats":
      return typeof value === "object";
    case "string":
    case "hidden":
      return typeof value === "string";
  }
}

/** Checks that the bytes of a weight fit its shape. */
export function checkSource(name: string, dtype: GraphDType, shape: readonly number[], source: WeightSource): void {
  const count = shape.reduce((product, size) => product * size, 1);
  const bytes = count * graphDTypes[dtype].bytes;
  const length = source.kind === "file" ? source.length : source.data.byteLength;
  const wrongType = source.kind === "data" && dtypeOfData(source.data) !== dtype;
  if (length === bytes && !wrongType && Number.isInteger(count)) return;
  throw new GraphError({
    where: `weight "${name}"`,
    got: wrongType ? `a ${source.data.constructor.name}` : `${length} bytes`,
    expected: `${bytes} bytes of ${describeType({ dtype, shape })}`,
    fix: "Check the shape, the element type and the byte range.",
  });
}

/** Tells whether two sources are the same bytes. */
export function sameSource(a: WeightSource, b: WeightSource): boolean {
  if (a.kind === "data") return b.kind === "data" && a.data === b.data;
  return b.kind === "file" && a.path === b.path && a.offset === b.offset && a.length === b.length;
}

/** Returns the shape of a constant when none is given. */
export function defaultShape(data: number | bigint | readonly number[] | GraphData): readonly number[] {
  return typeof data === "number" || typeof data === "bigint" ? [] : [data.length];
}

/** Returns the data of a constant as a typed array of its element type. */
export function constantData(data: number | bigint | readonly number[] | GraphData, dtype: GraphDType): GraphData {
  if (typeof data === "bigint") return dataOf(dtype, [data]);
  if (typeof data === "number") return dataOf(dtype, checkNumbers([data], dtype));
  if (isList(data)) return dataOf(dtype, checkNumbers(data, dtype));
  const own = dtypeOfData(data);
  if (own === dtype) return data;
  throw new GraphError({
    where: "constant",
    got: `a typed array of ${own}`,
    expected: dtype,
    fix: "Convert the array or ask for its own element type.",
  });
}

/** Returns the error for a name that is declared twice. */
export function conflict(name: string, got: string, expected: string): GraphError {
  return new GraphError({ where: `graph value "${name}"`, got, expected, fix: "Choose another name." });
}

/** Returns the error for a value of another builder. */
export function foreign(value: Value): GraphError {
  return new GraphError({
    where: `graph value ${describeValue(value)}`,
    got: "a value of another builder",
    expected: "a value made by this builder",
    fix: "Use GraphBuilder.from(graph) to continue a graph, or inline it.",
  });
}

/** Returns the error for an op that the table does not have. */
export function unknownOp(op: string, inputs: OpInputs): GraphError {
  return new GraphError({
    where: describeOp(op, inputs),
    got: `op "${op}"`,
    expected: "an op of the table in graph/schema.ts",
    fix: "Check its spelling and domain, or add a row.",
  });
}

function isList(data: readonly number[] | GraphData): data is readonly number[] {
  return Array.isArray(data);
}

function checkNumbers(values: readonly number[], dtype: GraphDType): readonly number[] {
  const whole = dtype === "int32" || dtype === "int64";
  const limit = dtype === "int32" ? 2 ** 31 : Number.MAX_SAFE_INTEGER;
  const wrong = whole ? values.find((value) => !Number.isInteger(value) || Math.abs(value) > limit) : undefined;
  if (wrong === undefined) return values;
  throw new GraphError({
    where: "constant",
    got: `${wrong} as ${dtype}`,
    expected: "whole numbers",
    fix: "Round it first.",
  });
}
