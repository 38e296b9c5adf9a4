/** Writes a graph as an ONNX model. */
import { isAbsolute, relative, sep } from "node:path";
import { GraphError, UnsupportedError } from "../core/index.js";
import { bytesOfData, dataOf, graphDTypes } from "./dtypes.js";
import type { Attribute, Dim, Graph, GraphDType, Initializer, Node, Value } from "./ir.js";
import { MessageWriter } from "./message-writer.js";
import {
  AttributeProtoSchema,
  AttributeType,
  DataLocation,
  DimensionSchema,
  GraphProtoSchema,
  ModelProtoSchema,
  NodeProtoSchema,
  OperatorSetIdProtoSchema,
  StringStringEntryProtoSchema,
  TensorProtoSchema,
  TensorShapeProtoSchema,
  TensorTypeSchema,
  TypeProtoSchema,
  ValueInfoProtoSchema,
} from "./proto.js";
import type { AttributeKind } from "./schema/types.js";
import { findSchema, type OpSchema, opsetVersions } from "./schema.js";
import { copyPrefix, type OutputCopy, type WireNames, wireNames } from "./wire-names.js";

/** Choices for {@link encode}. */
export interface EncodeOptions {
  /** Folder that every weight file lies in or below; needed when weights point into files. */
  readonly folder?: string;
}

/** Version of the ONNX file format that is written. */
const irVersion = 10;

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
  const w = new MessageWriter();
  const model = ModelProtoSchema.field;
  w.int(model.irVersion, irVersion);
  w.text(model.producerName, "limpid");
  w.message(model.graph, () => new GraphWriter(w, graph, options).write());
  for (const domain of ["", "com.microsoft"]) w.message(model.opsetImport, () => writeOpset(w, domain));
  return w.finish();
}

function writeOpset(w: MessageWriter, domain: string): void {
  w.text(OperatorSetIdProtoSchema.field.domain, domain);
  w.int(OperatorSetIdProtoSchema.field.version, opsetVersions[domain] ?? 1);
}

/** Writes the fields of one `GraphProto`, each message in the order of its field numbers. */
class GraphWriter {
  readonly #w: MessageWriter;
  readonly #graph: Graph;
  readonly #options: EncodeOptions;
  readonly #wire: WireNames;
  readonly #read: ReadonlySet<Value | undefined>;
  /** Where onnxruntime finds each weight file. */
  readonly #locations = new Map<string, string>();

  constructor(w: MessageWriter, graph: Graph, options: EncodeOptions) {
    this.#w = w;
    this.#graph = graph;
    this.#options = options;
    this.#wire = wireNames(graph);
    const read = new Set<Value | undefined>(graph.nodes.flatMap((node) => node.inputs));
    for (const { value } of graph.outputs) read.add(value);
    this.#read = read;
  }

  write(): void {
    const { field } = GraphProtoSchema;
    const { inputs, initializers, nodes, outputs } = this.#graph;
    for (const node of nodes) this.#w.message(field.node, () => this.#node(node));
    for (const copy of this.#wire.copies) this.#w.message(field.node, () => this.#copy(copy));
    this.#w.text(field.name, "limpid");
    for (const initializer of initializers) this.#w.message(field.initializer, () => this.#initializer(initializer));
    for (const value of inputs) this.#w.message(field.input, () => writeValueInfo(this.#w, value.name, value));
    for (const { name, value } of outputs) this.#w.message(field.output, () => writeValueInfo(this.#w, name, value));
  }

  #nameOf(value: Value | undefined): string {
    return value === undefined ? "" : (this.#wire.names.get(value) ?? value.name);
  }

  #node(node: Node): void {
    const { field } = NodeProtoSchema;
    const schema = schemaOf(node);
    for (const value of node.inputs) this.#w.text(field.input, this.#nameOf(value));
    for (const name of this.#outputNames(node, schema)) this.#w.text(field.output, name);
    this.#w.text(field.name, this.#nameOf(node.outputs[0]));
    this.#w.text(field.opType, node.op);
    for (const name of Object.keys(node.attributes).sort()) writeAttribute(this.#w, name, node.attributes, schema);
    this.#w.text(field.domain, node.domain);
  }

  /** Optional outputs that nobody reads have no name, and none at the end. */
  #outputNames(node: Node, schema: OpSchema): readonly string[] {
    const unnamed = (value: Value, index: number): boolean =>
      !this.#read.has(value) && schema.optionalOutput?.(index, node.inputs) === true;
    const names = node.outputs.map((value, index) => (unnamed(value, index) ? "" : this.#nameOf(value)));
    while (names.length > 1 && names.at(-1) === "") names.pop();
    return names;
  }

  #copy({ name, value }: OutputCopy): void {
    const { field } = NodeProtoSchema;
    this.#w.text(field.input, this.#nameOf(value));
    this.#w.text(field.output, name);
    this.#w.text(field.name, `${copyPrefix}${name}`);
    this.#w.text(field.opType, "Identity");
  }

  #initializer({ value, source }: Initializer): void {
    const { field } = TensorProtoSchema;
    for (const size of value.shape) this.#w.int(field.dims, Number(size));
    this.#w.int(field.dataType, graphDTypes[value.dtype].onnx);
    this.#w.text(field.name, this.#nameOf(value));
    if (source.kind === "data") {
      this.#w.bytes(field.rawData, bytesOfData(source.data));
      return;
    }
    this.#entry("location", this.#locationOf(value.name, source.path));
    this.#entry("offset", String(source.offset));
    this.#entry("length", String(source.length));
    this.#w.int(field.dataLocation, DataLocation.EXTERNAL);
  }

  #locationOf(weight: string, path: string): string {
    const location = this.#locations.get(path) ?? locationOf(weight, path, this.#options);
    this.#locations.set(path, location);
    return location;
  }

  #entry(key: string, value: string): void {
    const { field } = StringStringEntryProtoSchema;
    this.#w.message(TensorProtoSchema.field.externalData, () => {
      this.#w.text(field.key, key);
      this.#w.text(field.value, value);
    });
  }
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

/** Writes one attribute of `all`; hidden ones only inform others. */
function writeAttribute(
  w: MessageWriter,
  name: string,
  all: Readonly<Record<string, Attribute>>,
  schema: OpSchema,
): void {
  const { field } = AttributeProtoSchema;
  const kind = schema.attributes[name];
  if (kind === undefined || kind === "hidden") return;
  const { type, write } = attributeKinds[kind];
  w.message(NodeProtoSchema.field.attribute, () => {
    w.text(field.name, name);
    write(w, all[name] ?? 0, all["dtype"]);
    w.int(field.type, type);
  });
}

/** How each kind of attribute is written. */
interface AttributeForm {
  readonly type: AttributeType;
  readonly write: (w: MessageWriter, value: Attribute, dtype: Attribute | undefined) => void;
}

const attributeKinds: Readonly<Record<Exclude<AttributeKind, "hidden">, AttributeForm>> = {
  int: { type: AttributeType.INT, write: (w, value) => w.int(AttributeProtoSchema.field.i, Number(value)) },
  float: { type: AttributeType.FLOAT, write: (w, value) => w.float(AttributeProtoSchema.field.f, Number(value)) },
  ints: {
    type: AttributeType.INTS,
    write: (w, value) => {
      for (const item of listOf(value)) w.int(AttributeProtoSchema.field.ints, item);
    },
  },
  floats: {
    type: AttributeType.FLOATS,
    write: (w, value) => {
      for (const item of listOf(value)) w.float(AttributeProtoSchema.field.floats, item);
    },
  },
  string: { type: AttributeType.STRING, write: (w, value) => w.text(AttributeProtoSchema.field.s, String(value)) },
  scalar: {
    type: AttributeType.TENSOR,
    write: (w, value, dtype) =>
      w.message(AttributeProtoSchema.field.t, () => writeScalar(w, Number(value), isDType(dtype) ? dtype : "float32")),
  },
};

function listOf(value: Attribute): readonly number[] {
  return typeof value === "object" ? value : [];
}

function writeScalar(w: MessageWriter, value: number, dtype: GraphDType): void {
  const { field } = TensorProtoSchema;
  w.int(field.dims, 1);
  w.int(field.dataType, graphDTypes[dtype].onnx);
  w.bytes(field.rawData, bytesOfData(dataOf(dtype, [value])));
}

function isDType(name: Attribute | undefined): name is GraphDType {
  return typeof name === "string" && Object.hasOwn(graphDTypes, name);
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

function writeValueInfo(w: MessageWriter, name: string, { dtype, shape }: Value): void {
  const tensor = TensorTypeSchema.field;
  w.text(ValueInfoProtoSchema.field.name, name);
  w.message(ValueInfoProtoSchema.field.type, () =>
    w.message(TypeProtoSchema.field.tensorType, () => {
      w.int(tensor.elemType, graphDTypes[dtype].onnx);
      w.message(tensor.shape, () => {
        for (const dim of shape) w.message(TensorShapeProtoSchema.field.dim, () => writeDim(w, dim));
      });
    }),
  );
}

function writeDim(w: MessageWriter, dim: Dim): void {
  const { dimValue, dimParam } = DimensionSchema.field;
  if (typeof dim === "number") w.int(dimValue, dim);
  else w.text(dimParam, dim);
}
