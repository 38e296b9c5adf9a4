/** Graphs of nodes over tokens and layers as data: what callers give, what a spec holds, and the checks between. */
import { InputError } from "../../core/index.js";
import { nothingToDraw } from "../checks.js";
import { encodeCell } from "../numbers.js";
import { encodeCells } from "../positions.js";
import { type Cell, header, type ViewHeader, type ViewOptions } from "../spec.js";
import { checkedMarks, type GraphMarks } from "./graph-marks.js";

/** What a node looks like: a dot, a hollow square, squares, a diamond. */
export type GraphMark = "error" | "feature" | "other" | "target" | "token";

/** A node, where it stands, and what is said about it. */
export interface GraphNodeData {
  /** Unique; edges name nodes by it. */
  readonly id: string;
  readonly mark: GraphMark;
  /** Layer of features and errors, from 0; tokens and others stand below all layers, targets above. */
  readonly layer?: number;
  /** Position in the prompt; absent: a column of its own. */
  readonly pos?: number;
  /** Words for it, such as what a feature means. */
  readonly label?: string;
  readonly activation?: number;
  /** How much of the targets flows through nodes at least as influential as this one, 0 to 1: small is important. */
  readonly influence?: number;
  /** Probability of a target. */
  readonly probability?: number;
  /** Lines of text for its card, such as examples of what a feature fires on. */
  readonly details?: readonly string[];
}

/** An edge: how much `source` adds to `target`, both by id. */
export interface GraphEdgeData {
  readonly source: string;
  readonly target: string;
  readonly weight: number;
}

/** Everything that a graph view shows. */
export interface GraphData {
  /** The prompt's tokens, one column each. */
  readonly tokens: readonly string[];
  readonly nodes: readonly GraphNodeData[];
  readonly edges: Iterable<GraphEdgeData>;
}

/** Options of `viz.graph`. */
export interface GraphOptions extends ViewOptions {
  /** Hides nodes with a greater `influence`. Default 1: none. */
  readonly threshold?: number;
  /** Pins and groups, as a view saved them. */
  readonly marks?: GraphMarks;
}

/** The edges into one node, nodes by place in the spec's lists. */
export interface GraphRow {
  readonly target: number;
  readonly sources: readonly number[];
  readonly weights: readonly Cell[];
}

/** A graph, its nodes in columns of the same length. */
export interface GraphSpec extends ViewHeader {
  readonly view: "graph";
  readonly tokens: readonly string[];
  readonly layers: number;
  readonly ids: readonly string[];
  readonly marks: readonly string[];
  /** 0 for the row of tokens, layer + 1, or layers + 1 for targets. */
  readonly rows: readonly number[];
  /** Position, or −1. */
  readonly positions: readonly number[];
  readonly labels: readonly string[];
  /** NaN where there is none, as in the next two. */
  readonly activations: readonly Cell[];
  readonly influences: readonly Cell[];
  readonly probabilities: readonly Cell[];
  readonly edges: readonly GraphRow[];
  readonly threshold: number;
  /** Lines for each node's card; absent where no node has any. */
  readonly details?: readonly (readonly string[])[];
  /** What was marked before; absent where nothing was. */
  readonly reading?: GraphMarks;
}

const where = "viz.graph";

/** Returns the spec of a graph; see `viz.graph`. */
export function graphSpec(data: GraphData, options: GraphOptions): GraphSpec {
  const { tokens, nodes } = data;
  if (nodes.length === 0) throw nothingToDraw(where);
  const layers = 1 + nodes.reduce((most, { layer = -1 }) => Math.max(most, layer), -1);
  const places = placesOf(nodes);
  nodes.forEach((node, i) => {
    checkNode(node, `${where}: nodes[${i}]`, tokens.length);
  });
  const optional = (key: "activation" | "influence" | "probability"): readonly Cell[] =>
    nodes.map((node) => encodeCell(node[key] ?? Number.NaN));
  return {
    ...header("graph", options),
    tokens: [...tokens],
    layers,
    ids: nodes.map(({ id }) => id),
    marks: nodes.map(({ mark }) => mark),
    rows: nodes.map((node) => rowOf(node, layers)),
    positions: nodes.map(({ pos = -1 }) => pos),
    labels: nodes.map(({ label = "" }) => label),
    activations: optional("activation"),
    influences: optional("influence"),
    probabilities: optional("probability"),
    edges: edgesOf(data.edges, places, options.exact === true),
    threshold: checkedThreshold(options.threshold ?? 1),
    ...(nodes.some(({ details }) => details !== undefined)
      ? { details: nodes.map(({ details = [] }) => [...details]) }
      : {}),
    ...(options.marks === undefined ? {} : { reading: checkedMarks(options.marks, new Set(places.keys())) }),
  };
}

function placesOf(nodes: readonly GraphNodeData[]): ReadonlyMap<string, number> {
  const places = new Map<string, number>();
  nodes.forEach(({ id }, i) => {
    if (places.has(id))
      throw wrong(`${where}: nodes[${i}].id`, `${JSON.stringify(id)} a second time`, "ids that differ");
    places.set(id, i);
  });
  return places;
}

function placeOf(places: ReadonlyMap<string, number>, id: string, at: string): number {
  const place = places.get(id);
  if (place === undefined) throw wrong(`${where}: ${at}`, JSON.stringify(id), "the id of a node");
  return place;
}

function checkNode({ mark, layer, pos, influence }: GraphNodeData, at: string, tokens: number): void {
  const isPlace = (value: number, end: number): boolean => Number.isInteger(value) && value >= 0 && value < end;
  if (pos !== undefined && !isPlace(pos, tokens)) throw wrong(`${at}.pos`, String(pos), `a position below ${tokens}`);
  if (layer !== undefined && !isPlace(layer, 10_000)) throw wrong(`${at}.layer`, String(layer), "a layer from 0");
  if (layer === undefined && (mark === "feature" || mark === "error"))
    throw wrong(`${at}.layer`, "nothing", `the layer of the ${mark}`);
  if (influence !== undefined && !(influence >= 0 && influence <= 1.000001))
    throw wrong(`${at}.influence`, String(influence), "a share from 0 to 1");
}

function rowOf({ mark, layer }: GraphNodeData, layers: number): number {
  if (mark === "target") return layers + 1;
  return layer === undefined || mark === "token" ? 0 : layer + 1;
}

function edgesOf(
  edges: Iterable<GraphEdgeData>,
  places: ReadonlyMap<string, number>,
  isExact: boolean,
): readonly GraphRow[] {
  const found = new Map<number, { readonly sources: number[]; readonly weights: number[] }>();
  let index = 0;
  for (const { source, target, weight } of edges) {
    const at = `edges[${index++}]`;
    const [from, to] = [placeOf(places, source, `${at}.source`), placeOf(places, target, `${at}.target`)];
    if (!Number.isFinite(weight)) throw wrong(`${where}: ${at}.weight`, String(weight), "a finite number");
    if (from === to) throw wrong(`${where}: ${at}`, `an edge from ${JSON.stringify(source)} to itself`, "two nodes");
    const row = found.get(to) ?? { sources: [], weights: [] };
    row.sources.push(from);
    row.weights.push(weight);
    found.set(to, row);
  }
  return [...found].map(([target, { sources, weights }]) => {
    return { target, sources, weights: encodeCells(weights, !isExact) };
  });
}

function checkedThreshold(threshold: number): number {
  if (threshold >= 0 && threshold <= 1) return threshold;
  throw wrong(`${where}: threshold`, String(threshold), "a share from 0 to 1");
}

function wrong(at: string, got: string, expected: string): InputError {
  return new InputError({ where: at, got, expected, fix: "Check what the graph was made from." });
}
