/** Masks that are trained: which weights make a model say what a target distribution says. */
import { InputError, type LongCallOptions, printsItself } from "../../core/index.js";
import type { Model } from "../../model/index.js";
import { Tensor } from "../../tensor/index.js";
import {
  adamW,
  type MetricSeries,
  rowOrder,
  type StepRecord,
  Trainer,
  type TrainingBatch,
  type TrainOptions,
} from "../../train/index.js";
import type { View } from "../../viz/index.js";
import type { TargetDistribution } from "../bigram/table.js";
import { weightMask } from "../mask/make.js";
import type { WeightMask } from "../mask/weight-mask.js";
import { type Granularity, type UnitGate, unitGates, unitMask } from "./gates.js";
import { hardMask, type OpenedModel, openForMasks } from "./model-weights.js";
import { maskName, type SparsifySpec, sparsifyDefinition } from "./sparsify.js";
import { isUnstable } from "./stability.js";

/** Options of {@link trainMask}; defaults are the paper's. */
export interface TrainMaskOptions extends LongCallOptions {
  /** What the masked model is to say: a bigram table, its unigram, or `"model"` for what the whole model says. */
  readonly target: TargetDistribution | "model";
  /**
   * What is kept or dropped as one. Default `"weight"`. With `"neuron"`, all weights of an MLP neuron, and attention stays; with
   * `"head"`, all of a head, and MLPs stay. Keys and values that several heads share stay, too.
   */
  readonly granularity?: Granularity;
  /** λ: weight of the mean of the soft mask in the loss. `-Infinity` keeps all, `Infinity` nothing. Default 10. */
  readonly sparsity?: number;
  /** Rows of a batch. Default 32. */
  readonly batch?: number;
  /** Tokens of a row. Default 128. */
  readonly context?: number;
  /** Default 15,000; most runs stop before. */
  readonly maxSteps?: number;
  /** Default 5e-5. */
  readonly learningRate?: number;
  /** Default 0.01: AdamW's, on the numbers behind the mask. */
  readonly weightDecay?: number;
  /** What β is multiplied by after each step. Default 1.001. */
  readonly betaGrowth?: number;
  readonly seed?: number;
  /** Runs that may go off before the last is taken. Default 3. */
  readonly attempts?: number;
  /** Where checkpoints go, so that a run that was stopped goes on. Nothing is written without it. */
  readonly folder?: string;
  readonly threads?: number;
}

/** Why a run ended. */
export type MaskStop = "decided" | "maxSteps" | "notTrained";

/** A trained mask. Immutable. */
export class MaskTraining {
  static {
    printsItself(this.prototype);
  }

  readonly mask: WeightMask;
  /** λ */
  readonly sparsity: number;
  readonly target: string;
  readonly stoppedBy: MaskStop;
  readonly steps: number;
  /** How often the run went off and was begun anew with other batches. */
  readonly restarts: number;
  /** Whether nothing was kept in the end: `mask` is then the last one that kept something. */
  readonly isDead: boolean;
  readonly metrics: MetricSeries | undefined;

  /** @internal Use `trainMask`. */
  constructor(parts: Readonly<Omit<MaskTraining, "toString" | "toView">>) {
    this.mask = parts.mask;
    this.sparsity = parts.sparsity;
    this.target = parts.target;
    this.stoppedBy = parts.stoppedBy;
    this.steps = parts.steps;
    this.restarts = parts.restarts;
    this.isDead = parts.isDead;
    this.metrics = parts.metrics;
  }

  /** Draws what is kept of each matrix. */
  toView(): View {
    return this.mask.toView();
  }

  /** Returns the size of the mask and how the run ended. */
  toString(): string {
    const ends = { decided: "nearly all weights were decided", maxSteps: "the last step", notTrained: "not trained" };
    const dead = this.isDead
      ? "\n  nothing was kept in the end: this is the last mask that kept something; lower the sparsity"
      : "";
    return `MaskTraining towards ${this.target}, sparsity ${this.sparsity}: ${this.steps} steps, ended by ${ends[this.stoppedBy]}${dead}\n  ${String(this.mask)}`;
  }
}

const chunk = 50;

const wrongGranularity = "trainMask: granularity";

function checkGranularity(model: Model, granularity: Granularity): void {
  if (!["head", "neuron", "weight"].includes(granularity))
    throw new InputError({
      where: wrongGranularity,
      got: JSON.stringify(granularity),
      expected: '"weight", "neuron" or "head"',
      fix: 'Leave it out for "weight".',
    });
  if (granularity === "neuron" && model.config.attnOnly)
    throw new InputError({
      where: wrongGranularity,
      got: '"neuron", for a model without MLPs',
      expected: '"weight" or "head"',
      fix: 'Pass "head".',
    });
}

/** The weights, neurons or heads whose number is above 0, and how many they are. */
interface Decided {
  readonly mask: WeightMask;
  readonly kept: number;
}

function checkOptions(
  model: Model,
  rows: readonly ArrayLike<number>[],
  { target, context = 128 }: TrainMaskOptions,
): void {
  const { dVocabOut, nCtx, dVocab } = model.config;
  if (target !== "model" && target.vocabulary !== dVocabOut)
    throw wrong("target", `a vocabulary of ${target.vocabulary}`, `${dVocabOut}, the model's`);
  if (context > nCtx) throw wrong("context", String(context), `at most ${nCtx}`);
  if (rows.length === 0) throw wrong("rows", "none", "rows of token ids");
  const short = rows.findIndex((row) => row.length < context);
  if (short >= 0) throw wrong(`rows[${short}]`, `${rows[short]?.length ?? 0} tokens`, `at least ${context}`);
  const stray = rows.findIndex((row) => Array.from(row).some((id) => !Number.isInteger(id) || id < 0 || id >= dVocab));
  if (stray >= 0) throw wrong(`rows[${stray}]`, "an id outside the vocabulary", `ids from 0 to ${dVocab - 1}`);
}

function batchOf(
  rows: readonly ArrayLike<number>[],
  chosen: Uint32Array,
  { context, target, plan }: { context: number; target: TargetDistribution | "model"; plan: OpenedModel["plan"] },
): TrainingBatch {
  const tokens = new Int32Array(chosen.length * context);
  chosen.forEach((row, i) => {
    for (let pos = 0; pos < context; pos++) tokens[i * context + pos] = rows[row]?.[pos] ?? 0;
  });
  const shape = [chosen.length, context];
  const ids = Tensor.of(tokens, shape);
  if (target === "model") return { tokens: ids };
  const size = plan.config.dVocabOut;
  const probabilities = new Float32Array(tokens.length * size);
  target.fill(tokens, probabilities);
  return { tokens: ids, target: Tensor.of(probabilities, [...shape, size]) };
}

/** Where checkpoints of an attempt go, and what must be equal to go on from them. */
function placeOf(
  { folder, seed = 0, target }: TrainMaskOptions,
  restarts: number,
): Pick<TrainOptions, "about" | "folder"> {
  if (folder === undefined) return {};
  return { folder: `${folder}/attempt-${restarts}`, about: { seed: seed + restarts, target: nameOf(target) } };
}

function callsOf({ signal, onProgress }: TrainMaskOptions, total: number): LongCallOptions {
  return {
    ...(signal === undefined ? {} : { signal }),
    ...(onProgress === undefined ? {} : { onProgress: (event) => onProgress({ ...event, total }) }),
  };
}

/** One run with one order of rows. */
class Attempt {
  readonly #model: Model;
  readonly #opened: OpenedModel;
  readonly #granularity: Granularity;
  readonly #gates: readonly UnitGate[];
  readonly #trainer: Trainer;
  readonly losses: number[] = [];
  isDecided = false;
  #lastKept: WeightMask | undefined;

  constructor(model: Model, opened: OpenedModel, spec: SparsifySpec, options: TrainMaskOptions) {
    this.#model = model;
    this.#opened = opened;
    this.#granularity = options.granularity ?? "weight";
    this.#gates = spec.gates ?? [];
    const { learningRate = 5e-5, weightDecay = 0.01, threads } = options;
    this.#trainer = Trainer.create({
      ...sparsifyDefinition(spec),
      optimizer: adamW({ learningRate, weightDecay }),
      ...(threads === undefined ? {} : { threads }),
    });
  }

  /** Trains until nearly all weights are decided, or to the last step. */
  async run(rows: readonly ArrayLike<number>[], options: TrainMaskOptions, restarts: number): Promise<void> {
    const { batch = 32, context = 128, target, maxSteps = 15_000, seed = 0 } = options;
    const order = rowOrder({ rows: rows.length, batch, seed: seed + restarts });
    const { plan } = this.#opened;
    const settings = {
      batches: (index: number) => batchOf(rows, order(index), { context, target, plan }),
      ...placeOf(options, restarts),
      ...callsOf(options, maxSteps),
      onStep: (record: StepRecord) => this.#note(record),
    };
    for (let end = Math.min(chunk, maxSteps); !this.isDecided; end = Math.min(end + chunk, maxSteps)) {
      await this.#trainer.train({ ...settings, steps: end });
      const { mask, kept } = await this.#decided();
      if (kept > 0) this.#lastKept = mask;
      if (end >= maxSteps || kept === 0) return;
    }
  }

  #note({ loss, metrics: { undecided = 0, kept = 0 } }: StepRecord): void {
    this.losses.push(loss);
    if (kept > 0 && undecided < 0.01 * kept) this.isDecided = true;
  }

  /** What the run came to. */
  async result(sparsity: number, target: TrainMaskOptions["target"], restarts: number): Promise<MaskTraining> {
    const { mask: last, kept } = await this.#decided();
    const isDead = kept === 0;
    return new MaskTraining({
      mask: isDead ? (this.#lastKept ?? weightMask.full(this.#model)) : last,
      sparsity,
      target: nameOf(target),
      stoppedBy: this.isDecided ? "decided" : "maxSteps",
      steps: this.#trainer.steps,
      restarts,
      isDead,
      metrics: this.#trainer.metrics,
    });
  }

  async #decided(): Promise<Decided> {
    const numbers = await this.#trainer.parameters();
    if (this.#granularity !== "weight") return this.#unitsOf(this.#granularity, numbers);
    const { masked } = this.#opened;
    const named = masked.map((name) => [name, numbers[maskName(name)]] as const);
    const found = named.flatMap(([name, tensor]) => (tensor === undefined ? [] : [[name, tensor] as const]));
    const mask = hardMask(this.#model, this.#opened, Object.fromEntries(found));
    return { mask, kept: mask.count };
  }

  #unitsOf(granularity: "head" | "neuron", numbers: Readonly<Record<string, Tensor>>): Decided {
    const dropped = new Map<number, readonly number[]>();
    let kept = 0;
    for (const { layer, weight, count } of this.#gates) {
      const own = numbers[maskName(weight)]?.data ?? [];
      const gone = Array.from({ length: count }, (_, unit) => unit).filter((unit) => !(Number(own[unit]) > 0));
      kept += count - gone.length;
      dropped.set(layer, gone);
    }
    return { mask: unitMask(this.#model, granularity, dropped), kept };
  }

  close(): Promise<void> {
    return this.#trainer.close();
  }
}

/**
 * Trains a mask over the weights of attention and MLPs by continuous sparsification, the weights themselves unchanged.
 *
 * A run that goes off (see `stability.ts`) begins anew with other batches, at most `attempts` times.
 *
 * @param rows - Token ids, each at least as long as `context`.
 * @throws InputError for rows that are too short, ids outside the vocabulary, or a target of another one; UnsupportedError
 *   for edited models.
 * @see Chang and Bergen 2025, "Bigram Subnetworks: Mapping to Next Tokens in Transformer Language Models"
 */
export async function trainMask(
  model: Model,
  rows: readonly ArrayLike<number>[],
  options: TrainMaskOptions,
): Promise<MaskTraining> {
  const { sparsity = 10, target, batch = 32, context = 128, betaGrowth = 1.001, attempts = 3 } = options;
  const { granularity = "weight" } = options;
  checkGranularity(model, granularity);
  if (!Number.isFinite(sparsity)) return untrained(model, sparsity, options);
  checkOptions(model, rows, options);
  const opened = await openForMasks(model);
  const isModel = target === "model";
  const gates = granularity === "weight" ? {} : { gates: unitGates(model, opened, granularity) };
  const spec: SparsifySpec = {
    ...opened,
    ...gates,
    rows: batch,
    context,
    targetIsModel: isModel,
    sparsity,
    betaGrowth,
  };
  for (let restarts = 0; ; restarts++) {
    const attempt = new Attempt(model, opened, spec, options);
    try {
      await attempt.run(rows, options, restarts);
      if (restarts + 1 >= attempts || !isUnstable(attempt.losses))
        return await attempt.result(sparsity, target, restarts);
    } finally {
      await attempt.close();
    }
  }
}

function nameOf(target: TrainMaskOptions["target"]): string {
  return target === "model" ? "the model" : target.name;
}

/** What an infinite sparsity means: nothing, or everything. */
function untrained(model: Model, sparsity: number, { target, granularity = "weight" }: TrainMaskOptions): MaskTraining {
  const mask = sparsity > 0 ? nothing(model, granularity) : weightMask.full(model);
  return new MaskTraining({
    mask,
    sparsity,
    target: nameOf(target),
    stoppedBy: "notTrained",
    steps: 0,
    restarts: 0,
    isDead: false,
    metrics: undefined,
  });
}

/** The mask without any weight, neuron or head. */
function nothing(model: Model, granularity: Granularity): WeightMask {
  if (granularity === "weight") return weightMask.empty(model);
  const { nLayers, nHeads, dMlp } = model.config;
  const all = Array.from({ length: granularity === "head" ? nHeads : dMlp }, (_, unit) => unit);
  return unitMask(model, granularity, new Map(Array.from({ length: nLayers }, (_, layer) => [layer, all])));
}

function wrong(where: string, got: string, expected: string): InputError {
  return new InputError({ where: `trainMask: ${where}`, got, expected, fix: "Check rows, context and target." });
}
