/** Scores of edges and nodes. */
import { InputError, printsItself } from "../../core/index.js";
import { bars, heatmap, type View } from "../../viz/index.js";
import type { PatchProvenance } from "../patching/result.js";
import { Circuit } from "./circuit.js";
import type { Edge } from "./nodes.js";

/** How edges were scored. */
export type EdgeMethod = "eap" | "eap-ig" | "exact";

/** A prompt as a key: its token ids. */
export function promptKey(tokens: ArrayLike<number>): string {
  return Array.from(tokens).join();
}

/** How a circuit is chosen from scores. */
export interface CircuitChoice {
  /** The number of edges with the largest scores. */
  readonly top?: number;
  /** All edges whose score is at least this. */
  readonly threshold?: number;
  /** Whether scores count by magnitude; default true. */
  readonly magnitude?: boolean;
}

/** A score for each edge: the change of the metric, in its unit, that changing the write on this edge alone makes. */
export class EdgeScores {
  static {
    printsItself(this.prototype);
  }

  readonly method: EdgeMethod;
  readonly edges: readonly Edge[];
  readonly scores: Float64Array;
  /** Prompts that were scored, as token ids with commas between: by them a curve says what it was not chosen on. */
  readonly prompts: ReadonlySet<string>;
  readonly provenance: PatchProvenance;

  /** @internal */
  constructor(fields: Readonly<Pick<EdgeScores, "method" | "edges" | "scores" | "prompts" | "provenance">>) {
    this.method = fields.method;
    this.edges = fields.edges;
    this.scores = fields.scores;
    this.prompts = fields.prompts;
    this.provenance = fields.provenance;
  }

  /**
   * Returns one edge's score.
   *
   * @throws InputError when there is no such edge.
   */
  get(from: string, to: string): number {
    const found = this.edges.findIndex((edge) => edge.from === from && edge.to === to);
    if (found >= 0) return this.scores[found] ?? Number.NaN;
    throw new InputError({
      where: "scores.get",
      got: `${from} → ${to}`,
      expected: "an edge from a part to a later input",
      fix: 'Names are such as "a0.h1" and "a3.h2.q".',
    });
  }

  /** Indices of edges, the largest score first. */
  ranking(magnitude = true): readonly number[] {
    const size = this.scores.map((score) => (magnitude ? Math.abs(score) : score));
    return Array.from(size, (_, i) => i).sort((a, b) => (size[b] ?? 0) - (size[a] ?? 0));
  }

  /** Returns the edges with the largest scores as a circuit. */
  circuit({ top, threshold, magnitude = true }: CircuitChoice): Circuit {
    if ((top === undefined) === (threshold === undefined)) throw oneChoice();
    const ranked = this.ranking(magnitude);
    const size = (i: number): number => (magnitude ? Math.abs(this.scores[i] ?? 0) : (this.scores[i] ?? 0));
    const chosen = threshold === undefined ? ranked.slice(0, top) : ranked.filter((i) => size(i) >= threshold);
    return new Circuit(
      chosen.flatMap((i) => this.edges[i] ?? []),
      this.edges,
    );
  }

  /** Returns a heatmap of senders by receivers; grey where there is no edge. */
  toView(): View {
    const senders = [...new Set(this.edges.map(({ from }) => from))];
    const receivers = [...new Set(this.edges.map(({ to }) => to))];
    const places = new Map(this.edges.map(({ from, to }, i) => [`${from} ${to}`, this.scores[i] ?? Number.NaN]));
    const rows = receivers.map((to) => senders.map((from) => places.get(`${from} ${to}`) ?? Number.NaN));
    return heatmap(rows, {
      title: `Edges (${this.method}): change of ${this.provenance.metric}`,
      unit: this.provenance.unit,
      scale: "diverging",
      x: { name: "from", labels: senders },
      y: { name: "to", labels: receivers },
    });
  }

  /** A few lines: what was scored, and the strongest edges. */
  toString(): string {
    const { metric, unit, prompts } = this.provenance;
    return [
      `${this.edges.length} edges by ${this.method} over ${prompts} prompts, change of ${metric} in ${unit}`,
      ...this.ranking()
        .slice(0, 8)
        .map(
          (i) => `  ${this.edges[i]?.from ?? ""} → ${this.edges[i]?.to ?? ""}: ${(this.scores[i] ?? 0).toPrecision(3)}`,
        ),
    ].join("\n");
  }
}

function oneChoice(): InputError {
  return new InputError({
    where: "scores.circuit",
    got: "both or none of top and threshold",
    expected: "one of them",
    fix: "Pass { top: 50 } or { threshold: 0.01 }.",
  });
}

/** A score for each part: the change of the metric that changing its write makes, to first order. */
export class NodeScores {
  static {
    printsItself(this.prototype);
  }

  readonly method: EdgeMethod;
  readonly nodes: readonly string[];
  readonly scores: Float64Array;
  /** The metric of the prompts, mean. */
  readonly intoMetric: number;
  /** The metric of the prompts that writes were taken from; NaN where there were none. */
  readonly fromMetric: number;
  readonly provenance: PatchProvenance;

  /** @internal */
  constructor(fields: Readonly<Omit<NodeScores, "get" | "toView" | "toString">>) {
    this.method = fields.method;
    this.nodes = fields.nodes;
    this.scores = fields.scores;
    this.intoMetric = fields.intoMetric;
    this.fromMetric = fields.fromMetric;
    this.provenance = fields.provenance;
  }

  /**
   * Returns one part's score.
   *
   * @throws InputError when there is no such part.
   */
  get(name: string): number {
    const found = this.nodes.indexOf(name);
    if (found >= 0) return this.scores[found] ?? Number.NaN;
    throw new InputError({
      where: "scores.get",
      got: `"${name}"`,
      expected: `one of ${this.nodes.length} parts`,
      fix: 'Names are such as "embed", "a0.h1" and "m3".',
    });
  }

  /** Returns one bar for each part. */
  toView(): View {
    const { metric, unit } = this.provenance;
    const title = `Parts (${this.method}): change of ${metric}`;
    return bars(this.scores, { axis: { name: "part", labels: this.nodes }, title, unit, order: "size" });
  }

  /** A few lines: the strongest parts. */
  toString(): string {
    const order = Array.from(this.scores, (_, i) => i).sort(
      (a, b) => Math.abs(this.scores[b] ?? 0) - Math.abs(this.scores[a] ?? 0),
    );
    const { metric, unit, prompts } = this.provenance;
    return [
      `${this.nodes.length} parts by ${this.method} over ${prompts} prompts, change of ${metric} in ${unit}`,
      ...order.slice(0, 8).map((i) => `  ${this.nodes[i] ?? ""}: ${(this.scores[i] ?? 0).toPrecision(3)}`),
    ].join("\n");
  }
}
