/**
 * Paths merged into a graph: every beginning of a path counts once, edges and nodes add up over them.
 *
 * Dunefsky et al. 2024, algorithm 2, with what is left out counted at every node, so that nothing is lost.
 */
import { printsItself } from "../../core/index.js";
import { table, type View } from "../../viz/index.js";
import { type PathTarget, sourceName, type TranscoderPaths } from "./paths.js";
import type { Remainder } from "./search.js";
import type { Source } from "./stream-parts.js";

/** A node of merged paths. */
export interface PathNode {
  /** `"target"`, or a source's name: `L3 #123 @5`. */
  readonly id: string;
  /** `undefined` for the target. */
  readonly source: Source | undefined;
  /** What all paths through it add to the target: the edges into it, and what is left. */
  readonly contribution: number;
  /** What of it no edge takes up; `undefined` for leaves, which are made of nothing. */
  readonly remainder: Remainder | undefined;
}

/** An edge of merged paths. */
export interface PathEdge {
  readonly from: string;
  readonly to: string;
  /** What all paths over it add to the target. */
  readonly contribution: number;
}

/** Paths of one target as a graph. Immutable. */
export class PathGraph {
  static {
    printsItself(this.prototype);
  }

  readonly target: PathTarget;
  /** The target first, then by size. */
  readonly nodes: readonly PathNode[];
  /** By size. */
  readonly edges: readonly PathEdge[];

  /** @internal Use `pathsToGraph`. */
  constructor(target: PathTarget, nodes: readonly PathNode[], edges: readonly PathEdge[]) {
    this.target = target;
    this.nodes = nodes;
    this.edges = edges;
  }

  /** Returns the edges into a node, by its id. */
  edgesInto(id: string): readonly PathEdge[] {
    return this.edges.filter(({ to }) => to === id);
  }

  /** Returns a table of the strongest edges. */
  toView(): View {
    return table(
      [
        { name: "from", kind: "text" },
        { name: "to", kind: "text" },
        { name: "contribution", kind: "number" },
      ],
      this.edges.slice(0, 30).map(({ from, to, contribution }) => [from, to, contribution]),
      { title: `Circuit of ${this.target.label} @${this.target.pos}`, note: `${this.nodes.length} nodes` },
    );
  }

  /** Returns the strongest edges, and what the target leaves out, as text. */
  toString(): string {
    const number = (x: number): string => `${x < 0 ? "-" : "+"}${Math.abs(x).toFixed(3)}`;
    const lines = this.edges
      .slice(0, 8)
      .map(({ from, to, contribution }) => `  ${number(contribution)} ${from} -> ${to}`);
    const { error = 0, bias = 0, pruned = 0 } = this.nodes[0]?.remainder ?? {};
    const rest = `error ${number(error)}, bias ${number(bias)}, not followed ${number(pruned)}`;
    const size = `${this.nodes.length} nodes, ${this.edges.length} edges`;
    return [`PathGraph of ${this.target.label} @${this.target.pos}: ${size}`, ...lines, `  target: ${rest}`].join("\n");
  }
}

function added(a: Remainder | undefined, b: Remainder | undefined): Remainder | undefined {
  if (a === undefined || b === undefined) return a ?? b;
  return { error: a.error + b.error, bias: a.bias + b.bias, pruned: a.pruned + b.pruned };
}

function bySize(a: { readonly contribution: number }, b: { readonly contribution: number }): number {
  return Math.abs(b.contribution) - Math.abs(a.contribution);
}

/**
 * Merges paths into a graph.
 *
 * A head's paths to one position are one node, whatever read it there. At every node but leaves, the edges into it and what
 * is left (`error`, `bias`, `pruned`) sum to its contribution.
 */
export function pathsToGraph({ target, prefixes, remainder }: TranscoderPaths): PathGraph {
  const root: PathNode = { id: "target", source: undefined, contribution: target.value, remainder };
  const nodes = new Map<string, PathNode>();
  const edges = new Map<string, PathEdge>();
  for (const { parent, step, remainder: left } of prefixes) {
    const above = prefixes[parent]?.step.source;
    const [from, to] = [sourceName(step.source), above === undefined ? root.id : sourceName(above)];
    const key = `${from}>${to}`;
    const [node, edge] = [nodes.get(from), edges.get(key)];
    nodes.set(from, {
      id: from,
      source: step.source,
      contribution: step.contribution + (node?.contribution ?? 0),
      remainder: added(node?.remainder, left),
    });
    edges.set(key, { from, to, contribution: step.contribution + (edge?.contribution ?? 0) });
  }
  return new PathGraph(target, [root, ...[...nodes.values()].sort(bySize)], [...edges.values()].sort(bySize));
}
