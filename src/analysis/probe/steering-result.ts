/** What a steering sweep found. */
import { printsItself } from "../../core/index.js";
import type { Interval } from "../../stats/index.js";
import { lines, panels, type View } from "../../viz/index.js";

/** One number at one strength, over prompts. */
export interface SteeringPoint {
  /** The metric's name, or the token's text. */
  readonly name: string;
  readonly strength: number;
  readonly mean: number;
  /** 95 % bootstrap interval over prompts. */
  readonly interval: Interval;
  /** The number of each prompt. */
  readonly perPrompt: readonly number[];
}

/** Where a sweep comes from. */
export interface SteeringProvenance {
  readonly model: string;
  readonly identity: string;
  /** Edits of the view besides the steering. */
  readonly edits: readonly string[];
  readonly prompts: number;
}

/** What a {@link SteeringSweepResult} is made from. */
export interface SteeringResultParts {
  readonly hook: string;
  readonly unit: "activation" | "direction" | "norm";
  readonly strengths: readonly number[];
  readonly points: readonly SteeringPoint[];
  readonly kl: readonly SteeringPoint[];
  /** Empty without a metric. */
  readonly metricName: string;
  readonly metricUnit: string;
  readonly provenance: SteeringProvenance;
}

const units = {
  norm: "strength, multiples of the norm",
  activation: "strength, multiples of the mean activation",
  direction: "strength, length",
} as const;

/** A metric and tokens' probabilities by steering strength. */
export class SteeringSweepResult {
  static {
    printsItself(this.prototype);
  }

  readonly hook: string;
  readonly unit: "activation" | "direction" | "norm";
  readonly strengths: readonly number[];
  /** The metric and each token's probability at each strength. */
  readonly points: readonly SteeringPoint[];
  /** `KL(unsteered ‖ steered)` of the next token in nats, at each strength: what else steering changes. */
  readonly kl: readonly SteeringPoint[];
  readonly provenance: SteeringProvenance;
  readonly #metric: { readonly name: string; readonly unit: string };

  /** @internal */
  constructor(parts: SteeringResultParts) {
    this.hook = parts.hook;
    this.unit = parts.unit;
    this.strengths = parts.strengths;
    this.points = parts.points;
    this.kl = parts.kl;
    this.provenance = parts.provenance;
    this.#metric = { name: parts.metricName, unit: parts.metricUnit };
  }

  /** Returns the points of one metric or token, in the order of strengths; empty where there is none. */
  of(name: string): readonly SteeringPoint[] {
    return this.points.filter((point) => point.name === name);
  }

  /** Returns lines over strength: the metric, the tokens' probabilities, and the divergence from the unsteered model. */
  toView(): View {
    const { name, unit } = this.#metric;
    const tokens = [...new Set(this.points.map((point) => point.name))].filter((one) => one !== name);
    const views = [
      ...(name === "" ? [] : [this.#lines([name], unit)]),
      ...(tokens.length === 0 ? [] : [this.#lines(tokens, "probability")]),
      this.#lines(["KL"], "nats"),
    ];
    return panels(views, {
      title: `Steering at ${this.hook}`,
      note: `mean over ${this.provenance.prompts} prompts; KL is that of the unsteered prediction to the steered one`,
    });
  }

  #lines(names: readonly string[], unit: string): View {
    const data = names.map((name) => {
      const own = (name === "KL" ? this.kl : this.of(name)).toSorted((a, b) => a.strength - b.strength);
      return {
        name: name === "KL" ? "moved from unsteered" : name,
        x: own.map(({ strength }) => strength),
        y: own.map(({ mean }) => mean),
        low: own.map(({ interval }) => interval.low),
        high: own.map(({ interval }) => interval.high),
      };
    });
    return lines(data, {
      x: { name: units[this.unit] },
      y: { name: unit },
      band: "95 % bootstrap interval over prompts",
    });
  }

  /** A few lines: each series by strength. */
  toString(): string {
    const names = [...new Set(this.points.map(({ name }) => name))];
    const row = (name: string, own: readonly SteeringPoint[]): string =>
      `  ${name}: ${own.map(({ strength, mean }) => `${strength} → ${mean.toPrecision(3)}`).join(", ")}`;
    return [
      `Steering sweep at ${this.hook} (${units[this.unit]}), ${this.provenance.prompts} prompts`,
      ...names.map((name) => row(JSON.stringify(name), this.of(name))),
      row("KL from unsteered, nats", this.kl),
    ].join("\n");
  }
}
