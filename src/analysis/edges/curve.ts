/** Faithfulness by size of circuit, with what is left without it and with random circuits. */
import { InputError, NumericError, printsItself } from "../../core/index.js";
import type { Model } from "../../model/index.js";
import { lines, type View } from "../../viz/index.js";
import type { PatchProvenance } from "../patching/result.js";
import { provenanceOf } from "../patching/sweep.js";
import { Circuit } from "./circuit.js";
import { type EdgeScores, promptKey } from "./edge-result.js";
import { checkEdges, runCircuits } from "./evaluate.js";
import type { EdgeInput } from "./paths.js";

/** Options of `edges.curve`. */
export interface CurveOptions extends EdgeInput {
  /** Shares of the model's edges; default 1 to 50 %. */
  readonly shares?: readonly number[];
  /** Random circuits of each size, drawn from `seed`, `seed + 1`, …; default 2, and 0 leaves the control out. */
  readonly random?: number;
  /** Whether edges are ranked by magnitude; default true. */
  readonly magnitude?: boolean;
}

/** Faithfulness by size. */
export class FaithfulnessCurve {
  static {
    printsItself(this.prototype);
  }

  readonly shares: readonly number[];
  readonly edges: readonly number[];
  /** m(M): the whole model's metric. */
  readonly whole: number;
  /** m(0): the metric with every edge ablated. */
  readonly empty: number;
  /** Of the edges with the largest scores. */
  readonly faithfulness: readonly number[];
  /** Of all edges but those. */
  readonly without: readonly number[];
  /** Of as many random edges, `[share][draw]`. */
  readonly randomDraws: readonly (readonly number[])[];
  /** How many of the prompts chose the edges, too: 0 where all are held out. */
  readonly seen: number;
  readonly provenance: PatchProvenance;

  /** @internal */
  constructor(fields: Readonly<Omit<FaithfulnessCurve, "random" | "toView" | "toString">>) {
    this.shares = fields.shares;
    this.edges = fields.edges;
    this.whole = fields.whole;
    this.empty = fields.empty;
    this.faithfulness = fields.faithfulness;
    this.without = fields.without;
    this.randomDraws = fields.randomDraws;
    this.seen = fields.seen;
    this.provenance = fields.provenance;
  }

  /** Of as many random edges, mean over draws; NaN where none were drawn. */
  get random(): readonly number[] {
    return this.randomDraws.map((draws) => draws.reduce((a, b) => a + b, 0) / draws.length);
  }

  /** Returns a line each for the circuit, for what is left without it, and for random edges with their range. */
  toView(): View {
    const x = this.shares.map((share) => 100 * share);
    const [low, high] = [Math.min, Math.max].map((end) => this.randomDraws.map((draws) => end(...draws)));
    const control = { name: "random edges", x, y: this.random, ...(low && high ? { low, high } : {}) };
    const series = [
      { name: "circuit", x, y: this.faithfulness },
      { name: "without it", x, y: this.without },
    ];
    return lines((this.randomDraws[0] ?? []).length > 0 ? [...series, control] : series, {
      title: `Faithfulness, ${this.provenance.metric}`,
      note: this.#origin,
      x: { name: "% of edges" },
      y: { name: "faithfulness" },
      band: "range over draws",
    });
  }

  get #origin(): string {
    const { prompts } = this.provenance;
    if (this.seen === 0) return `over ${prompts} prompts, none of which chose the edges`;
    return `over ${prompts} prompts, ${this.seen === prompts ? "all" : this.seen} of which chose the edges, too`;
  }

  /** One line for each size. */
  toString(): string {
    const two = (value: number | undefined): string => (value ?? Number.NaN).toFixed(2);
    return [
      `Faithfulness, ${this.provenance.metric}, ${this.#origin}`,
      ...this.shares.map(
        (share, i) =>
          `  ${(100 * share).toFixed(1)} % (${this.edges[i] ?? 0} edges): ${two(this.faithfulness[i])}; without it ${two(this.without[i])}${randomText(this.randomDraws[i] ?? [])}`,
      ),
    ].join("\n");
  }
}

function randomText(draws: readonly number[]): string {
  if (draws.length === 0) return "";
  const mean = draws.reduce((a, b) => a + b, 0) / draws.length;
  const range = `${Math.min(...draws).toFixed(2)} to ${Math.max(...draws).toFixed(2)}`;
  return `; random ${mean.toFixed(2)}${draws.length === 1 ? "" : ` (${range})`}`;
}

function checkShares(shares: readonly number[]): void {
  if (shares.length > 0 && shares.every((share) => share > 0 && share <= 1)) return;
  throw new InputError({
    where: "edges.curve: shares",
    got: `[${shares.join(", ")}]`,
    expected: "shares of the edges, above 0 and at most 1",
    fix: "Pass [0.01, 0.1, 0.5] or leave it out.",
  });
}

function checkRandom(random: number): void {
  if (Number.isInteger(random) && random >= 0) return;
  throw new InputError({
    where: "edges.curve: random",
    got: String(random),
    expected: "a whole number of circuits for each size, 0 for none",
    fix: "Pass 5, or leave it out.",
  });
}

function checkChange(whole: number, empty: number): void {
  if (whole !== empty) return;
  throw new NumericError({
    where: "edges.curve",
    got: `a metric of ${whole} with all edges and with none`,
    expected: "two different numbers to normalise between",
    fix: "Choose prompts or an ablation that change the metric.",
  });
}

/** Evaluates circuits of several sizes, with what is left without them and with random ones. */
export async function faithfulnessCurve(
  model: Model,
  scores: EdgeScores,
  options: CurveOptions,
): Promise<FaithfulnessCurve> {
  const { shares = [0.01, 0.02, 0.05, 0.1, 0.2, 0.5], random = 2, magnitude = true, ...input } = options;
  checkShares(shares);
  checkRandom(random);
  const sizes = shares.map((share) => Math.max(1, Math.round(share * scores.edges.length)));
  const circuits = sizes.map((top) => scores.circuit({ top, magnitude }));
  for (const circuit of circuits) checkEdges(model, circuit, "edges.curve");
  const controls = circuits.flatMap((circuit) =>
    Array.from({ length: random }, (_, i) => circuit.random((input.seed ?? 0) + i)),
  );
  const all = [new Circuit([], scores.edges), ...circuits, ...circuits.map((one) => one.complement()), ...controls];
  const { metrics, whole, pairs } = await runCircuits(model, all, input, "edges.curve");
  const [empty = Number.NaN, ...rest] = metrics;
  checkChange(whole, empty);
  const shared = rest.map((value) => (value - empty) / (whole - empty));
  const n = circuits.length;
  return new FaithfulnessCurve({
    shares,
    edges: sizes,
    whole,
    empty,
    faithfulness: shared.slice(0, n),
    without: shared.slice(n, 2 * n),
    randomDraws: circuits.map((_, i) => shared.slice(2 * n + i * random, 2 * n + (i + 1) * random)),
    seen: pairs.filter(({ into }) => scores.prompts.has(promptKey(into))).length,
    provenance: provenanceOf(model, input.metric, { prompts: pairs.length, patches: all.length * pairs.length }),
  });
}
