/** Reads an ONNX model as a graph. */
import { join } from "node:path";
import { FormatError, UnsupportedError } from "../core/index.js";
import { GraphBuilder } from "./builder.js";
import { normalizeDim } from "./dims.js";
import { dataOfBytes, dtypeOfOnnx, graphDTypes } from "./dtypes.js";
import type { Attribute, Dim, Graph, GraphDType, Value, WeightSource } from "./ir.js";
import {
  type AttributeProto,
  AttributeType,
  DataLocation,
  fromBinary,
  type GraphProto,
  type ModelProto,
  ModelProtoSchema,
  type NodeProto,
  type TensorProto,
  type ValueInfoProto,
} from "./proto.js";
import { findSchema, type OpSchema, opsetVersions } from "./schema.js";
import { copyPrefix } from "./wire-names.js";

/** Choices for {@link decode}. */
export interface DecodeOptions {
  /** Folder that external data is relative to; the current one when left out. */
  readonly folder?: string;
}

/**
 * Reads the bytes of an ONNX `ModelProto`; what `encode` wrote comes back equal, up to names of inner values and
 * optional outputs that nobody read.
 *
 * @throws FormatError when the bytes are not an ONNX model or a value is used before it is made.
 * @throws UnsupportedError when the model uses ops, operator sets or element types that graphs do not have; all ops
 *   are listed.
 */
export function decode(bytes: Uint8Array, options: DecodeOptions = {}): Graph {
  const model = parseModel(bytes);
  const graph = model.graph;
  if (graph === undefined) throw malformed("a model without a graph", "a graph");
  checkOpsets(model);
  checkOps(graph);
  const builder = new GraphBuilder();
  const values = new Map<string, Value>();
  for (const tensor of graph.initializer) values.set(tensor.name, decodeInitializer(builder, tensor, options));
  for (const info of graph.input) {
    if (!values.has(info.name)) values.set(info.name, decodeInput(builder, info));
  }
  for (const node of graph.node) decodeNode(builder, node, values);
  return builder.build(Object.fromEntries(graph.output.map(({ name }) => [name, valueOf(values, name)])));
}

function parseModel(bytes: Uint8Array): ModelProto {
  try {
    return fromBinary(ModelProtoSchema, bytes);
  } catch (cause) {
    throw malformed("bytes that do not parse", "an ONNX ModelProto", cause);
  }
}

function malformed(got: string, expected: string, cause?: unknown): FormatError {
  return new FormatError({ where: "decode", got, expected, fix: "Check the file." }, { cause });
}

function checkOpsets(model: ModelProto): void {
  for (const { domain, version } of model.opsetImport) {
    const own = opsetVersions[domain];
    const known = own !== undefined && (domain === "" ? version >= 18n && version <= BigInt(own) : true);
    if (known) continue;
    throw new UnsupportedError({
      where: "decode",
      got: `operator set "${domain}" version ${version}`,
      expected: `ai.onnx 18 to ${opsetVersions[""]} and com.microsoft`,
      fix: "Convert the model with onnx.version_converter.",
    });
  }
}

function checkOps(graph: GraphProto): void {
  const unknown = graph.node.filter((node) => findSchema(node.opType, node.domain) === undefined);
  if (unknown.length === 0) return;
  const names = new Set(unknown.map(({ domain, opType }) => (domain === "" ? opType : `${domain}.${opType}`)));
  throw new UnsupportedError({
    where: "decode",
    got: `the ops ${[...names].sort().join(", ")}`,
    expected: "ops of the table in graph/schema.ts",
    fix: "Add rows for them, or rewrite the model without them.",
  });
}

function decodeDType(name: string, code: number): GraphDType {
  const dtype = dtypeOfOnnx(code);
  if (dtype !== undefined) return dtype;
  throw new UnsupportedError({
    where: `decode: "${name}"`,
    got: `ONNX element type ${code}`,
    expected: `one of ${Object.values(graphDTypes)
      .map(({ onnx }) => onnx)
      .join(", ")}`,
    fix: "Convert the model to float32.",
  });
}

function decodeInput(builder: GraphBuilder, info: ValueInfoProto): Value {
  const type = info.type?.value;
  if (type?.case !== "tensorType") throw malformed(`input "${info.name}" without a tensor type`, "a tensor");
  const shape = (type.value.shape?.dim ?? []).map(({ value }, axis): Dim => {
    if (value.case === "dimValue") return Number(value.value);
    return value.case === "dimParam" ? symbolOf(value.value) : `${symbolOf(info.name)}.${axis}`;
  });
  return builder.input(info.name, decodeDType(info.name, type.value.elemType), shape);
}

/** Keeps sizes that limpid can compute with; others become a plain name. */
function symbolOf(text: string): Dim {
  try {
    return normalizeDim(text);
  } catch {
    return `_${text.replace(/[^A-Za-z0-9_]/g, "_")}`;
  }
}

function decodeInitializer(builder: GraphBuilder, tensor: TensorProto, options: DecodeOptions): Value {
  const dtype = decodeDType(tensor.name, tensor.dataType);
  const shape = tensor.dims.map(Number);
  const source = decodeSource(tensor, dtype, options);
  const constant = source.kind === "data" && tensor.name.startsWith("const_");
  return constant ? builder.constant(source.data, dtype, shape) : builder.weight(tensor.name, dtype, shape, source);
}

function decodeSource(tensor: TensorProto, dtype: GraphDType, options: DecodeOptions): WeightSource {
  if (tensor.dataLocation === DataLocation.EXTERNAL) return decodeExternal(tensor, dtype, options);
  if (tensor.rawData.byteLength > 0) return { kind: "data", data: dataOfBytes(dtype, tensor.rawData) };
  const typed: Readonly<Record<GraphDType, () => WeightSource>> = {
    float32: () => ({ kind: "data", data: Float32Array.from(tensor.floatData) }),
    float64: () => ({ kind: "data", data: Float64Array.from(tensor.doubleData) }),
    int32: () => ({ kind: "data", data: Int32Array.from(tensor.int32Data) }),
    int64: () => ({ kind: "data", data: BigInt64Array.from(tensor.int64Data) }),
    bool: () => ({ kind: "data", data: Uint8Array.from(tensor.int32Data) }),
  };
  return typed[dtype]();
}

function decodeExternal(tensor: TensorProto, dtype: GraphDType, options: DecodeOptions): WeightSource {
  const entries = new Map(tensor.externalData.map(({ key, value }) => [key, value]));
  const location = entries.get("location");
  if (location === undefined) throw malformed(`external data of "${tensor.name}" without a location`, "a location");
  const count = tensor.dims.reduce((product, size) => product * Number(size), 1);
  return {
    kind: "file",
    path: options.folder === undefined ? location : join(options.folder, location),
    offset: Number(entries.get("offset") ?? 0),
    length: Number(entries.get("length") ?? count * graphDTypes[dtype].bytes),
  };
}

function valueOf(values: ReadonlyMap<string, Value>, name: string): Value {
  const value = values.get(name);
  if (value === undefined) throw malformed(`"${name}" before it is made`, "nodes in topological order");
  return value;
}

function decodeNode(builder: GraphBuilder, node: NodeProto, values: Map<string, Value>): void {
  const inputs = node.input.map((name) => (name === "" ? undefined : valueOf(values, name)));
  if (node.name.startsWith(copyPrefix) && inputs[0] !== undefined) {
    values.set(node.output[0] ?? "", inputs[0]);
    return;
  }
  const schema = findSchema(node.opType, node.domain);
  const attributes = node.attribute.flatMap((attribute) => decodeAttribute(node, attribute, schema));
  const outputs = builder.ops(node.opType, inputs, Object.fromEntries(attributes), node.output.length);
  node.output.forEach((name, index) => {
    const value = outputs[index];
    if (name !== "" && value !== undefined) values.set(name, value);
  });
}

function decodeAttribute(
  node: NodeProto,
  attribute: AttributeProto,
  schema: OpSchema | undefined,
): [string, Attribute][] {
  const { name } = attribute;
  switch (attribute.type) {
    case AttributeType.INT:
      return [[name, Number(attribute.i)]];
    case AttributeType.FLOAT:
      return [[name, attribute.f]];
    case AttributeType.INTS:
      return [[name, attribute.ints.map(Number)]];
    case AttributeType.FLOATS:
      return [[name, attribute.floats]];
    case AttributeType.STRING:
      return [[name, new TextDecoder().decode(attribute.s)]];
    case AttributeType.TENSOR:
      if (schema?.attributes[name] === "scalar" && attribute.t !== undefined) return decodeScalar(name, attribute.t);
      break;
    default:
  }
  throw new UnsupportedError({
    where: `decode: node "${node.name}" (${node.opType})`,
    got: `attribute "${name}" of type ${AttributeType[attribute.type]}`,
    expected: "numbers, lists of numbers or strings",
    fix: "Rewrite the model without it.",
  });
}

function decodeScalar(name: string, tensor: TensorProto): [string, Attribute][] {
  const dtype = decodeDType(name, tensor.dataType);
  const source = decodeSource(tensor, dtype, {});
  const value = source.kind === "data" ? Number(source.data[0] ?? 0) : 0;
  return [
    [name, value],
    ["dtype", dtype],
  ];
}
