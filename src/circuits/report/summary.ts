/** A graph in sentences. */
import type { AttributionGraph, GraphEdge } from "../attribution/graph.js";
import { type GraphNode, nodeId } from "../attribution/nodes.js";
import type { GraphFaithfulness } from "../verify/faithfulness.js";
import type { GraphVerification } from "../verify/verification.js";

/** What a summary may tell besides the graph. */
export interface SummaryOptions {
  /** What a node is about, such as the tokens that a feature writes. */
  readonly describe?: (node: GraphNode) => string | undefined;
  readonly verification?: GraphVerification;
  readonly faithfulness?: GraphFaithfulness;
}

const inputsOfTarget = 8;
const inputsOfFeature = 3;
const featuresFollowed = 5;

function nameOf(graph: AttributionGraph, node: GraphNode, describe: SummaryOptions["describe"]): string {
  const text = "pos" in node ? ` (at \`${graph.prompt[node.pos] ?? ""}\`)` : "";
  const about = describe?.(node);
  return `**${nodeId(node)}**${node.kind === "target" ? "" : text}${about === undefined ? "" : `: ${about}`}`;
}

function signed(weight: number): string {
  return `${weight < 0 ? "−" : "+"}${Math.abs(weight).toFixed(2)}`;
}

function inputLines(
  graph: AttributionGraph,
  edges: readonly GraphEdge[],
  { describe }: SummaryOptions,
): readonly string[] {
  return edges.map(({ source, weight }) => `- ${signed(weight)} from ${nameOf(graph, source, describe)}`);
}

function targetLines(graph: AttributionGraph, index: number, options: SummaryOptions): readonly string[] {
  const node = graph.nodes[index];
  if (node?.kind !== "target") return [];
  const edges = graph.edgesInto(index);
  const total = edges.reduce((sum, { weight }) => sum + weight, 0);
  const probability = node.token === undefined ? "" : `, with probability ${node.weight.toFixed(3)}`;
  return [
    `## ${node.label}`,
    "",
    `The model says ${node.label}${probability}. All inputs add up to ${total.toFixed(2)}; the strongest:`,
    "",
    ...inputLines(graph, edges.slice(0, inputsOfTarget), options),
    "",
  ];
}

/** What feeds the features with most influence. */
function featureLines(graph: AttributionGraph, options: SummaryOptions): readonly string[] {
  const influence = graph.influence();
  const first = [...graph.nodes.entries()]
    .filter(([, { kind }]) => kind === "feature")
    .sort(([a], [b]) => (influence[b] ?? 0) - (influence[a] ?? 0))
    .slice(0, featuresFollowed);
  if (first.length === 0) return [];
  return [
    "## Features with most influence",
    "",
    ...first.flatMap(([index, node]) => [
      `${nameOf(graph, node, options.describe)}. It is fed by:`,
      "",
      ...inputLines(graph, graph.edgesInto(index).slice(0, inputsOfFeature), options),
      "",
    ]),
  ];
}

function trustLines(graph: AttributionGraph, { verification, faithfulness }: SummaryOptions): readonly string[] {
  const { replacement, completeness } = graph.scores();
  const { worst, checked } = graph.certificate;
  const share = (x: number): string => `${(100 * x).toFixed(0)} %`;
  const lines = [
    `- Of the influence that ends in tokens or errors, ${share(replacement)} ends in tokens: the rest went through what transcoders leave out.`,
    `- Weighted by influence, ${share(completeness)} of the inputs of nodes are not errors.`,
  ];
  if (checked > 0) lines.push(`- The inputs of each of ${checked} nodes sum to it within ${worst.toExponential(1)}.`);
  if (graph.omittedFeatures > 0) lines.push(`- ${graph.omittedFeatures} active features were left out by the budget.`);
  if (verification !== undefined) {
    const { edgeAgreement: edges, totalAgreement: totals } = verification;
    lines.push(
      `- ${verification.nodes} nodes were taken away one at a time: ${edges.count} edges are what happened, within ${edges.worst.toExponential(1)} of the largest. In the free model effects on targets correlate with the sums over paths at ${totals.correlation.toFixed(2)}.`,
    );
  }
  if (faithfulness !== undefined) lines.push(faithfulnessLine(faithfulness));
  return ["## How far to trust it", "", ...lines, ""];
}

function faithfulnessLine(faithfulness: GraphFaithfulness): string {
  const { points } = faithfulness;
  const enough = points.find(({ kept }) => faithfulness.share(kept) >= 0.8) ?? points.at(-1);
  if (enough === undefined) return "- No point of the faithfulness curves was measured.";
  const percent = (value: number): string => `${(100 * faithfulness.share(value)).toFixed(0)} %`;
  return `- Of ${points.at(-1)?.count ?? 0} features, the ${enough.count} with most influence alone bring back ${percent(enough.kept)} of the logit of ${faithfulness.target}; as many at random ${percent(enough.keptRandom)}. Without them ${percent(enough.ablated)} is left.`;
}

/** Returns what a graph says, as Markdown: its targets, the features behind them, and how far it can be trusted. */
export function graphSummary(graph: AttributionGraph, options: SummaryOptions = {}): string {
  const { provenance, prompt } = graph;
  const targets = graph.nodes.flatMap(({ kind }, index) => (kind === "target" ? [index] : []));
  return [
    `# What follows \`${prompt.join("")}\``,
    "",
    `Model ${provenance.model}${provenance.dictionaries === "" ? "" : `, dictionaries ${provenance.dictionaries}`}: ` +
      `${graph.nodes.filter(({ kind }) => kind === "feature").length} features, ${graph.size} edges. ` +
      "Patterns and norm scales are held as they were, so what acts through queries and keys does not show.",
    "",
    ...targets.slice(0, 2).flatMap((index) => targetLines(graph, index, options)),
    ...featureLines(graph, options),
    ...trustLines(graph, options),
  ].join("\n");
}
