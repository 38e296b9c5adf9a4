/**
 * Training of a tuned lens.
 *
 * For each stream but the last: `x ↦ x + x W + b` begins as the identity (`W = 0`, `b = 0`) and minimises
 * `KL(final ‖ lens)` at every position of the data, all streams in one graph; the final norm and the unembedding are the
 * model's own and do not learn.
 *
 * Belrose et al. 2023, "Eliciting Latent Predictions from Transformers with the Tuned Lens", equations 1 to 4.
 */
import { customGradient } from "../../autodiff/index.js";
import { InputError, interruptible, type LongCallOptions, progressOf, throwIfAborted } from "../../core/index.js";
import { type Batch, type Dataset, data } from "../../data/index.js";
import type { Value } from "../../graph/index.js";
import { type Model, readout } from "../../model/index.js";
import { Tensor } from "../../tensor/index.js";
import { adamW, type LossFunction, type StepRecord, schedule, Trainer, type TrainingBatch } from "../../train/index.js";
import { divergence, translated } from "./graph.js";
import { refuseReadoutEdits } from "./read.js";
import { type LensRows, lensRows } from "./rows.js";
import { TunedLens, type TunedLensTraining } from "./tuned-lens.js";

/** Options of `lens.tunedLens.train`. */
export interface TrainTunedLensOptions extends LongCallOptions {
  /** Updates. Default 200. */
  readonly steps?: number;
  /** Tokens of one row of packed text. Default 64, or the model's context where that is shorter. */
  readonly contextLength?: number;
  /** Positions that a step learns from; default 512, fewer where the vocabulary is large. */
  readonly positions?: number;
  /** Learning rate at the start; it falls to a tenth in a straight line. Default 0.001. */
  readonly learningRate?: number;
  /** Pull of the translators towards the identity (AdamW). Default 0.001. */
  readonly weightDecay?: number;
  /** Decides the order of documents. Default 0. */
  readonly seed?: number;
}

/** Options with their defaults. */
type Settings = Required<Omit<TrainTunedLensOptions, keyof LongCallOptions>>;

/** Bytes that the logits of all streams may take in one step. */
const logitBytes = 512 * 2 ** 20;
/** Tensors of that size alive at a time, backwards included, in float32. */
const liveBytes = 6 * 4;

function checkWhole(name: string, value: number, least: number, most = Number.MAX_SAFE_INTEGER): void {
  if (Number.isSafeInteger(value) && value >= least && value <= most) return;
  throw new InputError({
    where: `lens.tunedLens.train: ${name}`,
    got: String(value),
    expected:
      most === Number.MAX_SAFE_INTEGER ? `a whole number, ${least} or more` : `a whole number from ${least} to ${most}`,
    fix: "Correct the number.",
  });
}

function settingsOf({ config }: Model, streams: number, options: TrainTunedLensOptions): Settings {
  const fits = Math.floor(logitBytes / (liveBytes * config.dVocabOut * streams));
  const positions = options.positions ?? Math.min(512, Math.max(8, fits));
  const contextLength = options.contextLength ?? Math.min(64, config.nCtx, positions);
  const { steps = 200, learningRate = 1e-3, weightDecay = 1e-3, seed = 0 } = options;
  checkWhole("steps", steps, 1);
  checkWhole("contextLength", contextLength, 1, config.nCtx);
  checkWhole("positions", positions, contextLength);
  return { steps, positions, contextLength, learningRate, weightDecay, seed };
}

/**
 * The loss: `KL(final ‖ lens)`, mean over positions and summed over streams; each stream's own is a metric.
 *
 * Its derivative with respect to the lens's logits is `(q − p) / positions`, one pass in place of those of log-softmax.
 */
function lossOf(model: Model, rows: LensRows["rows"]): LossFunction {
  return ({ ops, parameter, batch }) => {
    const logP = ops.logSoftmax(readout(ops, model, batch("final")), 2);
    const bias = ops.unsqueeze(parameter("bias"), [1]);
    const logits = readout(ops, model, translated(ops, batch("streams"), parameter("weight"), bias));
    const logQ = ops.logSoftmax(logits, 2);
    const perStream = ops.reduceMean(divergence(ops, logP, logQ), [1], false);
    const loss = ops.reduceSum(perStream, [0], false);
    const places = ops.cast(ops.dimOf(logits, 1), "float32");
    const rule = customGradient(loss, [logits], ({ gradient }) => [
      ops.mul(ops.sub(ops.exp(logQ), ops.exp(logP)), ops.div(gradient, places)),
    ]);
    const one = (i: number): Value => ops.reduceSum(ops.slice(perStream, 0, i, i + 1), [0], false);
    const metrics = Object.fromEntries(rows.map(({ label }, i): [string, Value] => [label, one(i)]));
    return { loss, metrics, gradients: { custom: [rule] } };
  };
}

function createTrainer(model: Model, rows: LensRows["rows"], settings: Settings): Trainer {
  const { dModel } = model.config;
  const zeros = (...shape: readonly number[]): Tensor =>
    Tensor.of(new Float32Array(shape.reduce((a, b) => a * b, 1)), shape);
  const { steps, learningRate, weightDecay } = settings;
  return Trainer.create({
    parameters: { weight: zeros(rows.length, dModel, dModel), bias: zeros(rows.length, dModel) },
    inputs: {
      streams: { dtype: "float32", shape: [rows.length, "place", dModel] },
      final: { dtype: "float32", shape: [1, "place", dModel] },
    },
    loss: lossOf(model, rows),
    optimizer: adamW({ learningRate, weightDecay }),
    schedule: schedule.linear({ steps, final: 0.1 }),
    clip: { norm: 1 },
    engine: model.view.core.engine,
  });
}

/** Full rows of packed text, again and again, in another order each time. */
async function* endless(
  documents: Dataset<unknown>,
  model: Model,
  { contextLength, positions, seed }: Settings,
): AsyncGenerator<Batch<unknown>> {
  const { tokenizer } = model.view.core;
  const shape = { contextLength, batchTokens: positions, lastRow: "drop" } as const;
  for (let epoch = 0; ; epoch++) yield* documents.shuffle(seed + epoch).pack(tokenizer, shape);
}

/** Runs a batch of tokens and returns its streams. */
async function streamsOf(
  model: Model,
  { rows, final }: LensRows,
  { tokens }: Batch<unknown>,
  signal: AbortSignal | undefined,
): Promise<TrainingBatch> {
  const capture = [...new Set([...rows.map(({ hook }) => hook), final])];
  const run = await model.run(tokens, { capture, logits: "last", ...(signal === undefined ? {} : { signal }) });
  refuseReadoutEdits(run.receipt, "lens.tunedLens.train");
  const { dModel } = model.config;
  const places = run.receipt.batch * run.receipt.pos;
  const streams = new Float32Array(rows.length * places * dModel);
  const floats = (hook: string): Float32Array => Float32Array.from(run.cache.get(hook).contiguous().data, Number);
  for (const [i, { hook }] of rows.entries()) streams.set(floats(hook), i * places * dModel);
  return {
    streams: Tensor.of(streams, [rows.length, places, dModel]),
    final: Tensor.of(floats(final), [1, places, dModel]),
  };
}

/** Mean of each stream's divergence over some steps. */
function meanKl(records: readonly StepRecord[], rows: LensRows["rows"]): readonly number[] {
  return rows.map(
    ({ label }) => records.reduce((sum, { metrics }) => sum + (metrics[label] ?? Number.NaN), 0) / records.length,
  );
}

interface Job {
  readonly model: Model;
  readonly rows: LensRows;
  readonly documents: Dataset<unknown>;
  readonly settings: Settings;
  readonly options: LongCallOptions;
}

async function runSteps(
  trainer: Trainer,
  { model, rows, documents, settings, options }: Job,
): Promise<TunedLensTraining> {
  const { signal } = options;
  const report = progressOf(options);
  const records: StepRecord[] = [];
  for await (const batch of endless(documents, model, settings)) {
    throwIfAborted(signal, "lens.tunedLens.train");
    records.push(await trainer.step(await streamsOf(model, rows, batch, signal)));
    report?.({ done: records.length, total: settings.steps, label: "tuned lens: steps" });
    if (records.length >= settings.steps) break;
  }
  const share = Math.ceil(records.length / 10);
  return {
    ...settings,
    data: documents.toString(),
    firstKl: meanKl(records.slice(0, share), rows.rows),
    lastKl: meanKl(records.slice(-share), rows.rows),
  };
}

/** Texts, or a dataset of texts or token ids. */
export type TunedLensData = Dataset<unknown> | readonly string[];

/** See `lens.tunedLens.train`. */
export async function trainTunedLens(
  given: Model,
  source: TunedLensData,
  options: TrainTunedLensOptions = {},
): Promise<TunedLens> {
  const model = given.withPrecision("float32");
  const { rows: all, final } = lensRows(model, "resid_post", "lens.tunedLens.train");
  const rows: LensRows = { rows: all.filter(({ hook }) => hook !== final), final };
  const settings = settingsOf(model, rows.rows.length, options);
  const documents = isTexts(source) ? data.text(source) : source;
  const trainer = createTrainer(model, rows.rows, settings);
  try {
    const training = await runSteps(trainer, { model, rows, documents, settings, options: interruptible(options) });
    const { weight, bias } = await trainer.parameters();
    const { id, identity } = model.view.core.checkpoint;
    return new TunedLens({
      model: id,
      identity,
      processing: model.view.processing,
      hooks: rows.rows.map(({ hook }) => hook),
      weight: named(weight, ["row", "dModel", "dModelOut"]),
      bias: named(bias, ["row", "dModelOut"]),
      training,
    });
  } finally {
    await trainer.close();
  }
}

function isTexts(source: TunedLensData): source is readonly string[] {
  return Array.isArray(source);
}

function named(tensor: Tensor | undefined, axes: readonly string[]): Tensor {
  const found: Tensor = tensor ?? Tensor.of(new Float32Array(0), [0]);
  return found.reshape(found.shape, axes);
}
