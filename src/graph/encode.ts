/** Writes a graph as an ONNX model. */
import { isAbsolute, relative, sep } from "node:path";
import { GraphError, UnsupportedError } from "../core/index.js";
import { bytesOfData, dataOf, graphDTypes } from "./dtypes.js";
import type { Attribute, Dim, Graph, GraphDType, Initializer, Node, Value, WeightSource } from "./ir.js";
import {
  type AttributeProtoSchema,
  AttributeType,
  create,
  DataLocation,
  type MessageInitShape,
  ModelProtoSchema,
  type NodeProtoSchema,
  type TensorProtoSchema,
  toBinary,
  type ValueInfoProtoSchema,
} from "./proto.js";
import { findSchema, type OpSchema, opsetVersions } from "./schema.js";
import { copyPrefix, type WireNames, wireNames } from "./wire-names.js";

type AttributeInit = MessageInitShape<typeof AttributeProtoSchema>;
type NodeInit = MessageInitShape<typeof NodeProtoSchema>;
type TensorInit = MessageInitShape<typeof TensorProtoSchema>;
type ValueInfoInit = MessageInitShape<typeof ValueInfoProtoSchema>;

/** Choices for {@link encode}. */
export interface EncodeOptions {
  /** Folder that every weight file lies in or below; needed when weights point into files. */
  readonly folder?: string;
}

/** Version of the ONNX file format that is written. */
const irVersion = 10n;

/**
 * Returns the bytes of an ONNX `ModelProto`.
 *
 * Weights in files become external data relative to `options.folder`; typed arrays are embedded. Inputs and outputs
 * keep their names.
 *
 * @throws GraphError when a weight file lies outside the folder or an output has the name of an input.
 * @throws UnsupportedError when the graph still has callbacks; cut it first.
 */
export function encode(graph: Graph, options: EncodeOptions = {}): Uint8Array {
  const wire = wireNames(graph);
  const read = new Set<Value | undefined>(graph.nodes.flatMap((node) => node.inputs));
  for (const { value } of graph.outputs) read.add(value);
  const model = create(ModelProtoSchema, {
    irVersion,
    producerName: "limpid",
    opsetImport: ["", "com.microsoft"].map((domain) => ({ domain, version: BigInt(opsetVersions[domain] ?? 1) })),
    graph: {
      name: "limpid",
      node: [...graph.nodes.map((node) => encodeNode(node, wire, read)), ...encodeCopies(wire)],
      initializer: graph.initializers.map((initializer) => encodeInitializer(initializer, wire, options)),
      input: graph.inputs.map((value) => encodeValueInfo(value.name, value)),
      output: graph.outputs.map(({ name, value }) => encodeValueInfo(name, value)),
    },
  });
  return toBinary(ModelProtoSchema, model);
}

function nameOf(wire: WireNames, value: Value | undefined): string {
  return value === undefined ? "" : (wire.names.get(value) ?? value.name);
}

function schemaOf(node: Node): OpSchema {
  const schema = findSchema(node.op, node.domain);
  if (schema !== undefined && node.domain !== "limpid") return schema;
  throw new UnsupportedError({
    where: "encode",
    got: `the op ${node.domain === "" ? "" : `${node.domain}.`}${node.op}`,
    expected: "ops that the runtime has",
    fix: "Cut the graph with cutAtCallbacks and encode the segments.",
  });
}

function encodeNode(node: Node, wire: WireNames, read: ReadonlySet<Value | undefined>): NodeInit {
  const schema = schemaOf(node);
  const unnamed = (value: Value, index: number): boolean =>
    !read.has(value) && schema.optionalOutput?.(index, node.inputs) === true;
  const output = node.outputs.map((value, index) => (unnamed(value, index) ? "" : nameOf(wire, value)));
  while (output.length > 1 && output.at(-1) === "") output.pop();
  return {
    name: nameOf(wire, node.outputs[0]),
    opType: node.op,
    domain: node.domain,
    input: node.inputs.map((value) => nameOf(wire, value)),
    output,
    attribute: Object.keys(node.attributes)
      .sort()
      .flatMap((name) => encodeAttribute(name, node.attributes, schema)),
  };
}

function encodeCopies(wire: WireNames): NodeInit[] {
  return wire.copies.map(({ name, value }) => ({
    name: `${copyPrefix}${name}`,
    opType: "Identity",
    input: [nameOf(wire, value)],
    output: [name],
  }));
}

function encodeAttribute(name: string, all: Readonly<Record<string, Attribute>>, schema: OpSchema): AttributeInit[] {
  const value = all[name];
  const list = typeof value === "object" ? [...value] : [];
  switch (schema.attributes[name]) {
    case "int":
      return [{ name, type: AttributeType.INT, i: BigInt(Number(value)) }];
    case "float":
      return [{ name, type: AttributeType.FLOAT, f: Number(value) }];
    case "ints":
      return [{ name, type: AttributeType.INTS, ints: list.map((item) => BigInt(item)) }];
    case "floats":
      return [{ name, type: AttributeType.FLOATS, floats: list }];
    case "string":
      return [{ name, type: AttributeType.STRING, s: utf8(String(value)) }];
    case "scalar":
      return [{ name, type: AttributeType.TENSOR, t: scalarTensor(Number(value), all["dtype"]) }];
    default:
      return [];
  }
}

function utf8(text: string): Uint8Array<ArrayBuffer> {
  return new TextEncoder().encode(text);
}

function scalarTensor(value: number, dtype: Attribute | undefined): TensorInit {
  const name: GraphDType = isDType(dtype) ? dtype : "float32";
  return { dims: [1n], dataType: graphDTypes[name].onnx, rawData: ownBytes(bytesOfData(dataOf(name, [value]))) };
}

function isDType(name: Attribute | undefined): name is GraphDType {
  return typeof name === "string" && Object.hasOwn(graphDTypes, name);
}

/** Protobuf wants bytes over a plain buffer; shared memory is copied. */
function ownBytes(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  const { buffer } = bytes;
  return buffer instanceof ArrayBuffer ? new Uint8Array(buffer, bytes.byteOffset, bytes.byteLength) : bytes.slice();
}

function encodeInitializer(initializer: Initializer, wire: WireNames, options: EncodeOptions): TensorInit {
  const { value, source } = initializer;
  const head: TensorInit = {
    name: nameOf(wire, value),
    dims: value.shape.map((dim) => BigInt(dim)),
    dataType: graphDTypes[value.dtype].onnx,
  };
  if (source.kind === "data") return { ...head, rawData: ownBytes(bytesOfData(source.data)) };
  return { ...head, dataLocation: DataLocation.EXTERNAL, externalData: externalData(value.name, source, options) };
}

function externalData(
  name: string,
  source: Extract<WeightSource, { kind: "file" }>,
  options: EncodeOptions,
): { key: string; value: string }[] {
  return [
    { key: "location", value: locationOf(name, source.path, options) },
    { key: "offset", value: String(source.offset) },
    { key: "length", value: String(source.length) },
  ];
}

function locationOf(name: string, path: string, options: EncodeOptions): string {
  const { folder } = options;
  const location = folder === undefined ? undefined : isAbsolute(path) ? relative(folder, path) : path;
  const parts = location?.split(sep) ?? [];
  if (location !== undefined && !isAbsolute(location) && !parts.includes("..")) return parts.join("/");
  throw new GraphError({
    where: `encode: weight "${name}"`,
    got: `the file ${path} with ${folder === undefined ? "no folder" : `the folder ${folder}`}`,
    expected: "a folder that the file lies in or below",
    fix: "Pass a common ancestor of all weight files as `folder`.",
  });
}

function encodeValueInfo(name: string, value: Value): ValueInfoInit {
  const dim = value.shape.map(encodeDim);
  return {
    name,
    type: { value: { case: "tensorType", value: { elemType: graphDTypes[value.dtype].onnx, shape: { dim } } } },
  };
}

type DimInit = { value: { case: "dimValue"; value: bigint } | { case: "dimParam"; value: string } };

function encodeDim(dim: Dim): DimInit {
  return typeof dim === "number"
    ? { value: { case: "dimValue", value: BigInt(dim) } }
    : { value: { case: "dimParam", value: dim } };
}
