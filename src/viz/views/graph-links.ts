/** What nodes of a graph give each other: flow from the targets, groups of nodes, inputs and outputs. */
import { numberAt } from "../entries.js";
import { decodeCell } from "../numbers.js";
import type { GraphSpec } from "./graph-spec.js";

/** A link between drawn things: nodes by their place, groups by the number of nodes plus their own place. */
export interface GraphLink {
  readonly from: number;
  readonly to: number;
  readonly weight: number;
}

/** What leads into a thing and out of it, the strongest first. */
export interface GraphNeighbours {
  readonly inputs: readonly GraphLink[];
  readonly outputs: readonly GraphLink[];
}

/** The thing that each node is drawn as: itself, or its group. */
export function thingsOf(spec: GraphSpec, groups: readonly { readonly nodes: readonly number[] }[]): Int32Array {
  const things = Int32Array.from(spec.ids.keys());
  groups.forEach(({ nodes }, g) => {
    for (const node of nodes) things[node] = spec.ids.length + g;
  });
  return things;
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

/** Returns a thing's inputs and outputs; between groups weights are summed. */
export function neighboursOf(spec: GraphSpec, things: Int32Array, thing: number): GraphNeighbours {
  const [into, outOf] = [new Map<number, number>(), new Map<number, number>()];
  const add = (sums: Map<number, number>, other: number, weight: number): void => {
    sums.set(other, (sums.get(other) ?? 0) + weight);
  };
  for (const { target, sources, weights } of spec.edges) {
    const to = things[target] ?? -1;
    sources.forEach((source, i) => {
      const from = things[source] ?? -1;
      if (from === to || (from !== thing && to !== thing)) return;
      const weight = numberAt(weights, i);
      if (to === thing) add(into, from, weight);
      else add(outOf, to, weight);
    });
  }
  const strongestFirst = (a: GraphLink, b: GraphLink): number => Math.abs(b.weight) - Math.abs(a.weight);
  return {
    inputs: [...into].map(([from, weight]) => ({ from, to: thing, weight })).sort(strongestFirst),
    outputs: [...outOf].map(([to, weight]) => ({ from: thing, to, weight })).sort(strongestFirst),
  };
}

/** Returns the number of edges. */
export function edgeCount({ edges }: GraphSpec): number {
  return edges.reduce((sum, { sources }) => sum + sources.length, 0);
}
