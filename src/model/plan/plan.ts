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

/** Boundaries between layers that cut a graph into about `count` equal parts; a graph may hold only some layers. */
function boundaries(graph: Graph, stream: readonly Value[], count: number): readonly (readonly Value[])[] {
  const made = new Set<unknown>(graph.nodes.flatMap(({ outputs }) => outputs));
  const inner = stream.slice(1, -1).filter((value) => made.has(value));
  const parts = Math.min(count, inner.length + 1);
  const places = Array.from({ length: parts - 1 }, (_, i) => Math.round(((i + 1) * (inner.length + 1)) / parts) - 1);
  return [...new Set(places)].flatMap((place) => (inner[place] === undefined ? [] : [[inner[place]]]));
}

function cutLong(graph: Graph, stream: readonly Value[], { sizes, limit }: Work): readonly Graph[] {
  const count = Math.ceil(graphFlops(graph, sizes) / limit);
  return count <= 1 ? [graph] : cutAt(graph, boundaries(graph, stream, count));
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
    segments: cutLong(graph, built.stream, { sizes, limit }),
    outputs: graph.outputs.map(({ name }) => name),
  });
  if (built.calls.length === 0) return [graphs(built.graph)];
  return cutAtCallbacks(built.graph).map((step) =>
    step.kind === "callback"
      ? { kind: "call", id: step.id, inputs: step.inputs, outputs: step.outputs }
      : graphs(step.graph),
  );
}
