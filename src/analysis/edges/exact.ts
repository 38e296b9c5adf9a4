/** Exact effects of single edges, and how well scores track them. */
import { createRandom, InputError, printsItself } from "../../core/index.js";
import type { Model } from "../../model/index.js";
import { pearson, ranks } from "../../stats/index.js";
import { scatter, type View } from "../../viz/index.js";
import { provenanceOf } from "../patching/sweep.js";
import { EdgeScores, promptKey } from "./edge-result.js";
import { measureEdges } from "./exact-rows.js";
import type { Edge } from "./nodes.js";
import type { EdgeInput } from "./paths.js";
import { edgesOf } from "./scores.js";

/** Options of `edges.exact`. */
export interface ExactOptions extends EdgeInput {
  /** Edges to measure; default: all. */
  readonly edges?: readonly Edge[];
}

/** Measures edges one by one: the write changes on this edge alone, everything behind it is computed again. */
export async function exactEdges(model: Model, options: ExactOptions): Promise<EdgeScores> {
  const where = "edges.exact";
  const { edges: chosen, ...input } = options;
  const list = chosen ?? edgesOf(model).map(({ sender, receiver }) => ({ from: sender.name, to: receiver.name }));
  if (list.length === 0)
    throw new InputError({ where, got: "no edges", expected: "at least one", fix: "Leave edges out for all." });
  const { sums, pairs } = await measureEdges(model, list, input, where);
  return new EdgeScores({
    method: "exact",
    edges: list,
    scores: sums.map((sum) => sum / pairs.length),
    prompts: new Set(pairs.map(({ into }) => promptKey(into))),
    provenance: provenanceOf(model, input.metric, { prompts: pairs.length, patches: list.length * pairs.length }),
  });
}

/** How well scores track the exact effects of a sample of edges. */
export class EdgeAgreement {
  static {
    printsItself(this.prototype);
  }

  readonly edges: readonly Edge[];
  readonly approximate: Float64Array;
  readonly exact: Float64Array;
  /** Correlation of the numbers, and of their ranks. */
  readonly pearson: number;
  readonly spearman: number;
  /** Share of edges whose two numbers have the same sign. */
  readonly sameSign: number;
  readonly method: string;

  /** @internal */
  constructor(
    edges: readonly Edge[],
    numbers: { readonly approximate: Float64Array; readonly exact: Float64Array },
    method: string,
  ) {
    this.edges = edges;
    this.approximate = numbers.approximate;
    this.exact = numbers.exact;
    this.method = method;
    this.pearson = pearson(numbers.approximate, numbers.exact);
    this.spearman = pearson(ranks(numbers.approximate), ranks(numbers.exact));
    const same = edges.filter((_, i) => Math.sign(numbers.approximate[i] ?? 0) === Math.sign(numbers.exact[i] ?? 0));
    this.sameSign = same.length / edges.length;
  }

  /** Returns the edges by exact and approximate effect. */
  toView(): View {
    return scatter(this.exact, this.approximate, {
      title: `${this.method} against the exact effect of ${this.edges.length} edges, Spearman ${this.spearman.toFixed(2)}`,
      x: { name: "exact" },
      y: { name: this.method },
      labels: this.edges.map(({ from, to }) => `${from} → ${to}`),
    });
  }

  /** One line. */
  toString(): string {
    return `${this.method} against the exact effect of ${this.edges.length} edges: Pearson ${this.pearson.toFixed(3)}, Spearman ${this.spearman.toFixed(3)}, same sign ${(100 * this.sameSign).toFixed(0)} %`;
  }
}

/** Options of `edges.agreement`. */
export interface EdgeAgreementOptions extends EdgeInput {
  /** Edges to measure exactly: half of them the strongest, half drawn at random; default 60. */
  readonly sample?: number;
}

/** Measures a sample of scored edges exactly. */
export async function edgeAgreement(
  model: Model,
  scores: EdgeScores,
  options: EdgeAgreementOptions,
): Promise<EdgeAgreement> {
  const { sample = 60, ...input } = options;
  if (!(Number.isInteger(sample) && sample >= 3)) throw tooFew(sample);
  const ranked = scores.ranking();
  const top = ranked.slice(0, Math.ceil(sample / 2));
  const rest = createRandom(input.seed ?? 0).shuffle([...ranked.slice(top.length)]);
  const chosen = [...top, ...rest.slice(0, sample - top.length)];
  const list = chosen.flatMap((i) => scores.edges[i] ?? []);
  const { scores: exact } = await exactEdges(model, { ...input, edges: list });
  const approximate = Float64Array.from(chosen, (i) => scores.scores[i] ?? Number.NaN);
  return new EdgeAgreement(list, { approximate, exact }, scores.method);
}

function tooFew(sample: number): InputError {
  return new InputError({
    where: "edges.agreement: sample",
    got: String(sample),
    expected: "a whole number of at least 3",
    fix: "Correlations need edges: 60 is a good number.",
  });
}
