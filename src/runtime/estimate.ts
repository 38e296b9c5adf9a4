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
 * names that `sizes` does not bind count nothing.
 */
export function workingBytes(graph: Graph, sizes: Sizes): number {
  const lastUse = new Map<Value, number>();
  graph.nodes.forEach((node, index) => {
    for (const input of node.inputs) if (input !== undefined) lastUse.set(input, index);
  });
  for (const { value } of graph.outputs) lastUse.set(value, graph.nodes.length);
  const bytesOf = valueSizer(sizes);
  const made = new Set<Value>();
  const dies = (value: Value | undefined, index: number): value is Value =>
    value !== undefined && (lastUse.get(value) ?? index) <= index && made.delete(value);
  let alive = 0;
  let peak = 0;
  graph.nodes.forEach((node, index) => {
    for (const output of node.outputs) {
      made.add(output);
      alive += bytesOf(output);
    }
    peak = Math.max(peak, alive);
    for (const value of node.inputs) if (dies(value, index)) alive -= bytesOf(value);
    for (const value of node.outputs) if (dies(value, index)) alive -= bytesOf(value);
  });
  return peak;
}

/** Returns a function from a value to its bytes; each size is evaluated once. */
function valueSizer(sizes: Sizes): (value: Value) => number {
  const known = new Map<string, number>();
  const sizeOf = (dim: string): number => {
    const isBound = dimSymbols(dim).every((name) => Object.hasOwn(sizes, name));
    const size = sizes[dim] ?? (isBound ? evalDim(dim, sizes) : 0);
    known.set(dim, size);
    return size;
  };
  return ({ dtype, shape }) => {
    let bytes = graphDTypes[dtype].bytes;
    for (const dim of shape) bytes *= typeof dim === "number" ? dim : (known.get(dim) ?? sizeOf(dim));
    return bytes;
  };
}
