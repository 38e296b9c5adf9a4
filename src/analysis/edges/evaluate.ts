/** How much of a behaviour a circuit carries, and how much is left without it. */
import { InputError, NumericError, printsItself, progressOf, throwIfAborted } from "../../core/index.js";
import type { Model } from "../../model/index.js";
import { lines, table, type View } from "../../viz/index.js";
import { mean, type PatchProvenance } from "../patching/result.js";
import { provenanceOf } from "../patching/sweep.js";
import { Circuit } from "./circuit.js";
import type { EdgeScores } from "./edge-result.js";
import { checkUnedited, type EdgeInput, edgeDonor, edgePairs } from "./paths.js";
import { CircuitRunner, openCircuitGroup } from "./run-circuit.js";
import { edgesOf } from "./scores.js";
import { checkAdditive } from "./writes.js";

/** What a circuit's evaluation says; metrics are means over prompts. */
export class CircuitEvaluation {
  static {
    printsItself(this.prototype);
  }

  readonly edges: number;
  /** Share of the model's edges. */
  readonly share: number;
  /** m(M): the whole model. */
  readonly whole: number;
  /** m(0): every edge ablated. */
  readonly empty: number;
  /** m(C): only the circuit's edges. */
  readonly circuit: number;
  /** m(M∖C): all edges but the circuit's. */
  readonly complement: number;
  readonly provenance: PatchProvenance;

  /** @internal */
  constructor(fields: Readonly<Omit<CircuitEvaluation, "faithfulness" | "incompleteness" | "toView" | "toString">>) {
    this.edges = fields.edges;
    this.share = fields.share;
    this.whole = fields.whole;
    this.empty = fields.empty;
    this.circuit = fields.circuit;
    this.complement = fields.complement;
    this.provenance = fields.provenance;
  }

  /** `(m(C) − m(0)) / (m(M) − m(0))`: 1 where the circuit does all of it. */
  get faithfulness(): number {
    return this.#share(this.circuit);
  }

  /** `(m(M∖C) − m(0)) / (m(M) − m(0))`: 0 where nothing is left without the circuit, which then is complete. */
  get incompleteness(): number {
    return this.#share(this.complement);
  }

  #share(value: number): number {
    const { whole, empty } = this;
    if (whole !== empty) return (value - empty) / (whole - empty);
    throw new NumericError({
      where: "circuit evaluation",
      got: `a metric of ${whole} with all edges and with none`,
      expected: "two different numbers to normalise between",
      fix: "Choose prompts or an ablation that change the metric.",
    });
  }

  /** Returns a table of the numbers. */
  toView(): View {
    return table(
      [
        { name: "what runs", kind: "text" },
        { name: `${this.provenance.metric} (${this.provenance.unit})`, kind: "number" },
      ],
      [
        ["all edges", this.whole],
        [`the circuit (${this.edges} edges)`, this.circuit],
        ["all but the circuit", this.complement],
        ["no edge", this.empty],
      ],
      { title: `Faithfulness ${this.faithfulness.toFixed(3)}, without it ${this.incompleteness.toFixed(3)}` },
    );
  }

  /** Two lines. */
  toString(): string {
    const { edges, share, whole, empty, circuit, complement } = this;
    const three = (value: number): string => value.toPrecision(3);
    return [
      `Circuit of ${edges} edges (${three(100 * share)} %): faithfulness ${this.faithfulness.toFixed(3)}, without it ${this.incompleteness.toFixed(3)}`,
      `  ${this.provenance.metric}: whole ${three(whole)}, circuit ${three(circuit)}, without it ${three(complement)}, nothing ${three(empty)}`,
    ].join("\n");
  }
}

/** Prompts that run at once. */
const groupSize = 32;

/** Runs several circuits over all prompts: the mean metric of each, and of the whole model. */
async function runAll(
  model: Model,
  circuits: readonly Circuit[],
  input: EdgeInput,
  where: string,
): Promise<{ metrics: readonly number[]; whole: number; prompts: number }> {
  checkUnedited(model, where);
  checkAdditive(model, where);
  const pairs = edgePairs(model, input, where);
  const donate = edgeDonor(model, input, new Float64Array(pairs.length), where);
  const whole = new Float64Array(pairs.length);
  const found = circuits.map(() => new Float64Array(pairs.length));
  const { metric, signal } = input;
  const long = { metric, ...(signal === undefined ? {} : { signal }) };
  const report = progressOf(input);
  const runner = new CircuitRunner(model);
  let done = 0;
  for (let start = 0; start < pairs.length; start += groupSize) {
    const group = await openCircuitGroup(model, pairs.slice(start, start + groupSize), donate, long);
    const place = (target: Float64Array | undefined, values: Float64Array): void => {
      group.pairs.forEach(({ index }, i) => {
        if (target !== undefined) target[index] = values[i] ?? Number.NaN;
      });
    };
    place(whole, group.metric);
    for (const [i, circuit] of circuits.entries()) {
      throwIfAborted(signal, where);
      place(found[i], await runner.run(group, circuit, long));
      report?.({ done: ++done, total: circuits.length * Math.ceil(pairs.length / groupSize), label: "circuits" });
    }
  }
  return { metrics: found.map(mean), whole: mean(whole), prompts: pairs.length };
}

function allEdges(model: Model): Circuit["all"] {
  return edgesOf(model).map(({ sender, receiver }) => ({ from: sender.name, to: receiver.name }));
}

function checkEdges(model: Model, circuit: Circuit, where: string): void {
  const known = new Set(allEdges(model).map(({ from, to }) => `${from} ${to}`));
  const bad = circuit.edges.find(({ from, to }) => !known.has(`${from} ${to}`));
  if (bad === undefined) return;
  throw new InputError({
    where,
    got: `the edge ${bad.from} → ${bad.to}, which this model does not have`,
    expected: "a circuit of this model",
    fix: "Make the circuit from scores of the same model.",
  });
}

/** Evaluates a circuit. */
export async function evaluateCircuit(model: Model, circuit: Circuit, input: EdgeInput): Promise<CircuitEvaluation> {
  const where = "edges.evaluate";
  checkEdges(model, circuit, where);
  const none = new Circuit([], circuit.all);
  const { metrics, whole, prompts } = await runAll(model, [circuit, circuit.complement(), none], input, where);
  const [own = Number.NaN, complement = Number.NaN, empty = Number.NaN] = metrics;
  const provenance = provenanceOf(model, input.metric, { prompts, patches: 3 * prompts });
  return new CircuitEvaluation({
    edges: circuit.edges.length,
    share: circuit.share,
    whole,
    empty,
    circuit: own,
    complement,
    provenance,
  });
}

/** Options of `edges.curve`. */
export interface CurveOptions extends EdgeInput {
  /** Shares of the model's edges; default 1 to 50 %. */
  readonly shares?: readonly number[];
  /** Random circuits of each size; default 2. */
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
  /** Of the edges with the largest scores. */
  readonly faithfulness: readonly number[];
  /** Of all edges but those. */
  readonly without: readonly number[];
  /** Of as many random edges, mean over draws. */
  readonly random: readonly number[];
  readonly provenance: PatchProvenance;

  /** @internal */
  constructor(fields: Readonly<Omit<FaithfulnessCurve, "toView" | "toString">>) {
    this.shares = fields.shares;
    this.edges = fields.edges;
    this.faithfulness = fields.faithfulness;
    this.without = fields.without;
    this.random = fields.random;
    this.provenance = fields.provenance;
  }

  /** Returns three lines by share of edges. */
  toView(): View {
    const x = this.shares.map((share) => 100 * share);
    return lines(
      [
        { name: "circuit", x, y: this.faithfulness },
        { name: "without it", x, y: this.without },
        { name: "random edges", x, y: this.random },
      ],
      { title: `Faithfulness, ${this.provenance.metric}`, x: { name: "% of edges" }, y: { name: "faithfulness" } },
    );
  }

  /** One line for each size. */
  toString(): string {
    const two = (value: number | undefined): string => (value ?? Number.NaN).toFixed(2);
    return [
      `Faithfulness over ${this.provenance.prompts} prompts, ${this.provenance.metric}`,
      ...this.shares.map(
        (share, i) =>
          `  ${(100 * share).toFixed(1)} % (${this.edges[i] ?? 0} edges): ${two(this.faithfulness[i])}; without it ${two(this.without[i])}; random ${two(this.random[i])}`,
      ),
    ].join("\n");
  }
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

/** Evaluates circuits of several sizes, with what is left without them and with random ones. */
export async function faithfulnessCurve(
  model: Model,
  scores: EdgeScores,
  options: CurveOptions,
): Promise<FaithfulnessCurve> {
  const { shares = [0.01, 0.02, 0.05, 0.1, 0.2, 0.5], random = 2, magnitude = true, ...input } = options;
  checkShares(shares);
  const circuits = shares.map((share) =>
    scores.circuit({ top: Math.max(1, Math.round(share * scores.edges.length)), magnitude }),
  );
  for (const circuit of circuits) checkEdges(model, circuit, "edges.curve");
  const none = new Circuit([], scores.edges);
  const controls = circuits.flatMap((circuit) =>
    Array.from({ length: random }, (_, i) => circuit.random((input.seed ?? 0) + i)),
  );
  const all = [none, ...circuits, ...circuits.map((one) => one.complement()), ...controls];
  const { metrics, whole, prompts } = await runAll(model, all, input, "edges.curve");
  const [empty = Number.NaN, ...rest] = metrics.map((value) => value);
  const share = (value: number | undefined): number => ((value ?? Number.NaN) - empty) / (whole - empty);
  const n = circuits.length;
  return new FaithfulnessCurve({
    shares,
    edges: circuits.map(({ edges }) => edges.length),
    faithfulness: rest.slice(0, n).map(share),
    without: rest.slice(n, 2 * n).map(share),
    random: circuits.map((_, i) => {
      const own = rest.slice(2 * n + i * random, 2 * n + (i + 1) * random).map(share);
      return own.reduce((a, b) => a + b, 0) / own.length;
    }),
    provenance: provenanceOf(model, input.metric, { prompts, patches: all.length * prompts }),
  });
}
