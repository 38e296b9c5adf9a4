/** A graph in circuit-tracer's format. */
import type { AttributionGraph } from "../attribution/graph.js";
import type { GraphNode } from "../attribution/nodes.js";
import { cumulativeInfluence } from "../report/view.js";
import { type TracerFile, type TracerLink, type TracerNode, tracerTypes } from "./tracer-schema.js";

/** What the file is called, and what its nodes are called. */
export interface TracerOptions {
  readonly slug: string;
  /** Names nodes: what a feature means. Default none. */
  readonly describe?: (node: GraphNode) => string | undefined;
}

/** Cantor's pairing of layer and feature: the viewer's number of a feature. */
export function cantor(layer: number, feature: number): number {
  return ((layer + feature) * (layer + feature + 1)) / 2 + feature;
}

type Kind = "error" | "feature" | "target" | "token";
type Written = Extract<GraphNode, { readonly kind: Kind }>;

/** Biases, learned positions and the remainder have no place in the format; `scores` leaves them out, too. */
function isWritten(node: GraphNode): node is Written {
  return node.kind in tracerTypes;
}

type Names = Pick<TracerNode, "feature" | "id" | "jsId" | "layer">;

/** Ids that no two nodes share; errors as circuit-tracer writes them since 2026. */
function namesOf(node: Written, index: number, nLayers: number): Names {
  if (node.kind === "feature") {
    const { layer, feature, pos } = node;
    const jsId = `${layer}_${feature}-0`;
    return { id: `${layer}_${feature}_${pos}`, feature: cantor(layer, feature), layer: String(layer), jsId };
  }
  if (node.kind === "error") {
    const { layer, pos } = node;
    return { id: `${layer}_-1_${pos}`, feature: -1, layer: String(layer), jsId: `${layer}_error_${pos}-0` };
  }
  if (node.kind === "token") {
    const { token, pos } = node;
    return { id: `E_${token}_${pos}`, feature: pos, layer: "E", jsId: `E_${token}-${pos}` };
  }
  // A target that is no single token's is told apart by its place in the graph.
  const token = node.versus === undefined ? (node.token ?? -1 - index) : -1 - index;
  return {
    id: `${nLayers + 1}_${token}_${node.pos}`,
    feature: Math.max(0, token),
    layer: String(nLayers + 1),
    jsId: `L_${token}-${node.pos}`,
  };
}

function label(node: Written, prompt: readonly string[], describe: TracerOptions["describe"]): string {
  const own = describe?.(node);
  if (own !== undefined) return own;
  if (node.kind === "token") return `Emb: "${prompt[node.pos] ?? ""}"`;
  if (node.kind === "error") return `Err: mlp "${prompt[node.pos] ?? ""}"`;
  // The viewer reads the token and its probability out of this text.
  return node.kind === "target" ? `Output ${node.label} (p=${node.weight.toFixed(3)})` : "";
}

/** Returns a graph as circuit-tracer writes it; `influence` is that of the graph given, before any pruning by a viewer. */
export function toTracer(graph: AttributionGraph, { slug, describe }: TracerOptions): TracerFile {
  const { prompt, nodes, provenance } = graph;
  const nLayers = 1 + Math.max(0, ...nodes.map((node) => ("layer" in node ? node.layer : 0)));
  const shares = cumulativeInfluence(graph);
  const ids = nodes.map((node, i) => (isWritten(node) ? namesOf(node, i, nLayers) : undefined));
  const written = nodes.flatMap((node, i): readonly TracerNode[] => {
    const names = ids[i];
    if (!isWritten(node) || names === undefined) return [];
    const isTarget = node.kind === "target";
    return [
      {
        ...names,
        pos: node.pos,
        type: tracerTypes[node.kind],
        isTarget: isTarget && i === 0,
        label: label(node, prompt, describe),
        influence: isTarget ? 0 : (shares[i] ?? 1),
        ...(isTarget ? { probability: node.weight } : {}),
        ...(node.kind === "feature" ? { activation: node.activation } : {}),
      },
    ];
  });
  const idOf = new Map(nodes.map((node, i) => [node, ids[i]?.id] as const));
  const links: TracerLink[] = [];
  for (const { source, target, weight } of graph.edges()) {
    const [from, to] = [idOf.get(source), idOf.get(target)];
    if (from !== undefined && to !== undefined) links.push({ source: from, target: to, weight });
  }
  const metadata = { slug, scan: provenance.model, prompt: prompt.join(""), tokens: prompt };
  return { metadata, nodes: written, links };
}
