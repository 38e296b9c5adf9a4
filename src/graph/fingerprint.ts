/** A key for compiled graphs: equal for graphs that a session could be shared between. */
import { sha256 } from "../core/index.js";
import { describeAttribute, describeType } from "./describe.js";
import { bytesOfData } from "./dtypes.js";
import type { Graph, Initializer, Node, Value } from "./ir.js";

/**
 * Returns a short stable hash of a graph's structure: ops, attributes, shapes, weight sources, input and output names.
 *
 * Names of inner values and axis names do not count. Constants and embedded arrays count by content, weights in files
 * by path, offset and length.
 */
export function fingerprint(graph: Graph): string {
  const ids = new Map<Value | undefined, number>([[undefined, -1]]);
  const id = (value: Value): number => {
    const next = ids.get(value) ?? ids.size;
    ids.set(value, next);
    return next;
  };
  const lines = [
    ...graph.inputs.map((value) => `i${id(value)}|${value.name}|${describeType(value)}`),
    ...graph.initializers.map((initializer) => `w${id(initializer.value)}|${describeSource(initializer)}`),
    ...graph.nodes.map((node) => describeNode(node, ids, id)),
    ...graph.outputs.map(({ name, value }) => `o${id(value)}|${name}`),
  ];
  return sha256(lines.join("\n")).slice(0, 32);
}

function describeSource({ value, source }: Initializer): string {
  const type = describeType(value);
  if (source.kind === "file") return `${type}|${source.path}|${source.offset}|${source.length}`;
  const bytes = bytesOfData(source.data);
  return `${type}|${bytes.byteLength > 64 ? sha256(bytes) : bytes.join(",")}`;
}

function describeNode(node: Node, ids: ReadonlyMap<Value | undefined, number>, id: (value: Value) => number): string {
  const inputs = node.inputs.map((value) => ids.get(value) ?? "?");
  const names = Object.keys(node.attributes).sort();
  const attributes = names.map((name) => `${name}=${describeAttribute(node.attributes[name] ?? "")}`);
  return `${node.outputs.map(id).join(",")}|${node.domain}|${node.op}|${inputs.join(",")}|${attributes.join(";")}`;
}
