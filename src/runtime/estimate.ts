/** Estimates what a session holds on to, so that the cache of sessions can be bounded by bytes. */
import { dimSymbols, evalDim, type Graph, graphDTypes, type Value } from "../graph/index.js";
import type { Sizes } from "./feeds.js";

/** Bytes that onnxruntime keeps per node of a compiled graph, and per session. */
const bytesPerNode = 4096;
const bytesPerSession = 500_000;

/** Returns the bytes of a compiled session before its first run: its graph, and copies of weights when prepacked. */
export function sessionBytes(graph: Graph, modelBytes: number, prepackedBytes: number): number {
  return bytesPerSession + bytesPerNode * graph.nodes.length + modelBytes + prepackedBytes;
}

/**
 * Returns the most bytes of computed values alive at once when nodes run in order.
 *
 * onnxruntime keeps about that much in the session's arena until the session is released. Values whose size depends on
 * names that `sizes` does not bind are left out.
 */
export function workingBytes(graph: Graph, sizes: Sizes): number {
  const lastUse = new Map<Value, number>();
  for (const [index, node] of graph.nodes.entries()) {
    for (const input of node.inputs) if (input !== undefined) lastUse.set(input, index);
  }
  for (const { value } of graph.outputs) lastUse.set(value, graph.nodes.length);
  const made = new Set<Value>();
  let alive = 0;
  let peak = 0;
  for (const [index, node] of graph.nodes.entries()) {
    for (const output of node.outputs) {
      made.add(output);
      alive += valueBytes(output, sizes);
    }
    peak = Math.max(peak, alive);
    for (const value of new Set([...node.inputs, ...node.outputs])) {
      if (value !== undefined && made.has(value) && (lastUse.get(value) ?? index) <= index) {
        alive -= valueBytes(value, sizes);
        made.delete(value);
      }
    }
  }
  return peak;
}

function valueBytes(value: Value, sizes: Sizes): number {
  let bytes = graphDTypes[value.dtype].bytes;
  for (const dim of value.shape) {
    if (typeof dim === "number") bytes *= dim;
    else if (dimSymbols(dim).every((name) => Object.hasOwn(sizes, name))) bytes *= evalDim(dim, sizes);
    else return 0;
  }
  return bytes;
}
