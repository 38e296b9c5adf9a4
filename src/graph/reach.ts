/**
 * Which values depend on which: what proves that an edit can change an output.
 *
 * Contents do not flow through `Shape` and `Size`: an edit keeps shapes, so a value whose shape alone is read reaches
 * nothing. {@link neededNodes} and {@link ancestors} count them, because they must run.
 */
import type { Graph, Node, Value } from "./ir.js";

/** Nodes, and all values that they and the asked-for values touch. */
export interface Needed {
  readonly nodes: Node[];
  readonly values: ReadonlySet<Value>;
}

/** Returns the nodes (in their order) that `outputs` depend on, and every value those nodes read or make. */
export function neededNodes(nodes: readonly Node[], outputs: Iterable<Value>): Needed {
  const values = new Set(outputs);
  const kept: Node[] = [];
  for (const node of nodes.toReversed()) {
    if (!node.outputs.some((value) => values.has(value))) continue;
    kept.push(node);
    for (const value of node.outputs) values.add(value);
    for (const value of node.inputs) if (value !== undefined) values.add(value);
  }
  return { nodes: kept.reverse(), values };
}

/** Returns every value that `outputs` depend on, themselves included. */
export function ancestors(graph: Pick<Graph, "nodes">, outputs: Iterable<Value>): ReadonlySet<Value> {
  const values = new Set(outputs);
  for (const node of graph.nodes.toReversed()) {
    if (!node.outputs.some((value) => values.has(value))) continue;
    for (const value of node.inputs) if (value !== undefined) values.add(value);
  }
  return values;
}

function passesContents(node: Node): boolean {
  return node.domain !== "" || (node.op !== "Shape" && node.op !== "Size");
}

/** Returns every value whose contents depend on one of `sources`, themselves included. */
export function descendants(graph: Pick<Graph, "nodes">, sources: Iterable<Value>): ReadonlySet<Value> {
  const values = new Set(sources);
  for (const node of graph.nodes) {
    const touched = node.inputs.some((value) => value !== undefined && values.has(value));
    if (touched && passesContents(node)) for (const value of node.outputs) values.add(value);
  }
  return values;
}

/** Tells whether the contents of `to` depend on `from` (a value reaches itself). Works on graphs and on builders. */
export function reaches(graph: Pick<Graph, "nodes">, from: Value, to: Value): boolean {
  return descendants(graph, [from]).has(to);
}
