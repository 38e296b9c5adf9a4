/** From a built graph to steps that the engine runs: cut where JavaScript is called and where work would take long. */
import { cutAt, cutAtCallbacks, type Graph, graphCost, type Value } from "../../graph/index.js";
import type { BuiltGraph } from "./build.js";

/** One step of a run. */
export type PlanStep =
  | { readonly kind: "graphs"; readonly segments: readonly Graph[]; readonly outputs: readonly string[] }
  | { readonly kind: "call"; readonly id: string; readonly inputs: readonly string[]; readonly outputs: readonly string[] };

/**
 * Work in one segment, in floating-point operations: about a quarter of a second on two cores, so that an abort is
 * honoured within half a second.
 */
const segmentFlops = 25e9;

/** Boundaries that cut a run's stream into about `count` equal parts. */
function boundaries(stream: readonly Value[], count: number): readonly (readonly Value[])[] {
  const inner = stream.slice(1, -1);
  const parts = Math.min(count, inner.length + 1);
  const places = Array.from({ length: parts - 1 }, (_, i) => Math.round(((i + 1) * (inner.length + 1)) / parts) - 1);
  return [...new Set(places)].flatMap((place) => (inner[place] === undefined ? [] : [[inner[place]]]));
}

function cutLong(graph: Graph, stream: readonly Value[], sizes: Readonly<Record<string, number>>): readonly Graph[] {
  const { flops } = graphCost(graph, sizes);
  const count = Math.ceil(flops / segmentFlops);
  return count <= 1 ? [graph] : cutAt(graph, boundaries(stream, count));
}

/** Plans a run for given sizes of `batch`, `pos`, `past`. */
export function planSteps(built: BuiltGraph, sizes: Readonly<Record<string, number>>): readonly PlanStep[] {
  if (built.calls.length === 0) {
    const segments = cutLong(built.graph, built.stream, sizes);
    return [{ kind: "graphs", segments, outputs: built.graph.outputs.map(({ name }) => name) }];
  }
  return cutAtCallbacks(built.graph).map((step) =>
    step.kind === "callback"
      ? { kind: "call", id: step.id, inputs: step.inputs, outputs: step.outputs }
      : { kind: "graphs", segments: [step.graph], outputs: step.graph.outputs.map(({ name }) => name) },
  );
}
