/** What taking a node away does to every other, along all paths of a graph. */
import type { AttributionGraph } from "../attribution/graph.js";
import { type GraphNode, nodeId } from "../attribution/nodes.js";

/**
 * Returns by how much each node's value falls when one node is taken away: the sum over all paths, in which every feature
 * passes on the share of itself that it lost. Exact while patterns, norms and active features stay as they are.
 *
 * @returns in units of each node's value, by index in `graph.nodes`; 0 for the node itself and for those before it.
 */
export function totalEffects(graph: AttributionGraph, source: GraphNode): Float64Array {
  const start = nodeId(source);
  const ids = graph.nodes.map(nodeId);
  const lost = new Map<string, number>([[start, 1]]);
  const falls = new Float64Array(graph.nodes.length);
  // Sources come after their targets, so that the last nodes are the first in the model.
  for (let index = graph.nodes.length - 1; index >= 0; index--) {
    const [node, id] = [graph.nodes[index], ids[index] ?? ""];
    if (node === undefined || id === start) continue;
    let fall = 0;
    for (const { source: from, weight } of graph.edgesInto(index)) fall += weight * (lost.get(nodeId(from)) ?? 0);
    falls[index] = fall;
    if (node.kind === "feature" && fall !== 0) lost.set(id, fall / node.activation);
  }
  return falls;
}
