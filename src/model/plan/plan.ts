/** From a built graph to steps that the engine runs: cut where JavaScript is called and where work would take long. */
import { cutAt, cutAtCallbacks, type Graph, graphFlops, type Value } from "../../graph/index.js";
import type { BuiltGraph } from "./build.js";

/** One step of a run. */
export type PlanStep =
  | { readonly kind: "graphs"; readonly segments: readonly Graph[]; readonly outputs: readonly string[] }
  | {
      readonly kind: "call";
      readonly id: string;
      readonly inputs: readonly string[];
      readonly outputs: readonly string[];
    };

/**
 * Work in one segment, in floating-point operations: about a quarter of a second on two cores, so that an abort is
 * honoured within half a second.
 */
const segmentFlops = 25e9;

/** Work of one layer backwards, in layers forwards: two products for each of the forward part. */
const backwardCost = 2;

/** Where a graph can be cut, in order, each with the number of layers of work before it; and that of the whole. */
function joints(
  graph: Graph,
  { stream, backward }: Joints,
): { readonly places: readonly Place[]; readonly work: number } {
  const made = new Set<unknown>(graph.nodes.flatMap(({ outputs }) => outputs));
  const inner = stream.slice(1, -1).filter((value) => made.has(value));
  const forwardWork = inner.length + 1;
  const forward = inner.map((value, i) => ({ value, before: i + 1 }));
  const back = backward
    .filter((value) => made.has(value))
    .map((value, i) => ({ value, before: forwardWork + backwardCost * (i + 1) }));
  const work = back.length === 0 ? forwardWork : forwardWork + backwardCost * (back.length + 1);
  return { places: [...forward, ...back], work };
}

/** The place with about this much work before it; the later one of two that are as near. */
function nearest(places: readonly Place[], wanted: number): Value | undefined {
  const distance = ({ before }: Place): number => Math.abs(before - wanted);
  const best = Math.min(...places.map(distance));
  return places.findLast((place) => distance(place) === best)?.value;
}

/** Boundaries between layers that cut a graph into about `count` equal parts; a graph may hold only some layers. */
function boundaries(graph: Graph, facts: Joints, count: number): readonly (readonly Value[])[] {
  const { places, work } = joints(graph, facts);
  const parts = Math.min(count, places.length + 1);
  const found = Array.from({ length: parts - 1 }, (_, i) => nearest(places, ((i + 1) * work) / parts));
  return [...new Set(found)].flatMap((value) => (value === undefined ? [] : [[value]]));
}

function cutLong(graph: Graph, facts: Joints, { sizes, limit }: Work): readonly Graph[] {
  const count = Math.ceil(graphFlops(graph, sizes) / limit);
  return count <= 1 ? [graph] : cutAt(graph, boundaries(graph, facts, count));
}

type Joints = Pick<BuiltGraph, "backward" | "stream">;

interface Place {
  readonly value: Value;
  readonly before: number;
}

/** How large a run is, and how large one segment may be. */
interface Work {
  readonly sizes: Readonly<Record<string, number>>;
  readonly limit: number;
}

/**
 * Plans a run for given sizes of `batch`, `pos`, `past`.
 *
 * @param limit - Floating-point operations of one segment, as far as cuts between layers allow.
 */
export function planSteps(
  built: BuiltGraph,
  sizes: Readonly<Record<string, number>>,
  limit: number = segmentFlops,
): readonly PlanStep[] {
  const graphs = (graph: Graph): PlanStep => ({
    kind: "graphs",
    segments: cutLong(graph, built, { sizes, limit }),
    outputs: graph.outputs.map(({ name }) => name),
  });
  if (built.calls.length === 0) return [graphs(built.graph)];
  return cutAtCallbacks(built.graph).map((step) =>
    step.kind === "callback"
      ? { kind: "call", id: step.id, inputs: step.inputs, outputs: step.outputs }
      : graphs(step.graph),
  );
}
