/** A graph out of circuit-tracer's format, older ids of errors included. */
import { FormatError } from "../../core/index.js";
import { AttributionGraph } from "../attribution/graph.js";
import type { EdgeRow } from "../attribution/influence.js";
import type { GraphNode } from "../attribution/nodes.js";
import type { TracerFile, TracerNode } from "./tracer-schema.js";

function wholeNumber(text: string | undefined, where: string): number {
  const value = Number(text);
  if (text !== undefined && Number.isSafeInteger(value)) return value;
  throw new FormatError({
    where,
    got: JSON.stringify(text ?? null),
    expected: "a whole number",
    fix: "Check that the file was written by circuit-tracer or limpid.",
  });
}

/** A node of the file as one of ours; what kind it is says its type, not its id. */
function nodeOf(node: TracerNode, where: string): GraphNode {
  const { type, id, pos, layer } = node;
  const part = (i: number): number => wholeNumber(id.split("_")[i], `${where}: node_id`);
  if (type === "embedding") return { kind: "token", pos, token: part(1) };
  if (type === "logit") {
    const token = part(1);
    const own = /^Output (.*) \(p=[^)]*\)$/s.exec(node.label)?.[1] ?? node.label;
    const base = { kind: "target", pos, label: own, weight: node.probability ?? 0 } as const;
    return token < 0 ? base : { ...base, token };
  }
  const at = wholeNumber(layer, `${where}: layer`);
  if (type.includes("error")) return { kind: "error", layer: at, pos };
  return { kind: "feature", layer: at, pos, feature: part(1), activation: node.activation ?? Number.NaN };
}

const ranks: Readonly<Record<GraphNode["kind"], number>> = {
  target: 0,
  feature: 1,
  error: 2,
  token: 3,
  position: 4,
  bias: 5,
  remainder: 6,
};

/** Targets, then features from the last layer to the first, then leaves: sources come after what they feed. */
function order(a: GraphNode, b: GraphNode): number {
  const depth = (node: GraphNode): number => (node.kind === "feature" ? -node.layer : 0);
  return ranks[a.kind] - ranks[b.kind] || depth(a) - depth(b);
}

/**
 * Returns the graph of a file. Such files state no certificate and leave biases out, so parts need not sum.
 *
 * @throws FormatError for nodes of unknown kinds and links that lead downwards.
 */
export function fromTracer({ metadata, nodes, links }: TracerFile, where: string): AttributionGraph {
  const read = nodes.map((node, i) => ({ id: node.id, node: nodeOf(node, `${where}: nodes[${i}]`) }));
  const sorted = [...read].sort((a, b) => order(a.node, b.node));
  const place = new Map(sorted.map(({ id }, index) => [id, index]));
  const pairs = new Map<number, [number, number][]>();
  for (const { source, target, weight } of links) {
    const [from, to] = [place.get(source) ?? -1, place.get(target) ?? -1];
    const row = pairs.get(to) ?? [];
    row.push([from, weight]);
    pairs.set(to, row);
  }
  const rows = new Map<number, EdgeRow>();
  for (const [to, row] of [...pairs].sort(([a], [b]) => a - b))
    rows.set(to, { sources: Int32Array.from(row, ([i]) => i), weights: Float64Array.from(row, ([, w]) => w) });
  const tokens = metadata.tokens.map((_, pos) => {
    const found = read.find(({ node }) => node.kind === "token" && node.pos === pos)?.node;
    return found?.kind === "token" ? found.token : -1;
  });
  return new AttributionGraph({
    prompt: metadata.tokens,
    nodes: sorted.map(({ node }) => node),
    rows,
    certificate: { worst: Number.NaN, at: "no node", checked: 0 },
    omittedFeatures: 0,
    provenance: { model: metadata.scan, identity: "", dictionaries: "", tokens, firstPosition: 1 },
  });
}
