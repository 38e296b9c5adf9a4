/** What nodes of a graph give each other: flow from the targets, inputs and outputs. */
import { numberAt } from "../entries.js";
import { decodeCell } from "../numbers.js";
import type { GraphSpec } from "./graph-spec.js";

/** A link between two nodes, by their places. */
export interface GraphLink {
  readonly from: number;
  readonly to: number;
  readonly weight: number;
}

/** What leads into a node and out of it, the strongest first. */
export interface GraphNeighbours {
  readonly inputs: readonly GraphLink[];
  readonly outputs: readonly GraphLink[];
}

/** Returns how much of the targets flows through each node: each row's shares of absolute weights, from the top down. */
export function flowOf(spec: GraphSpec): Float64Array {
  const flow = Float64Array.from(spec.ids, (_, i) =>
    spec.marks[i] === "target" ? Math.max(0, numberAt(spec.probabilities, i) || 1) : 0,
  );
  const depth = (target: number): number => spec.rows[target] ?? 0;
  for (const { target, sources, weights } of [...spec.edges].sort((a, b) => depth(b.target) - depth(a.target))) {
    const sizes = weights.map((weight) => Math.abs(decodeCell(weight)));
    const scale = (flow[target] ?? 0) / (sizes.reduce((a, b) => a + b, 0) || 1);
    sources.forEach((source, i) => {
      flow[source] = (flow[source] ?? 0) + scale * (sizes[i] ?? 0);
    });
  }
  return flow;
}

/** Returns the edges that carry most of the flow, at most `count`, the strongest last so that it is drawn on top. */
export function strongestLinks(
  spec: GraphSpec,
  count: number,
  isShown: (node: number) => boolean,
): readonly GraphLink[] {
  const flow = flowOf(spec);
  const found: (GraphLink & { readonly size: number })[] = [];
  for (const { target, sources, weights } of spec.edges) {
    const total = weights.reduce<number>((sum, weight) => sum + Math.abs(decodeCell(weight)), 0) || 1;
    sources.forEach((from, i) => {
      const weight = numberAt(weights, i);
      const size = (Math.abs(weight) / total) * (flow[target] ?? 0);
      if (isShown(from) && isShown(target)) found.push({ from, to: target, weight, size });
    });
  }
  return found
    .sort((a, b) => b.size - a.size)
    .slice(0, count)
    .reverse()
    .map(({ from, to, weight }) => ({ from, to, weight }));
}

/** Returns a node's inputs and outputs. */
export function neighboursOf(spec: GraphSpec, node: number): GraphNeighbours {
  const [inputs, outputs]: [GraphLink[], GraphLink[]] = [[], []];
  for (const { target, sources, weights } of spec.edges) {
    sources.forEach((source, i) => {
      if (target !== node && source !== node) return;
      const link = { from: source, to: target, weight: numberAt(weights, i) };
      (target === node ? inputs : outputs).push(link);
    });
  }
  const strongestFirst = (a: GraphLink, b: GraphLink): number => Math.abs(b.weight) - Math.abs(a.weight);
  return { inputs: inputs.sort(strongestFirst), outputs: outputs.sort(strongestFirst) };
}

/** Returns the number of edges. */
export function edgeCount({ edges }: GraphSpec): number {
  return edges.reduce((sum, { sources }) => sum + sources.length, 0);
}
