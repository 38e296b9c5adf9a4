/** Does the model do what the graph says? Edges and total effects against interventions. */
import { createRandom, InputError } from "../../core/index.js";
import type { DictionarySet } from "../../dictionary/index.js";
import type { Model, Run } from "../../model/index.js";
import type { AttributionGraph } from "../attribution/graph.js";
import { type GraphNode, nodeId } from "../attribution/nodes.js";
import { ChangedRuns, eachIntervention, type Intervention, type InterventionOptions } from "./changed-runs.js";
import { totalEffects } from "./total-effects.js";
import { nodeValue, type ReadNode, softCap } from "./values.js";
import { type CheckedEdge, type CheckedNode, GraphVerification } from "./verification.js";

/** Options of {@link verifyGraph}. */
export interface VerifyGraphOptions extends InterventionOptions {
  /** How many features and tokens are taken away: half of them those with most influence, half drawn from the rest with
   * `seed`; or the nodes themselves. Default 32. */
  readonly nodes?: number | readonly GraphNode[];
  readonly seed?: number;
}

/** Features and tokens: nodes that feed others and can be taken away. */
function sources(graph: AttributionGraph, { nodes = 32, seed = 0 }: VerifyGraphOptions): readonly GraphNode[] {
  if (typeof nodes !== "number") return nodes;
  if (!Number.isInteger(nodes) || nodes < 1) throw badCount(nodes);
  const influence = graph.influence();
  const ranked = [...graph.nodes.entries()]
    .filter(([, { kind }]) => kind === "feature" || kind === "token")
    .sort(([a], [b]) => (influence[b] ?? 0) - (influence[a] ?? 0))
    .map(([, node]) => node);
  const first = Math.ceil(nodes / 2);
  return [
    ...ranked.slice(0, first),
    ...createRandom(seed)
      .shuffle(ranked.slice(first))
      .slice(0, nodes - first),
  ];
}

/** Changes of every node's value against a clean run, for each source taken away. */
async function measured(
  runs: ChangedRuns,
  graph: AttributionGraph,
  interventions: readonly Intervention[],
  options: InterventionOptions & { readonly value: ReadNode },
): Promise<readonly (readonly (number | undefined)[])[]> {
  const { value } = options;
  const clean = graph.nodes.map((node) => value(runs.clean, 0, node));
  const found: (readonly (number | undefined)[])[] = [];
  await eachIntervention(runs, interventions, options, (run: Run, row, index) => {
    found[index] = graph.nodes.map((node, i) => {
      const [now, before] = [value(run, row, node), clean[i]];
      return now === undefined || before === undefined ? undefined : before - now;
    });
  });
  return found;
}

/** Each edge that leaves a source, and what taking the source away did to its target while all else was held. */
function edgesFrom(
  graph: AttributionGraph,
  nodes: readonly GraphNode[],
  effects: readonly (readonly (number | undefined)[])[],
): readonly CheckedEdge[] {
  const ids = new Map(nodes.map((node, i) => [nodeId(node), i]));
  return graph.nodes.flatMap((target, index) => {
    const edges = new Map(graph.edgesInto(index).map(({ source, weight }) => [nodeId(source), weight]));
    if (edges.size === 0) return [];
    return [...ids].flatMap(([id, i]) => {
      const [effect, node] = [effects[i]?.[index], nodes[i]];
      const isSame = effect === undefined || node === undefined || nodeId(target) === id;
      return isSame ? [] : [{ source: node, target, edge: edges.get(id) ?? 0, effect }];
    });
  });
}

/**
 * Takes nodes of a graph away, one at a time, and compares what happens with what the graph says.
 *
 * 1. *Edges*: with everything held but the path straight from the node, each later node must change by its edge. An edge
 *    that the graph lacks counts as 0, so what pruning cut shows.
 * 2. *Total effects*: with the model free (or as `held` says), targets change by what the graph's paths add up to, as far as
 *    patterns, norms and the choice of features stay: reported as a correlation, never exact.
 *
 * @throws InputError when the graph is of another model or other dictionaries.
 */
export async function verifyGraph(
  model: Model,
  graph: AttributionGraph,
  set: DictionarySet,
  options: VerifyGraphOptions = {},
): Promise<GraphVerification> {
  const nodes = sources(graph, options);
  const interventions = nodes.map((node) => ({ nodes: [node] }));
  const value = nodeValue(set, softCap(model));
  const direct = await ChangedRuns.open(model, graph, set, { ...options, held: "direct" });
  const edges = edgesFrom(graph, nodes, await measured(direct, graph, interventions, { ...options, value }));
  const free = await ChangedRuns.open(model, graph, set, options);
  const effects = await measured(free, graph, interventions, { ...options, value });
  const totals: readonly CheckedNode[] = nodes.flatMap((node, i) => {
    const predicted = totalEffects(graph, node);
    return graph.nodes.flatMap((target, index) => {
      const effect = effects[i]?.[index];
      return target.kind === "target" && effect !== undefined
        ? [{ node, target, predicted: predicted[index] ?? 0, effect }]
        : [];
    });
  });
  return new GraphVerification({ edges, totals, held: options.held ?? "nothing", nodes: nodes.length });
}

function badCount(got: number): InputError {
  return new InputError({
    where: "verifyGraph: nodes",
    got: String(got),
    expected: "a whole number of 1 or more, or a list of nodes",
    fix: "Leave it out for 32.",
  });
}
