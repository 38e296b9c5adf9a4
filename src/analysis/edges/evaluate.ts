/** How much of a behaviour a circuit carries, and how much is left without it. */
import { InputError, NumericError, printsItself, progressOf, throwIfAborted } from "../../core/index.js";
import type { Model } from "../../model/index.js";
import { table, type View } from "../../viz/index.js";
import type { TokenPair } from "../patching/prompts.js";
import { mean, type PatchProvenance } from "../patching/result.js";
import { provenanceOf } from "../patching/sweep.js";
import { Circuit } from "./circuit.js";
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

/** What several circuits' runs gave: the mean metric of each, and of the whole model. */
export interface CircuitRuns {
  readonly metrics: readonly number[];
  readonly whole: number;
  readonly pairs: readonly TokenPair[];
}

/** Runs several circuits over all prompts. */
export async function runCircuits(
  model: Model,
  circuits: readonly Circuit[],
  input: EdgeInput,
  where: string,
): Promise<CircuitRuns> {
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
  return { metrics: found.map(mean), whole: mean(whole), pairs };
}

function allEdges(model: Model): Circuit["all"] {
  return edgesOf(model).map(({ sender, receiver }) => ({ from: sender.name, to: receiver.name }));
}

/** Refuses circuits of other models. */
export function checkEdges(model: Model, circuit: Circuit, where: string): void {
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
  const { metrics, whole, pairs } = await runCircuits(model, [circuit, circuit.complement(), none], input, where);
  const [own = Number.NaN, complement = Number.NaN, empty = Number.NaN] = metrics;
  const provenance = provenanceOf(model, input.metric, { prompts: pairs.length, patches: 3 * pairs.length });
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
