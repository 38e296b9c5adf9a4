/** Names for features: the tokens that they write and read. */
import { type DictionarySet, type FeatureReadout, featureReadouts } from "../../dictionary/index.js";
import type { Model } from "../../model/index.js";
import type { AttributionGraph } from "../attribution/graph.js";
import { type GraphNode, nodeId } from "../attribution/nodes.js";

/** Tokens of each kind in a name. */
const shown = 3;

function words({ top, reads }: FeatureReadout): string {
  const list = (tokens: readonly { readonly token: string }[]): string =>
    tokens
      .slice(0, shown)
      .map(({ token }) => JSON.stringify(token))
      .join(" ");
  return `${reads === undefined ? "" : `reads ${list(reads)}, `}writes ${list(top)}`;
}

/**
 * Returns a function that says of a graph's features which tokens excite them most by themselves, and which they raise most.
 *
 * Both are hints, not meanings: they leave out everything that layers in between make of them.
 *
 * @param set - The dictionaries that the graph was made with.
 */
export async function describeFeatures(
  model: Model,
  graph: AttributionGraph,
  set: DictionarySet,
): Promise<(node: GraphNode) => string | undefined> {
  const names = new Map<string, string>();
  for (const layer of set.layers) {
    const own = graph.nodes.flatMap((node) => (node.kind === "feature" && node.layer === layer ? [node] : []));
    const indices = [...new Set(own.map(({ feature }) => feature))];
    if (indices.length === 0) continue;
    const readouts = await featureReadouts(model, set.layer(layer), indices);
    const about = new Map(readouts.map((readout) => [readout.index, words(readout)]));
    for (const node of own) names.set(nodeId(node), about.get(node.feature) ?? "");
  }
  return (node) => names.get(nodeId(node));
}
