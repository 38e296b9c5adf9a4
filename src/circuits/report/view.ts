/** From a graph to the plain data that `viz.graph` draws. */
import type { GraphData, GraphMark, GraphNodeData } from "../../viz/index.js";
import type { AttributionGraph } from "../attribution/graph.js";
import { type GraphNode, nodeId } from "../attribution/nodes.js";

const marks: Readonly<Record<GraphNode["kind"], GraphMark>> = {
  feature: "feature",
  error: "error",
  token: "token",
  target: "target",
  position: "other",
  bias: "other",
  remainder: "other",
};

function nodeData(
  node: GraphNode,
  influence: number,
  describe: ((node: GraphNode) => string | undefined) | undefined,
  prompt: readonly string[],
): GraphNodeData {
  const own = { id: nodeId(node), mark: marks[node.kind] };
  const label = describe?.(node);
  const words = label === undefined ? {} : { label };
  if (node.kind === "bias" || node.kind === "remainder") return { ...own, ...words };
  if (node.kind === "target") return { ...own, pos: node.pos, label: node.label, probability: node.weight };
  if (node.kind === "token") return { ...own, pos: node.pos, label: prompt[node.pos] ?? "" };
  if (node.kind === "position") return { ...own, pos: node.pos };
  const placed = { ...own, ...words, layer: node.layer, pos: node.pos, influence };
  return node.kind === "feature" ? { ...placed, activation: node.activation } : placed;
}

/** The share of all influence that nodes with at least as much have: small is important. */
export function cumulativeInfluence(graph: AttributionGraph): readonly number[] {
  const influence = graph.influence();
  const total = influence.reduce((a, b) => a + b, 0);
  const shares = new Array<number>(influence.length).fill(1);
  let sum = 0;
  for (const index of [...influence.keys()].sort((a, b) => (influence[b] ?? 0) - (influence[a] ?? 0))) {
    sum += influence[index] ?? 0;
    shares[index] = total === 0 ? 1 : Math.min(1, sum / total);
  }
  return shares;
}

/** Returns a graph as `viz.graph` takes it. */
export function graphData(
  graph: AttributionGraph,
  describe?: (node: GraphNode) => string | undefined,
  details?: (node: GraphNode) => readonly string[] | undefined,
): GraphData {
  const { nodes, prompt } = graph;
  const shares = cumulativeInfluence(graph);
  return {
    tokens: prompt,
    nodes: nodes.map((node, i) => {
      const lines = details?.(node);
      return {
        ...nodeData(node, shares[i] ?? 1, describe, prompt),
        ...(lines === undefined ? {} : { details: lines }),
      };
    }),
    edges: [...graph.edges()].map(({ source, target, weight }) => {
      return { source: nodeId(source), target: nodeId(target), weight };
    }),
  };
}
