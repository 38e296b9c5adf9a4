/** Writes a graph as readable text, one line a node. */
import { describeAttribute, describeShape, describeType } from "./describe.js";
import { graphDTypes } from "./dtypes.js";
import type { Attribute, Graph, GraphData, Initializer, Node, Value } from "./ir.js";

/** Constants of at most this many elements are written where they are used. */
const inlineLength = 8;

type Names = ReadonlyMap<Value, string>;

/**
 * Returns a graph as text: inputs, weights, one line for each node, outputs.
 *
 * Small constants stand where they are used. The text depends on the graph only, so it can be kept as a snapshot.
 */
export function printGraph(graph: Graph): string {
  const names = operandNames(graph);
  const weights = graph.initializers.filter(({ value }) => names.get(value)?.startsWith("%") === true);
  const lines = [
    ...graph.inputs.map((value) => `input ${typed(value)}`),
    ...weights.map(printWeight),
    ...graph.nodes.map((node) => printNode(node, names)),
    ...graph.outputs.map(({ name, value }) => `output ${name} = ${names.get(value) ?? ""}`),
  ];
  return lines.join("\n");
}

/** Returns one node as a line; `names` tells how operands are written. */
function printNode(node: Node, names: Names): string {
  const op = node.domain === "" ? node.op : `${node.domain}.${node.op}`;
  const inputs = node.inputs.map((value) => (value === undefined ? "_" : (names.get(value) ?? `%${value.name}`)));
  const attributes = Object.keys(node.attributes).sort();
  const pairs = attributes.map((name) => `${name}=${printAttribute(node.attributes[name] ?? "")}`);
  return `${node.outputs.map(typed).join(", ")} = ${op}(${[...inputs, ...pairs].join(", ")})`;
}

function printAttribute(value: Attribute): string {
  return typeof value === "number" ? shortNumber(value) : describeAttribute(value);
}

function typed(value: Value): string {
  if (value.axes === undefined) return `%${value.name}: ${describeType(value)}`;
  const axes = value.axes.map((name, axis) => (name === value.shape[axis] ? name : `${name}=${value.shape[axis]}`));
  return `%${value.name}: ${value.dtype}${describeShape(axes)}`;
}

function operandNames(graph: Graph): Names {
  const names = new Map<Value, string>();
  for (const value of graph.inputs) names.set(value, `%${value.name}`);
  for (const node of graph.nodes) for (const value of node.outputs) names.set(value, `%${value.name}`);
  for (const initializer of graph.initializers) names.set(initializer.value, printConstant(initializer));
  return names;
}

function printConstant({ value, source }: Initializer): string {
  const constant = source.kind === "data" && value.name.startsWith("const_") && source.data.length <= inlineLength;
  return constant && value.shape.length <= 1 ? literal(value, source.data) : `%${value.name}`;
}

/** int64 and bool constants are written plainly, others with their element type: `1e-5:f32`. */
function literal(value: Value, data: GraphData): string {
  const items: readonly string[] = [...data].map((item) => shortNumber(Number(item)));
  const text = value.shape.length === 0 ? (items[0] ?? "") : `[${items.join(", ")}]`;
  return value.dtype === "int64" ? text : `${text}:${graphDTypes[value.dtype].short}`;
}

/** The shortest decimal that is the same float32, for numbers that float32 holds; else the float64 itself. */
function shortNumber(value: number): string {
  if (Object.is(value, -0)) return "-0";
  if (!Number.isFinite(value) || Math.fround(value) !== value) return String(value);
  for (let digits = 1; digits < 9; digits++) {
    const short = Number(value.toPrecision(digits));
    if (Math.fround(short) === value) return String(short);
  }
  return String(value);
}

function printWeight({ value, source }: Initializer): string {
  const from = source.kind === "file" ? `${fileName(source.path)}+${source.offset}` : "data";
  return `weight ${typed(value)} = ${from}`;
}

function fileName(path: string): string {
  return path.replaceAll("\\", "/").split("/").at(-1) ?? path;
}
