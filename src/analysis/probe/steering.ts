/** Steering-strength sweeps: what a model says as a direction is added more and more strongly. */
import { InputError, type LongCallOptions, progressOf, throwIfAborted } from "../../core/index.js";
import {
  edit,
  type InputOptions,
  type Metric,
  type Model,
  type Run,
  type RunOptions,
  type Selection,
  type SteeringTarget,
} from "../../model/index.js";
import { bootstrapIntervals } from "../../stats/index.js";
import { Tensor } from "../../tensor/index.js";
import { type SteeringPoint, SteeringSweepResult } from "./steering-result.js";

/** Options of {@link SteeringSweep.sweep}. */
export interface SteeringSweepOptions extends LongCallOptions, Pick<InputOptions, "allowSpecial" | "prependBos"> {
  /** A probe's direction, a dictionary's feature, or a vector (then with `hook`). */
  readonly direction: Float32Array | SteeringTarget | Tensor;
  /** Full name of the hook point; default: the direction's own. */
  readonly hook?: string;
  /** How strongly, in units of `unit`; negative ones steer the other way. */
  readonly strengths: readonly number[];
  /**
   * `"norm"` (default): multiples of the value's own norm at each position; `"activation"`: of the direction's mean
   * activation (for a probe of two classes, the distance between their means); `"direction"`: plain lengths.
   */
  readonly unit?: "activation" | "direction" | "norm";
  /** Where it is added; every position by default. */
  readonly select?: Selection;
  /** A number for each prompt. */
  readonly metric?: Metric;
  /** Next tokens whose probability is followed, by text or id. */
  readonly tokens?: readonly (string | number)[];
}

/** Sweeps. */
export interface SteeringSweep {
  /**
   * Returns a metric, or tokens' probabilities, at the last token of each prompt, at each strength; and how far the whole
   * prediction has moved from the unsteered one, in nats.
   *
   * @throws InputError without metric and tokens, for strengths that are no numbers, a direction of length 0, a direction
   *   without hook point; TokenError for texts that are not one token; AbortedError.
   * @see Turner et al. 2023, "Activation Addition: Steering Language Models Without Optimization"
   */
  sweep(model: Model, prompts: string | readonly string[], options: SteeringSweepOptions): Promise<SteeringSweepResult>;
}

const where = "steering.sweep";

function refuse(what: string, got: string, expected: string, fix: string): InputError {
  return new InputError({ where: `${where}${what}`, got, expected, fix });
}

interface Target {
  readonly hook: string;
  readonly unit: Tensor;
  readonly mean: number | undefined;
}

function unitVector(direction: Float32Array | Tensor): Tensor {
  const tensor = direction instanceof Tensor ? direction : Tensor.of(direction, [direction.length]);
  const data = Float64Array.from(tensor.contiguous().data as ArrayLike<number>);
  const length = Math.hypot(...data);
  if (length > 0 && Number.isFinite(length))
    return Tensor.of(
      Float32Array.from(data, (x) => x / length),
      tensor.shape,
      tensor.axes,
    );
  throw refuse(
    ": direction",
    `a direction of length ${length}`,
    "a finite length above 0",
    "Check where it came from.",
  );
}

function targetOf(model: Model, { direction, hook }: SteeringSweepOptions): Target {
  const isVector = direction instanceof Tensor || direction instanceof Float32Array;
  const own = isVector ? undefined : direction.hook;
  const name = hook ?? (typeof own === "string" ? own : undefined);
  if (name === undefined || !model.hookPoints().has(name))
    throw refuse(
      ": hook",
      name === undefined ? "no name" : `"${name}"`,
      "the full name of one hook point",
      "Name one of model.hookNames().",
    );
  const mean = isVector ? undefined : direction.meanActivation;
  return { hook: name, unit: unitVector(isVector ? direction : direction.direction), mean };
}

function checkOptions({ strengths, metric, tokens = [], unit = "norm" }: SteeringSweepOptions, { mean }: Target): void {
  if (strengths.length === 0 || !strengths.every(Number.isFinite))
    throw refuse(": strengths", `[${strengths.join(", ")}]`, "one or more finite numbers", "Try [-0.5, 0, 0.5].");
  if (metric === undefined && tokens.length === 0)
    throw refuse(
      "",
      "neither metric nor tokens",
      "what to follow",
      'Pass a metric, or tokens such as [" is", " are"].',
    );
  if (unit !== "activation" || mean !== undefined) return;
  throw refuse(
    ": unit",
    '"activation" for a direction without a mean activation',
    '"norm" or "direction"',
    "Change the unit.",
  );
}

/** What is added at strength 1: the direction by its unit, at each place of the run. */
function additionAt(value: Tensor, { unit, mean }: Target, kind: SteeringSweepOptions["unit"]): Tensor {
  const rank = unit.rank;
  const named = Tensor.of(unit.data, unit.shape, value.axes.slice(-rank));
  if (kind === "direction") return named;
  if (kind === "activation") return named.mul(mean ?? 1);
  let squares: Tensor = value.mul(value);
  for (const axis of value.axes.slice(-rank)) squares = squares.sum(axis);
  return squares
    .sqrt()
    .mul(named)
    .transpose([...value.axes]);
}

function tokenIds(model: Model, tokens: readonly (string | number)[]): readonly number[] {
  return tokens.map((token) => (typeof token === "number" ? token : model.toSingleToken(token)));
}

/** Log-probabilities of one row of logits. */
function logProbabilities(logits: ArrayLike<number>, from: number, size: number): Float64Array {
  let top = Number.NEGATIVE_INFINITY;
  for (let i = 0; i < size; i++) top = Math.max(top, logits[from + i] as number);
  let sum = 0;
  for (let i = 0; i < size; i++) sum += Math.exp((logits[from + i] as number) - top);
  const log = top + Math.log(sum);
  return Float64Array.from({ length: size }, (_, i) => (logits[from + i] as number) - log);
}

/** Log-probabilities of the next token, one array for each prompt. */
function predictions(logits: Tensor): readonly Float64Array[] {
  const size = logits.sizeOf("dVocabOut");
  const data = logits.contiguous().data as ArrayLike<number>;
  return Array.from({ length: logits.sizeOf("batch") }, (_, row) => logProbabilities(data, row * size, size));
}

function divergence(before: Float64Array, after: Float64Array): number {
  const sum = before.reduce((kl, log, i) => kl + Math.exp(log) * (log - (after[i] ?? 0)), 0);
  return Math.max(0, sum);
}

interface Series {
  readonly name: string;
  readonly perPrompt: readonly (readonly number[])[];
}

/** Mean and interval over prompts at each strength. */
function pointsOf({ name, perPrompt }: Series, strengths: readonly number[]): readonly SteeringPoint[] {
  return perPrompt.map((values, s) => {
    const mean = (weights?: ArrayLike<number>): number => {
      let [sum, total] = [0, 0];
      values.forEach((value, i) => {
        const weight = weights === undefined ? 1 : (weights[i] ?? 0);
        sum += weight * value;
        total += weight;
      });
      return sum / total;
    };
    const [interval = { low: Number.NaN, high: Number.NaN }] = bootstrapIntervals(values.length, (w) => [mean(w)]);
    return { name, strength: strengths[s] ?? 0, mean: mean(), interval, perPrompt: values };
  });
}

/** What one strength gave, a number for each prompt. */
interface Measured {
  readonly metric: readonly number[];
  /** By token. */
  readonly chances: readonly (readonly number[])[];
  readonly kl: readonly number[];
}

/** The unsteered run, and how runs are asked for. */
interface Base {
  readonly model: Model;
  readonly texts: readonly string[];
  readonly asked: RunOptions;
  readonly ids: readonly number[];
  readonly target: Target;
  readonly before: readonly Float64Array[];
  /** What is added at strength 1. */
  readonly addition: Tensor;
  readonly clean: Run;
}

function askedOf({ allowSpecial, prependBos, signal, metric }: SteeringSweepOptions): RunOptions {
  return {
    logits: "last",
    ...(allowSpecial === undefined ? {} : { allowSpecial }),
    ...(prependBos === undefined ? {} : { prependBos }),
    ...(signal === undefined ? {} : { signal }),
    ...(metric === undefined ? {} : { metric }),
  };
}

async function begin(model: Model, texts: readonly string[], options: SteeringSweepOptions): Promise<Base> {
  if (texts.length === 0) throw refuse(": prompts", "no prompts", "at least one", "Give a prompt.");
  const target = targetOf(model, options);
  checkOptions(options, target);
  const ids = tokenIds(model, options.tokens ?? []);
  const asked = askedOf(options);
  const clean = await model.run(texts, { ...asked, capture: target.hook });
  const addition = additionAt(clean.cache.get(target.hook), target, options.unit ?? "norm");
  return { model, texts, asked, ids, target, before: predictions(clean.logits), addition, clean };
}

async function measure(base: Base, strength: number, select: Selection): Promise<Measured> {
  const { model, texts, asked, ids, target, before, addition } = base;
  const steer = { ...edit.add(target.hook, addition.mul(strength), select), name: "steer" };
  const run = await model.with(steer).run(texts, asked);
  const after = predictions(run.logits);
  return {
    metric: asked.metric === undefined ? [] : Array.from(run.metric.data, Number),
    chances: ids.map((id) => after.map((one) => Math.exp(one[id] ?? Number.NaN))),
    kl: before.map((one, i) => divergence(one, after[i] ?? one)),
  };
}

function seriesOf(found: readonly Measured[], { model, ids, asked: { metric } }: Base): readonly Series[] {
  return [
    ...(metric === undefined ? [] : [{ name: metric.name, perPrompt: found.map((one) => one.metric) }]),
    ...ids.map((id, i) => ({
      name: model.tokenizer.decode([id]),
      perPrompt: found.map(({ chances }) => chances[i] ?? []),
    })),
  ];
}

async function sweep(
  model: Model,
  prompts: string | readonly string[],
  options: SteeringSweepOptions,
): Promise<SteeringSweepResult> {
  const { strengths, metric, unit = "norm", select = {}, signal } = options;
  const base = await begin(model, typeof prompts === "string" ? [prompts] : prompts, options);
  const report = progressOf(options);
  const found: Measured[] = [];
  for (const strength of strengths) {
    throwIfAborted(signal, where);
    found.push(await measure(base, strength, select));
    report?.({ done: found.length, total: strengths.length, label: "steering.sweep: strengths" });
  }
  const { receipt } = base.clean;
  return new SteeringSweepResult({
    hook: base.target.hook,
    unit,
    strengths,
    points: seriesOf(found, base).flatMap((one) => pointsOf(one, strengths)),
    kl: pointsOf({ name: "KL", perPrompt: found.map(({ kl }) => kl) }, strengths),
    metricUnit: metric?.unit ?? "",
    metricName: metric?.name ?? "",
    provenance: {
      model: receipt.model,
      identity: receipt.identity,
      edits: receipt.edits.map(({ name }) => name),
      prompts: base.texts.length,
    },
  });
}

/** Steering. */
export const steering: SteeringSweep = { sweep };
