/** Fitted probes: how well each reads, which way it points, what it says of new texts. */
import { HookNotFoundError, InputError, printsItself } from "../../core/index.js";
import type { Model, SteeringTarget } from "../../model/index.js";
import { Tensor } from "../../tensor/index.js";
import type { View } from "../../viz/index.js";
import type { Readout } from "./fit.js";
import { evaluateProbe, predictTexts } from "./predict.js";
import { saveProbe } from "./store.js";
import type {
  ProbeDirectionOptions,
  ProbeExamples,
  ProbeMethod,
  ProbePlace,
  ProbePrediction,
  ProbePredictOptions,
  ProbeProvenance,
  ProbeScore,
} from "./types.js";
import { probeView } from "./view.js";

/** One fitted probe and where it stands. */
export interface FittedProbe {
  readonly score: ProbeScore;
  /** Axes and sizes of what it reads. */
  readonly axes: readonly string[];
  readonly shape: readonly number[];
  readonly readout: Readout;
}

/** What a {@link ProbeResult} is made from. */
export interface ProbeResultParts {
  readonly labels: readonly string[];
  readonly method: ProbeMethod;
  readonly baseline: number;
  readonly probes: readonly FittedProbe[];
  readonly provenance: ProbeProvenance;
  /** What training saw: groups, and hashes of texts. */
  readonly seen: { readonly groups: readonly string[]; readonly texts: readonly string[] };
}

/** A probe's direction in activation space; `edit.steer`, `edit.add` and `edit.project` take it. */
export interface ProbeDirection extends SteeringTarget {
  /** Full name of the hook point that it was read from. */
  readonly hook: string;
  readonly layer: number;
  readonly pos: string;
  /** Unit vector with the axes of one token's value. */
  readonly direction: Tensor;
  /** The decision value is `scale · (direction · x) + bias`. */
  readonly scale: number;
  readonly bias: number;
  /**
   * For two classes, how far apart their means lie along the direction: `edit.steer` with `unit: "activation"` and
   * strength 1 goes from one to the other.
   */
  readonly meanActivation?: number;
}

function unknown(what: string, got: string, known: readonly string[]): InputError {
  return new InputError({
    where: `probe result: ${what}`,
    got,
    expected: `one of ${known.join(", ")}`,
    fix: "Name one that was fitted.",
  });
}

/** Probes at several layers and positions. */
export class ProbeResult {
  static {
    printsItself(this.prototype);
  }

  /** The classes, in the order of probabilities; empty for numbers. */
  readonly labels: readonly string[];
  readonly method: ProbeMethod;
  /** One for each layer and position. */
  readonly scores: readonly ProbeScore[];
  /** Accuracy of always naming the commonest label; 0 for numbers, the R² of their mean. */
  readonly baseline: number;
  readonly provenance: ProbeProvenance;
  /** @internal */
  readonly parts: ProbeResultParts;

  /** @internal */
  constructor(parts: ProbeResultParts) {
    this.parts = parts;
    this.labels = parts.labels;
    this.method = parts.method;
    this.scores = parts.probes.map(({ score }) => score);
    this.baseline = parts.baseline;
    this.provenance = parts.provenance;
  }

  /** The score at the layer and position where it is highest; the earliest of equals. */
  get best(): ProbeScore {
    return this.find({}).score;
  }

  /**
   * Returns the score at one layer.
   *
   * @throws InputError when no probe stands there.
   */
  score(place: ProbePlace): ProbeScore {
    return this.find(place).score;
  }

  /** @internal The fitted probe at a place: the best one that fits the words. */
  find({ layer, pos }: ProbePlace): FittedProbe {
    const { probes } = this.parts;
    const layers = [...new Set(probes.map(({ score }) => score.layer))];
    const atLayer = layer === undefined ? probes : probes.filter(({ score }) => score.layer === layer);
    if (atLayer.length === 0) throw unknown("layer", String(layer), layers.map(String));
    const found = pos === undefined ? atLayer : atLayer.filter(({ score }) => score.pos === String(pos));
    const [first, ...rest] = found;
    if (first === undefined) throw unknown("pos", String(pos), [...new Set(probes.map(({ score }) => score.pos))]);
    return rest.reduce((best, one) => (one.score.score > best.score.score ? one : best), first);
  }

  /**
   * Returns the direction that a layer's probe reads along, fitted on all examples, standardisation undone.
   *
   * It points from the first class to the second, towards one class beyond two (`label`), or up for numbers.
   *
   * @throws InputError for a layer, position or label without a probe, and for a probe that found no direction.
   */
  direction(layer?: number, options: ProbeDirectionOptions = {}): ProbeDirection {
    const { pos, label } = options;
    const probe = this.find({ ...(layer === undefined ? {} : { layer }), ...(pos === undefined ? {} : { pos }) });
    if (probe.score.hook === "")
      throw new HookNotFoundError({
        where: "probe result: direction",
        got: "a probe of features without a hook point",
        expected: "probe.fit on a model",
        fix: "Use result.weights(layer) for the plain numbers.",
      });
    const { weights, bias } = this.#line(probe, label);
    return directionOf(probe, weights, bias);
  }

  /** Every direction, one for each layer and position (two classes and numbers). */
  get directions(): readonly ProbeDirection[] {
    return this.scores.map(({ layer, pos }) => this.direction(layer, { pos }));
  }

  /** Returns weights and constants on features as they are: `[output, feature]` and `[output]`. */
  weights(place: ProbePlace = {}): { readonly weights: Tensor; readonly bias: Tensor } {
    const { weights, bias } = this.find(place).readout;
    const outputs = bias.length;
    return {
      weights: Tensor.of(weights.slice(), [outputs, weights.length / outputs], ["output", "feature"]),
      bias: Tensor.of(bias.slice(), [outputs], ["output"]),
    };
  }

  /** One row of weights: that of a class against the mean of the others, beyond two. */
  #line({ readout }: FittedProbe, label: string | undefined): { weights: Float64Array; bias: number } {
    const { weights, bias } = readout;
    const index = label === undefined ? -1 : this.labels.indexOf(label);
    if (label !== undefined && index < 0) throw unknown("label", `"${label}"`, this.labels);
    if (bias.length === 1) {
      const sign = index === 0 ? -1 : 1;
      return { weights: weights.map((w) => sign * w), bias: sign * (bias[0] ?? 0) };
    }
    if (index < 0) throw unknown("label", "none, with more than two classes", this.labels);
    const features = weights.length / bias.length;
    const others = bias.length - 1;
    const against = (values: Float64Array, j: number, stride: number): number =>
      bias.reduce((sum, _, c) => sum + (values[c * stride + j] ?? 0) * (c === index ? 1 : -1 / others), 0);
    return {
      weights: Float64Array.from({ length: features }, (_, j) => against(weights, j, features)),
      bias: against(bias, 0, 1),
    };
  }

  /**
   * Returns what a probe takes texts for; by default the probe with the best score.
   *
   * @throws InputError for an empty text; HookNotFoundError when the model lacks the probe's hook point.
   */
  predict(
    model: Model,
    texts: readonly string[] | readonly (readonly number[])[],
    options: ProbePredictOptions = {},
  ): Promise<readonly ProbePrediction[]> {
    return predictTexts(this, model, texts, options);
  }

  /**
   * Returns a probe's score on new examples.
   *
   * @throws InputError when a group or a text of theirs was trained on: the score would be too good.
   */
  evaluate(model: Model, examples: ProbeExamples, options: ProbePredictOptions = {}): Promise<ProbeScore> {
    return evaluateProbe(this, model, examples, options);
  }

  /** Writes the probes to a new folder: `probe.json` and `probe.safetensors`; `probe.load` reads it. */
  save(folder: string): Promise<void> {
    return saveProbe(folder, this.parts);
  }

  /** Returns the score by layer with intervals, the control task and the baseline; a line for each position. */
  toView(): View {
    return probeView(this);
  }

  /** A few lines: what was fitted, the best layer, each layer's score. */
  toString(): string {
    const { best, provenance, labels } = this;
    const percent = (x: number): string => (labels.length === 0 ? x.toFixed(3) : `${(100 * x).toFixed(1)} %`);
    const what = labels.length === 0 ? "a number (R²)" : labels.join(" / ");
    const by = this.scores.map(
      ({ layer, pos, score }) => `${this.#isWide ? `${layer}@${pos}` : layer}: ${percent(score)}`,
    );
    return [
      `Probe (${this.method}) of ${what}: ${provenance.examples} examples, ${provenance.folds} folds by ${provenance.split}`,
      `  best at layer ${best.layer}, ${best.pos}: ${percent(best.score)} (${percent(best.interval.low)} to ${percent(best.interval.high)}), baseline ${percent(this.baseline)}, selectivity ${percent(best.selectivity)}`,
      `  by layer ${by.slice(0, 16).join(", ")}${by.length > 16 ? ", …" : ""}`,
    ].join("\n");
  }

  get #isWide(): boolean {
    return new Set(this.scores.map(({ pos }) => pos)).size > 1;
  }
}

function directionOf(
  { score, axes, shape, readout }: FittedProbe,
  weights: Float64Array,
  bias: number,
): ProbeDirection {
  const scale = Math.hypot(...weights);
  if (!(scale > 0))
    throw new InputError({
      where: `probe result: direction of layer ${score.layer}`,
      got: "a probe whose weights are all 0",
      expected: "one that reads something",
      fix: "Choose another layer: here all examples look the same.",
    });
  const unit = Float32Array.from(weights, (w) => w / scale);
  return {
    hook: score.hook,
    layer: score.layer,
    pos: score.pos,
    direction: Tensor.of(unit, shape, axes),
    scale,
    bias,
    ...(Number.isNaN(readout.gap) ? {} : { meanActivation: Math.abs(readout.gap) }),
  };
}
