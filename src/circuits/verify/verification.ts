/** What interventions said about a graph. */
import { printsItself } from "../../core/index.js";
import { pearson } from "../../stats/index.js";
import { panels, scatter, type View } from "../../viz/index.js";
import { type GraphNode, nodeId } from "../attribution/nodes.js";
import type { Held } from "./changed-runs.js";

/** An edge and what it should be. */
export interface CheckedEdge {
  readonly source: GraphNode;
  readonly target: GraphNode;
  /** What the graph says; 0 where it has no edge. */
  readonly edge: number;
  /** By how much the target fell when the source was taken away and all else was held. */
  readonly effect: number;
}

/** A node's effect on a target along all paths. */
export interface CheckedNode {
  readonly node: GraphNode;
  readonly target: GraphNode;
  readonly predicted: number;
  /** By how much the target fell when the node was taken away. */
  readonly effect: number;
}

/** How well two lists of numbers agree. */
export interface Agreement {
  readonly count: number;
  /** Pearson's correlation; NaN for fewer than two different numbers. */
  readonly correlation: number;
  /** Largest difference, over the largest effect. */
  readonly worst: number;
}

function agreement(said: readonly number[], measured: readonly number[]): Agreement {
  const largest = measured.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
  const worst = said.reduce((most, value, i) => Math.max(most, Math.abs(value - (measured[i] ?? 0))), 0);
  return {
    count: said.length,
    correlation: pearson(said, measured),
    worst: largest === 0 ? worst : worst / largest,
  };
}

/** What interventions said about a graph. Immutable. */
export class GraphVerification {
  static {
    printsItself(this.prototype);
  }

  /** Every edge that was checked. */
  readonly edges: readonly CheckedEdge[];
  /** Every effect on a target that was checked. */
  readonly totals: readonly CheckedNode[];
  /** What was held while total effects were measured. */
  readonly held: Held;
  /** Nodes that were taken away. */
  readonly nodes: number;

  /** @internal Use `verifyGraph`. */
  constructor(parts: {
    readonly edges: readonly CheckedEdge[];
    readonly totals: readonly CheckedNode[];
    readonly held: Held;
    readonly nodes: number;
  }) {
    this.edges = parts.edges;
    this.totals = parts.totals;
    this.held = parts.held;
    this.nodes = parts.nodes;
  }

  /** How well edges agree with interventions: exact but for rounding, unless something is wrong or was pruned. */
  get edgeAgreement(): Agreement {
    return agreement(
      this.edges.map(({ edge }) => edge),
      this.edges.map(({ effect }) => effect),
    );
  }

  /** How well total effects agree with the free model. */
  get totalAgreement(): Agreement {
    return agreement(
      this.totals.map(({ predicted }) => predicted),
      this.totals.map(({ effect }) => effect),
    );
  }

  /** The edge that is furthest from its intervention. */
  get worstEdge(): CheckedEdge | undefined {
    const distance = ({ edge, effect }: CheckedEdge): number => Math.abs(edge - effect);
    return this.edges.reduce<CheckedEdge | undefined>(
      (worst, one) => (worst === undefined || distance(one) > distance(worst) ? one : worst),
      undefined,
    );
  }

  /** Draws edges against interventions, and total effects against the model's own. */
  toView(): View {
    const { edges, totals } = this;
    const edgeView = scatter(
      edges.map(({ edge }) => edge),
      edges.map(({ effect }) => effect),
      {
        title: "Edges",
        diagonal: true,
        x: { name: "edge" },
        y: { name: "effect, all else held" },
        labels: edges.map(({ source, target }) => `${nodeId(source)} to ${nodeId(target)}`),
      },
    );
    const isOne = new Set(totals.map(({ target }) => target)).size === 1;
    const totalView = scatter(
      totals.map(({ predicted }) => predicted),
      totals.map(({ effect }) => effect),
      {
        title: "Total effects on targets",
        diagonal: true,
        x: { name: "along all paths" },
        y: { name: `effect, ${heldWords[this.held]}` },
        labels: totals.map(({ node, target }) => (isOne ? nodeId(node) : `${nodeId(node)} to ${nodeId(target)}`)),
      },
    );
    return panels([edgeView, totalView], { title: "The graph against the model" });
  }

  /** Returns the agreement in a few lines. */
  toString(): string {
    const [edges, totals, worst] = [this.edgeAgreement, this.totalAgreement, this.worstEdge];
    const at = worst === undefined ? "" : ` (${nodeId(worst.source)} to ${nodeId(worst.target)})`;
    return [
      `GraphVerification: ${this.nodes} nodes taken away, one at a time`,
      `  edges: ${edges.count} are what interventions do within ${edges.worst.toExponential(1)} of the largest${at}`,
      `  total effects on targets, ${heldWords[this.held]}: correlation ${totals.correlation.toFixed(3)} over ${totals.count}`,
    ].join("\n");
  }
}

const heldWords: Readonly<Record<Held, string>> = {
  direct: "all else held",
  attention: "patterns held",
  nothing: "model free",
};
