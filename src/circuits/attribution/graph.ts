/** An attribution graph as a value: nodes, signed edges, and how exactly they sum. */
import { printsItself } from "../../core/index.js";
import { type GraphMarks, graph, type View } from "../../viz/index.js";
import { graphData } from "../report/view.js";
import {
  type EdgeRow,
  type EdgeRows,
  type GraphScores,
  graphScores,
  influence,
  keepEdges,
  type PruneOptions,
  prune,
} from "./influence.js";
import { type GraphNode, nodeId } from "./nodes.js";

/** How exactly the parts of every node sum to it. */
export interface Certificate {
  /** Largest distance of a node's parts from its value, over the sum of the parts' sizes. */
  readonly worst: number;
  /** The node with that distance. */
  readonly at: string;
  /** Nodes that were checked; 0 for a graph of a file that states no certificate. */
  readonly checked: number;
}

/** An edge: how much `source` adds to `target`. */
export interface GraphEdge {
  readonly source: GraphNode;
  readonly target: GraphNode;
  /** In units of the target's value (a pre-activation, a logit above the mean logit); signed. */
  readonly weight: number;
}

/** The parts of a graph. */
export interface GraphParts {
  readonly prompt: readonly string[];
  /** Targets first, then features from the last layer to the first, then leaves. */
  readonly nodes: readonly GraphNode[];
  /** Edges into a node, by its index; sources come later in `nodes`. */
  readonly rows: ReadonlyMap<number, EdgeRow>;
  readonly certificate: Certificate;
  /** Active features that the budget left out; what they add is in the graph as one node, `remainder`. */
  readonly omittedFeatures: number;
  readonly provenance: GraphProvenance;
}

/** Options of {@link AttributionGraph.toView}. */
export interface GraphViewOptions extends PruneOptions {
  /** Names nodes: see `describeFeatures`. */
  readonly describe?: (node: GraphNode) => string | undefined;
  /** Lines for the card of a node, such as examples of what its feature fires on. */
  readonly details?: (node: GraphNode) => readonly string[] | undefined;
  /** Pins and groups, as the view saved them. */
  readonly marks?: GraphMarks;
}

/** What a graph was made from. */
export interface GraphProvenance {
  readonly model: string;
  readonly identity: string;
  readonly dictionaries: string;
  readonly tokens: readonly number[];
  readonly firstPosition: number;
  /** Layers whose MLPs are errors as a whole, having no dictionary; absent where there are none. */
  readonly wholeMlps?: readonly number[];
}

/**
 * What made a model say what it said: features, errors, tokens and biases, and what each adds to each.
 *
 * Within the model with its attention patterns and norm scales as they were, edges are exact: the edges into a node sum to
 * it (the certificate says how exactly). What patterns depend on does not show: see `qk.attribution`. Immutable.
 */
export class AttributionGraph {
  static {
    printsItself(this.prototype);
  }

  readonly prompt: readonly string[];
  readonly nodes: readonly GraphNode[];
  readonly certificate: Certificate;
  readonly omittedFeatures: number;
  readonly provenance: GraphProvenance;
  readonly #rows: ReadonlyMap<number, EdgeRow>;

  /** @internal Use `attributionGraph`. */
  constructor(parts: GraphParts) {
    this.prompt = parts.prompt;
    this.nodes = parts.nodes;
    this.certificate = parts.certificate;
    this.omittedFeatures = parts.omittedFeatures;
    this.provenance = parts.provenance;
    this.#rows = parts.rows;
  }

  get #edgeRows(): EdgeRows {
    return { order: this.nodes.map((_, node) => node), rows: this.#rows, size: this.nodes.length };
  }

  get #start(): Float64Array {
    return Float64Array.from(this.nodes, (node) => (node.kind === "target" ? node.weight : 0));
  }

  /** Number of edges. */
  get size(): number {
    return [...this.#rows.values()].reduce((sum, { sources }) => sum + sources.length, 0);
  }

  /** Returns the edges into a node, by its index in `nodes`, the strongest first. */
  edgesInto(node: number): readonly GraphEdge[] {
    const row = this.#rows.get(node);
    const target = this.nodes[node];
    if (row === undefined || target === undefined) return [];
    const edges = [...row.sources].flatMap((index, i) => {
      const source = this.nodes[index];
      return source === undefined ? [] : [{ source, target, weight: row.weights[i] ?? 0 }];
    });
    return edges.sort((a, b) => Math.abs(b.weight) - Math.abs(a.weight));
  }

  /** Yields every edge, target by target. */
  *edges(): Generator<GraphEdge> {
    for (const node of this.#rows.keys()) yield* this.edgesInto(node);
  }

  /** Returns how much of the targets flows through each node, by index: circuit-tracer's influence. */
  influence(): Float64Array {
    return influence(this.#edgeRows, this.#start);
  }

  /**
   * Returns how much of the graph features and tokens explain, and errors do not. Positions, biases and the remainder count as
   * neither.
   */
  scores(): GraphScores {
    const isKind = (kind: GraphNode["kind"]): ((node: number) => boolean) => {
      return (node) => this.nodes[node]?.kind === kind;
    };
    const isNeither = (node: number): boolean =>
      isKind("bias")(node) || isKind("position")(node) || isKind("remainder")(node);
    const counted = withoutLeaves(this.#rows, isNeither);
    const rows = { ...this.#edgeRows, rows: counted };
    return graphScores(rows, this.#start, { isToken: isKind("token"), isError: isKind("error") });
  }

  /**
   * Returns the part of the graph that most of the influence flows through. Tokens, positions, biases, the remainder and targets
   * stay.
   */
  prune(options: PruneOptions = {}): AttributionGraph {
    const roles = this.nodes.map(({ kind }) => (kind === "feature" || kind === "error" ? kind : "always"));
    const { nodes, rows } = prune(this.#edgeRows, this.#start, roles, options);
    const kept = [...this.nodes.keys()].filter((node) => nodes[node] === true);
    const place = new Map(kept.map((node, index) => [node, index]));
    return new AttributionGraph({
      prompt: this.prompt,
      nodes: kept.flatMap((node) => this.nodes[node] ?? []),
      rows: renumbered(rows, place),
      certificate: this.certificate,
      omittedFeatures: this.omittedFeatures,
      provenance: this.provenance,
    });
  }

  /**
   * Draws the graph over tokens and layers, pruned as circuit-tracer prunes unless told otherwise.
   *
   * `view.save("graph.html")` writes a page that opens anywhere. There, nodes can be searched, pinned and grouped; what is
   * marked can be saved and given back as `marks`.
   */
  toView({ describe, details, marks, nodeShare = 0.8, edgeShare = 0.98 }: GraphViewOptions = {}): View {
    const kept = this.prune({ nodeShare, edgeShare });
    const percent = (share: number): string => `${(100 * share).toFixed(0)} %`;
    const left = `${kept.nodes.length} of ${this.nodes.length} nodes: ${percent(nodeShare)} of the influence, ${percent(edgeShare)} of the flow of edges.`;
    return graph(graphData(kept, describe, details), {
      ...(marks === undefined ? {} : { marks }),
      title: `What follows ${JSON.stringify(this.prompt.join(""))}`,
      note: left,
    });
  }

  /** Returns what the graph says in a few lines. */
  toString(): string {
    const count = (kind: GraphNode["kind"]): number => this.nodes.filter((node) => node.kind === kind).length;
    const { replacement, completeness } = this.scores();
    const { worst, at, checked } = this.certificate;
    const omitted = this.omittedFeatures === 0 ? "" : `, ${this.omittedFeatures} active features left out`;
    return [
      `AttributionGraph of ${JSON.stringify(this.prompt.join(""))}: ${count("feature")} features, ${this.size} edges${omitted}`,
      ...this.#unresolved(),
      `  replacement ${replacement.toFixed(3)}, completeness ${completeness.toFixed(3)}`,
      checked === 0
        ? "  no certificate: the file that it was read from states none"
        : `  certificate: parts sum to each of ${checked} nodes within ${worst.toExponential(1)} (worst at ${at})`,
      ...this.#strongest(),
    ].join("\n");
  }

  #unresolved(): readonly string[] {
    const { wholeMlps = [] } = this.provenance;
    return wholeMlps.length === 0 ? [] : [`  MLPs without a dictionary are errors: layers ${wholeMlps.join(", ")}`];
  }

  #strongest(): readonly string[] {
    const target = this.nodes.findIndex(({ kind }) => kind === "target");
    const lines = this.edgesInto(target)
      .slice(0, 5)
      .map(({ source, weight }) => `    ${weight >= 0 ? "+" : "-"}${Math.abs(weight).toFixed(3)} ${nodeId(source)}`);
    const node = this.nodes[target];
    return node === undefined ? [] : [`  strongest into ${nodeId(node)}:`, ...lines];
  }
}

function withoutLeaves(
  rows: ReadonlyMap<number, EdgeRow>,
  isLeft: (node: number) => boolean,
): ReadonlyMap<number, EdgeRow> {
  return new Map([...rows].map(([node, row]) => [node, keepEdges(row, (source) => !isLeft(source))]));
}

function renumbered(
  rows: ReadonlyMap<number, EdgeRow>,
  place: ReadonlyMap<number, number>,
): ReadonlyMap<number, EdgeRow> {
  return new Map(
    [...rows].flatMap(([node, row]) => {
      const index = place.get(node);
      const kept = keepEdges(row, (source) => place.has(source));
      const sources = Int32Array.from(kept.sources, (source) => place.get(source) ?? 0);
      return index === undefined ? [] : [[index, { sources, weights: kept.weights }] as const];
    }),
  );
}
