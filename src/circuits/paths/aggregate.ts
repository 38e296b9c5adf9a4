/** Circuits of many prompts as one: how much each edge adds on average, and how often it occurs. */
import { InputError, printsItself } from "../../core/index.js";
import { table, type View } from "../../viz/index.js";
import { pathsToGraph } from "./path-graph.js";
import { sourceName, type TranscoderPaths } from "./paths.js";
import type { Source } from "./stream-parts.js";

/** Options of `aggregatePaths`. */
export interface AggregateOptions {
  /**
   * What becomes of positions: `"collapsed"` leaves them out, `"relative"` counts them from the target's, `"absolute"` keeps
   * them. Default `"collapsed"`.
   */
  readonly positions?: "absolute" | "collapsed" | "relative";
}

/** An edge over many prompts. */
export interface AggregateEdge {
  readonly from: string;
  readonly to: string;
  /** Mean contribution to the target over all prompts; 0 where the edge does not occur. */
  readonly mean: number;
  /** Share of the prompts in which it occurs, from 0 to 1. */
  readonly frequency: number;
}

/** What circuits of many prompts have in common. Immutable. */
export class AggregateCircuit {
  static {
    printsItself(this.prototype);
  }

  /** Number of prompts. */
  readonly prompts: number;
  /** Mean value of the targets. */
  readonly meanValue: number;
  /** By size of the mean. */
  readonly edges: readonly AggregateEdge[];

  /** @internal Use `aggregatePaths`. */
  constructor(prompts: number, meanValue: number, edges: readonly AggregateEdge[]) {
    this.prompts = prompts;
    this.meanValue = meanValue;
    this.edges = edges;
  }

  /** Returns the edges that occur in at least this share of the prompts. */
  frequent(least = 0.5): readonly AggregateEdge[] {
    return this.edges.filter(({ frequency }) => frequency >= least);
  }

  /** Returns a table of the strongest edges. */
  toView(): View {
    return table(
      [
        { name: "from", kind: "text" },
        { name: "to", kind: "text" },
        { name: "mean contribution", kind: "number" },
        { name: "share of prompts", kind: "number" },
      ],
      this.edges.slice(0, 30).map(({ from, to, mean, frequency }) => [from, to, mean, frequency]),
      {
        title: `Circuit of ${this.prompts} prompts`,
        note: `targets are worth ${this.meanValue.toFixed(3)} on average`,
      },
    );
  }

  /** Returns the strongest edges as text. */
  toString(): string {
    const lines = this.edges.slice(0, 8).map(({ from, to, mean, frequency }) => {
      const share = `${(100 * frequency).toFixed(0)} %`;
      return `  ${mean < 0 ? "-" : "+"}${Math.abs(mean).toFixed(3)} ${from} -> ${to}, in ${share}`;
    });
    return [`AggregateCircuit of ${this.prompts} prompts: ${this.edges.length} edges`, ...lines].join("\n");
  }
}

type Positions = Required<AggregateOptions>["positions"];

/** A name without positions: a token keeps its id, because its embedding is what it is. */
function collapsed(source: Source): string {
  if (source.kind === "token") return `token ${source.token}`;
  return source.kind === "position" ? source.kind : sourceName(source).replace(/ @.*$/, "");
}

function keyOf(source: Source, origin: number, positions: Positions): string {
  if (positions === "absolute") return sourceName(source);
  if (positions === "collapsed") return collapsed(source);
  const shifted = { ...source, pos: source.pos - origin };
  return sourceName(shifted.kind === "head" ? { ...shifted, to: shifted.to - origin } : shifted);
}

/** Edges of one prompt, those of one name added up. */
function namedEdges(paths: TranscoderPaths, positions: Positions): ReadonlyMap<string, number> {
  const graph = pathsToGraph(paths);
  const names = new Map(
    graph.nodes.map(({ id, source }) => {
      return [id, source === undefined ? id : keyOf(source, paths.target.pos, positions)] as const;
    }),
  );
  const edges = new Map<string, number>();
  for (const { from, to, contribution } of graph.edges) {
    const key = JSON.stringify([names.get(from), names.get(to)]);
    edges.set(key, (edges.get(key) ?? 0) + contribution);
  }
  return edges;
}

/**
 * Puts the circuits of several prompts together, edges keyed by features, heads and tokens.
 *
 * @throws InputError for no circuits, or circuits of different models or dictionaries.
 */
export function aggregatePaths(
  circuits: readonly TranscoderPaths[],
  { positions = "collapsed" }: AggregateOptions = {},
): AggregateCircuit {
  checkAlike(circuits);
  const sums = new Map<string, { sum: number; count: number }>();
  for (const circuit of circuits) {
    for (const [key, contribution] of namedEdges(circuit, positions)) {
      const { sum = 0, count = 0 } = sums.get(key) ?? {};
      sums.set(key, { sum: sum + contribution, count: count + 1 });
    }
  }
  const edges = [...sums].map(([key, { sum, count }]) => {
    const [from = "", to = ""] = JSON.parse(key) as readonly string[];
    return { from, to, mean: sum / circuits.length, frequency: count / circuits.length };
  });
  const meanValue = circuits.reduce((sum, { target }) => sum + target.value, 0) / circuits.length;
  return new AggregateCircuit(
    circuits.length,
    meanValue,
    edges.sort((a, b) => Math.abs(b.mean) - Math.abs(a.mean)),
  );
}

function checkAlike(circuits: readonly TranscoderPaths[]): void {
  const made = circuits.map(
    ({ provenance }) => `${provenance.model} (${provenance.identity}), ${provenance.dictionaries}`,
  );
  const other = made.find((one) => one !== made[0]);
  if (made.length > 0 && other === undefined) return;
  throw new InputError({
    where: "aggregatePaths",
    got: made.length === 0 ? "no circuit" : `circuits of ${made[0]} and of ${other}`,
    expected: "one circuit or more, all of one model and its dictionaries",
    fix: "Pass results of transcoderPaths for several prompts.",
  });
}
