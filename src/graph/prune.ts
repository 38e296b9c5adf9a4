/** Drops what the asked-for outputs do not need. */
import { GraphError } from "../core/index.js";
import type { Graph } from "./ir.js";
import { neededNodes } from "./reach.js";

/**
 * Returns the part of a graph that some of its outputs need, all of them when left out.
 *
 * @throws GraphError when a name is not an output of the graph; the message lists those that are.
 */
export function prune(graph: Graph, outputs?: readonly string[]): Graph {
  const wanted = outputs ?? graph.outputs.map(({ name }) => name);
  const byName = new Map(graph.outputs.map((output) => [output.name, output]));
  const kept = wanted.map((name) => {
    const output = byName.get(name);
    if (output !== undefined) return output;
    throw new GraphError({
      where: "prune",
      got: `output "${name}"`,
      expected: `one of: ${graph.outputs.map((own) => own.name).join(", ")}`,
      fix: "Check the name.",
    });
  });
  const needed = neededNodes(
    graph.nodes,
    kept.map(({ value }) => value),
  );
  return Object.freeze({
    inputs: Object.freeze(graph.inputs.filter((value) => needed.values.has(value))),
    initializers: Object.freeze(graph.initializers.filter(({ value }) => needed.values.has(value))),
    nodes: Object.freeze(needed.nodes),
    outputs: Object.freeze(kept),
  });
}
