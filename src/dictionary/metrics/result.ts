/** What judging a dictionary found. */
import { printsItself } from "../../core/index.js";
import { histogram, panels, table, type View } from "../../viz/index.js";
import type { DictionaryKind, FeatureStatistics } from "../config.js";
import type { Dictionary } from "../dictionary.js";
import { type FeatureCounts, logDensity } from "./feature-counts.js";
import type { DictionaryGeometry } from "./geometry.js";
import type { ReplacementLoss } from "./losses.js";
import type { ReconstructionMetrics } from "./reconstruction.js";

/** What an evaluation was: enough to repeat it. */
export interface EvaluationProvenance {
  readonly model: string;
  readonly identity: string;
  readonly precision: "float32" | "float64";
  readonly edits: readonly string[];
  /** SHA-256 over the token ids of all batches. */
  readonly dataHash: string;
  /** Tokens that counted. */
  readonly tokens: number;
  readonly excludesSpecial: boolean;
  readonly excludesFirst: boolean;
}

/** Features that never fired. */
export interface DeadFeatures {
  readonly count: number;
  /** Over how many tokens they did not. */
  readonly tokens: number;
  readonly features: readonly number[];
}

interface EvaluationParts {
  readonly dictionary: Dictionary;
  readonly reconstruction: ReconstructionMetrics;
  readonly counts: FeatureCounts;
  readonly losses: ReplacementLoss | undefined;
  readonly geometry: DictionaryGeometry;
  readonly provenance: EvaluationProvenance;
}

/** How good one dictionary is, on held-out text. */
export class DictionaryEvaluation {
  static {
    printsItself(this.prototype);
  }

  readonly name: string;
  readonly kind: DictionaryKind;
  readonly readHook: string;
  readonly writeHook: string;
  readonly nFeatures: number;
  readonly reconstruction: ReconstructionMetrics;
  /** Mean number of features that fire on a token. */
  readonly l0: number;
  readonly dead: DeadFeatures;
  /** What a model loses with it in place of the activation; absent with `losses: false`. */
  readonly losses: ReplacementLoss | undefined;
  readonly geometry: DictionaryGeometry;
  /** Density and activations of each feature: `dictionary.withStatistics(evaluation.statistics)`. */
  readonly statistics: FeatureStatistics;
  readonly provenance: EvaluationProvenance;

  /** @internal */
  constructor({ dictionary, reconstruction, counts, losses, geometry, provenance }: EvaluationParts) {
    const { name, kind, readHook, writeHook, nFeatures } = dictionary;
    this.name = name;
    this.kind = kind;
    this.readHook = readHook;
    this.writeHook = writeHook;
    this.nFeatures = nFeatures;
    this.reconstruction = reconstruction;
    this.l0 = counts.l0;
    this.dead = { count: counts.dead.length, tokens: provenance.tokens, features: counts.dead };
    this.losses = losses;
    this.geometry = geometry;
    this.statistics = counts.finish();
    this.provenance = provenance;
  }

  /** log10 of each feature's density; −10 for features that never fired. */
  get logDensity(): Float32Array {
    return logDensity(this.statistics);
  }

  /** Returns the numbers as a table, and a histogram of feature densities. */
  toView(): View {
    const alive = Array.from(this.statistics.density).flatMap((one) => (one > 0 ? [Math.log10(one)] : []));
    const numbers = table(
      [
        { name: "measure", kind: "text" },
        { name: "value", kind: "text" },
      ],
      measures(this),
      {
        title: `${this.name}: ${this.kind.replace("_", " ")} of ${this.nFeatures} features`,
        note: tokensNote(this.provenance),
      },
    );
    if (alive.length === 0) return numbers;
    const note = `features that fire; ${this.dead.count} dead on ${this.dead.tokens.toLocaleString("en-US")} tokens`;
    return panels([numbers, histogram(alive, { title: "Density", note, name: "log10 of the fraction of tokens" })]);
  }

  /** Returns a few lines of numbers. */
  toString(): string {
    const lines = measures(this).map(([name, value]) => `  ${name.padEnd(28)}${value}`);
    return [`${this.name}: ${this.kind} of ${this.nFeatures} features, ${tokensNote(this.provenance)}`, ...lines].join(
      "\n",
    );
  }
}

function tokensNote({ tokens, excludesSpecial, model }: EvaluationProvenance): string {
  return `${tokens.toLocaleString("en-US")} tokens of ${model}${excludesSpecial ? ", special tokens left out" : ""}`;
}

function digits(value: number, count = 4): string {
  return Number.isFinite(value) ? value.toFixed(count) : String(value);
}

function lossMeasures(losses: ReplacementLoss | undefined, prefix = ""): [string, string][] {
  if (losses === undefined) return [];
  const { clean, spliced, ablated, score, klSpliced, klAblated, klScore } = losses;
  const three = `clean ${digits(clean)}, spliced ${digits(spliced)}, ablated ${digits(ablated)}`;
  return [
    [`${prefix}CE score`, `${digits(score)}  (${three} nats)`],
    [`${prefix}KL score`, `${digits(klScore)}  (spliced ${digits(klSpliced)}, ablated ${digits(klAblated)} nats)`],
  ];
}

function measures({ reconstruction, l0, dead, nFeatures, losses }: DictionaryEvaluation): [string, string][] {
  const { explainedVariance, fvu, mse, cosine, l2Ratio, relativeBias } = reconstruction;
  const deadShare = `${dead.count} of ${nFeatures} in ${dead.tokens.toLocaleString("en-US")} tokens`;
  return [
    ["FVU", `${digits(fvu)}  (explained variance ${digits(explainedVariance)})`],
    ["L0", digits(l0, 2)],
    ...lossMeasures(losses),
    ["MSE", digits(mse)],
    ["cosine", digits(cosine)],
    ["L2 ratio", digits(l2Ratio)],
    ["relative bias", digits(relativeBias)],
    ["dead features", deadShare],
  ];
}

interface SetParts {
  readonly name: string;
  readonly evaluations: readonly DictionaryEvaluation[];
  readonly together: ReplacementLoss | undefined;
  readonly provenance: EvaluationProvenance;
}

/** How good the dictionaries of a set are, one by one and all at once. */
export class DictionarySetEvaluation {
  static {
    printsItself(this.prototype);
  }

  readonly name: string;
  /** One for each dictionary, in the order of layers. */
  readonly evaluations: readonly DictionaryEvaluation[];
  /** What the model loses with all of them in place at once; absent with `losses: false`. */
  readonly together: ReplacementLoss | undefined;
  readonly provenance: EvaluationProvenance;

  /** @internal */
  constructor({ name, evaluations, together, provenance }: SetParts) {
    this.name = name;
    this.evaluations = evaluations;
    this.together = together;
    this.provenance = provenance;
  }

  /** Returns a table with a row for each dictionary and one for all at once. */
  toView(): View {
    const number = (name: string) => ({ name, kind: "number" as const });
    const columns = ["FVU", "L0", "CE score", "clean", "spliced", "ablated", "KL score", "dead"].map(number);
    const rows = this.evaluations.map((one) => [
      one.writeHook,
      one.reconstruction.fvu,
      one.l0,
      ...lossRow(one.losses),
      one.dead.count,
    ]);
    const sum = (of: (one: DictionaryEvaluation) => number): number =>
      this.evaluations.reduce((total, one) => total + of(one), 0);
    const all = [
      "all at once",
      Number.NaN,
      sum(({ l0 }) => l0),
      ...lossRow(this.together),
      sum(({ dead }) => dead.count),
    ];
    return table([{ name: "replaced", kind: "text" }, ...columns], [...rows, all], {
      title: `${this.name}: replaced one by one and all at once`,
      note: `${tokensNote(this.provenance)}; CE score: (ablated − spliced) / (ablated − clean)`,
    });
  }

  /** Returns a line for each dictionary and one for all at once. */
  toString(): string {
    const lines = this.evaluations.map((one) => {
      const { fvu } = one.reconstruction;
      const loss =
        one.losses === undefined ? "" : `, CE score ${digits(one.losses.score)}, loss ${digits(one.losses.spliced)}`;
      return `  ${one.writeHook}: FVU ${digits(fvu)}, L0 ${digits(one.l0, 2)}${loss}, ${one.dead.count} dead`;
    });
    const all = lossMeasures(this.together, "all at once: ").map(([name, value]) => `  ${name} ${value}`);
    return [`${this.name}: ${tokensNote(this.provenance)}`, ...lines, ...all].join("\n");
  }
}

function lossRow(losses: ReplacementLoss | undefined): number[] {
  if (losses === undefined) return [0, 0, 0, 0, 0].map(() => Number.NaN);
  const { score, clean, spliced, ablated, klScore } = losses;
  return [score, clean, spliced, ablated, klScore];
}
