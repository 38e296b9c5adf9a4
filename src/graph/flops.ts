/** Estimates what a graph costs before it runs: floating-point operations and bytes of activations. */
import { dimSymbols, evalDim } from "./dims.js";
import { graphDTypes } from "./dtypes.js";
import type { Dim, Graph, Node, Value } from "./ir.js";
import { parseEinsum } from "./schema/matrix.js";

/** Numbers for symbolic sizes. */
export type Bindings = Readonly<Record<string, number>>;

/** What one node costs. */
export interface NodeCost {
  readonly node: Node;
  /** Floating-point operations; a multiply-add counts as two. */
  readonly flops: number;
  /** Bytes of its outputs. */
  readonly bytes: number;
}

/** What a graph costs. */
export interface GraphCost {
  /** Floating-point operations; a multiply-add counts as two. */
  readonly flops: number;
  /** Bytes of all values that nodes make. */
  readonly activationBytes: number;
  /** Most bytes of such values alive at once, when nodes run in order. */
  readonly peakBytes: number;
  /** Bytes of weights in files. */
  readonly weightBytes: number;
  readonly nodes: readonly NodeCost[];
  /** Sizes that are only known when the graph runs; each was counted as 1. */
  readonly unknownSizes: readonly string[];
}

/** Ops that only give values another shape or name. */
const freeOps: ReadonlySet<string> = new Set(["Reshape", "Unsqueeze", "Squeeze", "Identity", "Shape", "Size"]);

/** Element-wise ops that cost several operations an element; a softmax or a norm makes several passes. */
const weights: Readonly<Record<string, number>> = {
  Softmax: 5,
  LogSoftmax: 5,
  LayerNormalization: 7,
  RMSNormalization: 5,
  Gelu: 10,
  QuickGelu: 6,
  RotaryEmbedding: 3,
};

function product(shape: readonly number[]): number {
  return shape.reduce((total, size) => total * size, 1);
}

/** Sizes as numbers; sizes that inference could not name (`Slice_0.1`) count as 1 and are collected. */
class Sizes {
  readonly unknown = new Set<string>();
  readonly #bindings: Bindings;
  readonly #numbers = new Map<string, number>();

  constructor(bindings: Bindings) {
    this.#bindings = bindings;
  }

  of(value: Value | undefined): readonly number[] {
    return value === undefined ? [] : value.shape.map((dim) => this.#number(dim));
  }

  count(value: Value | undefined): number {
    return value === undefined ? 1 : value.shape.reduce<number>((total, dim) => total * this.#number(dim), 1);
  }

  bytes(value: Value): number {
    return this.count(value) * graphDTypes[value.dtype].bytes;
  }

  #number(dim: Dim): number {
    if (typeof dim === "number") return dim;
    const number = this.#numbers.get(dim) ?? this.#evaluate(dim);
    this.#numbers.set(dim, number);
    return number;
  }

  #evaluate(dim: string): number {
    const missing = dimSymbols(dim).filter((name) => name.includes(".") && !Object.hasOwn(this.#bindings, name));
    for (const name of missing) this.unknown.add(name);
    const ones = Object.fromEntries(missing.map((name) => [name, 1]));
    return evalDim(dim, { ...this.#bindings, ...ones });
  }
}

/** Length of the axis that a product sums over. */
function innerSize(node: Node, sizes: Sizes): number {
  const shape = sizes.of(node.inputs[0]);
  const flag = (name: string): boolean => node.attributes[name] === 1;
  if (node.op === "Gemm" || node.op === "FusedMatMul") {
    const moved = flag("transBatchA") ? [...shape.slice(1, -1), shape[0] ?? 1, shape.at(-1) ?? 1] : shape;
    return (flag("transA") ? moved.at(-2) : moved.at(-1)) ?? 1;
  }
  return shape.at(-1) ?? 1;
}

function einsumFlops(node: Node, sizes: Sizes): number {
  const parsed = parseEinsum(String(node.attributes["equation"]));
  const letters = new Map<string, number>();
  parsed?.operands.forEach((subscripts, index) => {
    const shape = sizes.of(node.inputs[index]);
    Array.from(subscripts).forEach((letter, axis) =>
      letters.set(letter, Math.max(letters.get(letter) ?? 1, shape[axis] ?? 1)),
    );
  });
  return 2 * Math.max(1, node.inputs.length - 1) * product([...letters.values()]);
}

/** Two products of `[pos, total]` with the head width, and a softmax between them, for each head of each row. */
function attentionFlops(node: Node, sizes: Sizes): number {
  const hasHeads = node.inputs[0]?.shape.length === 4;
  const [batch = 1, second = 1, third = 1] = sizes.of(node.inputs[0]);
  const heads = hasHeads ? second : Number(node.attributes["q_num_heads"] ?? 1);
  const positions = hasHeads ? third : second;
  const keys = sizes.of(node.inputs[1])[hasHeads ? 2 : 1] ?? 1;
  const total = keys + (sizes.of(node.inputs[4])[2] ?? 0);
  const widths = (sizes.count(node.inputs[0]) + sizes.count(node.outputs[0])) / Math.max(1, batch * heads * positions);
  return batch * heads * positions * total * (2 * widths + 5);
}

function nodeFlops(node: Node, sizes: Sizes): number {
  if (freeOps.has(node.op)) return 0;
  switch (node.op) {
    case "MatMul":
    case "FusedMatMul":
    case "Gemm":
      return 2 * sizes.count(node.outputs[0]) * innerSize(node, sizes);
    case "Einsum":
      return einsumFlops(node, sizes);
    case "Attention":
      return attentionFlops(node, sizes);
    default:
      return elementFlops(node, sizes);
  }
}

function elementFlops(node: Node, sizes: Sizes): number {
  const reads = node.op.startsWith("Reduce") || node.op.startsWith("Arg") || node.op === "TopK";
  const most = (largest: number, value: Value): number => Math.max(largest, sizes.count(value));
  const count = reads ? sizes.count(node.inputs[0]) : node.outputs.reduce(most, 0);
  return count * (weights[node.op] ?? 1);
}

function lastUses(graph: Graph): ReadonlyMap<Value, number> {
  const last = new Map<Value, number>();
  graph.nodes.forEach((node, index) => {
    for (const value of [...node.outputs, ...node.inputs]) if (value !== undefined) last.set(value, index);
  });
  for (const { value } of graph.outputs) last.set(value, graph.nodes.length);
  return last;
}

function peakOf(graph: Graph, sizes: Sizes): number {
  const last = lastUses(graph);
  const alive = new Map<Value, number>();
  let [now, peak] = [0, 0];
  graph.nodes.forEach((node, index) => {
    for (const value of node.outputs) {
      alive.set(value, sizes.bytes(value));
      now += sizes.bytes(value);
    }
    peak = Math.max(peak, now);
    for (const value of [...node.inputs, ...node.outputs]) {
      if (value === undefined || last.get(value) !== index) continue;
      now -= alive.get(value) ?? 0;
      alive.delete(value);
    }
  });
  return peak;
}

/**
 * Returns the floating-point operations of a graph under numbers for its symbolic sizes, counted as by {@link graphCost}.
 *
 * @throws GraphError when a symbolic size of the graph's inputs has no number.
 */
export function graphFlops(graph: Pick<Graph, "nodes">, bindings: Bindings = {}): number {
  const sizes = new Sizes(bindings);
  return graph.nodes.reduce((total, node) => total + nodeFlops(node, sizes), 0);
}

/**
 * Returns what a graph costs under numbers for its symbolic sizes.
 *
 * Products and attention are counted exactly; other ops by their elements, times a small factor for norms and the like.
 *
 * @throws GraphError when a symbolic size of the graph's inputs has no number.
 */
export function graphCost(graph: Graph, bindings: Bindings = {}): GraphCost {
  const sizes = new Sizes(bindings);
  const nodes = graph.nodes.map((node) => ({
    node,
    flops: nodeFlops(node, sizes),
    bytes: node.outputs.reduce((total, value) => total + sizes.bytes(value), 0),
  }));
  return {
    flops: nodes.reduce((total, { flops }) => total + flops, 0),
    activationBytes: nodes.reduce((total, { bytes }) => total + bytes, 0),
    peakBytes: peakOf(graph, sizes),
    weightBytes: graph.initializers.reduce(
      (total, { source }) => total + (source.kind === "file" ? source.length : 0),
      0,
    ),
    nodes,
    unknownSizes: [...sizes.unknown].sort(),
  };
}
