/** The training loop: batches, log, checkpoints, and how a run is continued. */
import { join } from "node:path";
import {
  AbortedError,
  InputError,
  interruptible,
  type LongCallOptions,
  type ProgressEvent,
  progressOf,
} from "../core/index.js";
import { cleanStaleTemporary } from "../io/index.js";
import { BatchReader, type BatchSource, type TrainingBatch } from "./batches.js";
import { checkpointPath, listCheckpoints } from "./checkpoint.js";
import { MetricLog } from "./metrics.js";
import { TrainingResult } from "./result.js";
import type { StepRecord, Trainer } from "./trainer.js";

/** Options of {@link Trainer.train}. */
export interface TrainOptions extends LongCallOptions {
  /** Updates in all, those of a continued run included. */
  readonly steps: number;
  readonly batches: BatchSource;
  /** Where `checkpoints/` and `metrics.jsonl` go; nothing is written without it. */
  readonly folder?: string;
  /** Steps between checkpoints; one more is written at the end. Default: only that one. */
  readonly checkpointEvery?: number;
  /** Checkpoints that are kept. Default 2. */
  readonly keepCheckpoints?: number;
  /** What else must be equal for the run to be continued, as plain data: a description of the data, a seed. */
  readonly about?: unknown;
  /** Is told about every step. */
  readonly onStep?: (record: StepRecord) => void;
  /** Measures something now and then; what it returns goes into the metrics of that step. */
  readonly evaluate?: {
    readonly every: number;
    readonly measure: (trainer: Trainer) => Promise<Readonly<Record<string, number>>>;
  };
}

function checkWhole(name: string, value: number | undefined, least: number): void {
  if (value === undefined || (Number.isSafeInteger(value) && value >= least)) return;
  throw new InputError({
    where: `train: ${name}`,
    got: String(value),
    expected: `a whole number, ${least} or more`,
    fix: "Correct the number.",
  });
}

function checkOptions(options: TrainOptions): void {
  checkWhole("steps", options.steps, 0);
  checkWhole("checkpointEvery", options.checkpointEvery, 1);
  checkWhole("keepCheckpoints", options.keepCheckpoints, 1);
  checkWhole("evaluate.every", options.evaluate?.every, 1);
}

/** The files of a run. */
class RunFolder {
  readonly #trainer: Trainer;
  readonly #options: TrainOptions;
  readonly #checkpoints: string;
  readonly #log: MetricLog;
  #last: number | undefined;

  constructor(trainer: Trainer, options: TrainOptions, folder: string) {
    this.#trainer = trainer;
    this.#options = options;
    this.#checkpoints = join(folder, "checkpoints");
    this.#log = new MetricLog(join(folder, "metrics.jsonl"));
  }

  get lastCheckpoint(): string | undefined {
    return this.#last === undefined ? undefined : checkpointPath(this.#checkpoints, this.#last);
  }

  /** Continues from the last checkpoint where there is one; returns its step, else 0. */
  async resume(): Promise<number> {
    await cleanStaleTemporary(this.#checkpoints);
    const step = (await listCheckpoints(this.#checkpoints)).at(-1);
    if (step === undefined) {
      await this.#log.cutAfter(this.#trainer.steps);
      return 0;
    }
    if (this.#trainer.steps > 0 && this.#trainer.steps !== step) throw alreadyTrained(this.#trainer.steps, step);
    await this.#trainer.restore(checkpointPath(this.#checkpoints, step), { about: this.#options.about });
    this.#last = step;
    for (const row of (await this.#log.cutAfter(step)).rows()) this.#trainer.metrics.add(row);
    return step;
  }

  async log(record: StepRecord, seconds: number): Promise<void> {
    const { metrics, ...own } = record;
    const row = { ...own, ...metrics, ...this.#trainer.metrics.last, step: record.step, seconds };
    await this.#log.add(row);
  }

  /** Writes a checkpoint of this step unless it is there. */
  async save(): Promise<void> {
    const { steps } = this.#trainer;
    await this.#log.flush();
    if (this.#last === steps) return;
    await this.#trainer.save(this.#checkpoints, {
      about: this.#options.about,
      keep: this.#options.keepCheckpoints ?? 2,
    });
    this.#last = steps;
  }
}

/** Trains as {@link Trainer.train} says. */
export async function runTraining(trainer: Trainer, given: TrainOptions): Promise<TrainingResult> {
  checkOptions(given);
  const options = interruptible(given);
  const folder = options.folder === undefined ? undefined : new RunFolder(trainer, options, options.folder);
  const resumedAt = (await folder?.resume()) ?? 0;
  await takeSteps(trainer, options, folder);
  await folder?.save();
  const { steps, metrics } = trainer;
  return new TrainingResult({ steps, resumedAt, metrics, checkpoint: folder?.lastCheckpoint });
}

async function takeSteps(trainer: Trainer, options: TrainOptions, folder: RunFolder | undefined): Promise<void> {
  const { steps, batches, signal, onStep, checkpointEvery = Number.POSITIVE_INFINITY } = options;
  const onProgress = progressOf(options);
  const perStep = trainer.batchesPerStep;
  const reader = new BatchReader(batches, trainer.steps * perStep, steps * perStep);
  while (trainer.steps < steps) {
    if (signal?.aborted === true) await stop(trainer, folder, signal);
    const begin = performance.now();
    const record = await trainer.step(await readStep(reader, perStep));
    await measure(trainer, options);
    await folder?.log(record, (performance.now() - begin) / 1000);
    onStep?.(record);
    onProgress?.(eventOf(trainer, record, steps));
    if (record.step % checkpointEvery === 0 && record.step < steps) await folder?.save();
  }
}

/** The metrics can be drawn at any time: a cell shows the curve while it grows. */
function eventOf({ metrics }: Trainer, { step, loss }: StepRecord, steps: number): ProgressEvent {
  return { done: step, total: steps, label: "train", note: `loss ${loss.toPrecision(3)}`, soFar: metrics };
}

async function readStep(reader: BatchReader, count: number): Promise<TrainingBatch | readonly TrainingBatch[]> {
  const batches: TrainingBatch[] = [];
  for (let i = 0; i < count; i++) batches.push(await reader.read());
  return batches;
}

async function measure(trainer: Trainer, { evaluate, steps }: TrainOptions): Promise<void> {
  if (evaluate === undefined || (trainer.steps % evaluate.every !== 0 && trainer.steps < steps)) return;
  trainer.metrics.add({ step: trainer.steps, ...(await evaluate.measure(trainer)) });
}

async function stop(trainer: Trainer, folder: RunFolder | undefined, signal: AbortSignal): Promise<never> {
  await folder?.save();
  const place = folder?.lastCheckpoint;
  throw new AbortedError(
    {
      where: `train: after step ${trainer.steps}`,
      got: "an aborted signal",
      expected: "to run to the end",
      fix: place === undefined ? "Call train again to go on." : `Train again with this folder to go on from ${place}.`,
    },
    { cause: signal.reason },
  );
}

function alreadyTrained(steps: number, saved: number): InputError {
  return new InputError({
    where: "train: folder",
    got: `checkpoints up to step ${saved}, for a trainer that stands at step ${steps}`,
    expected: "a new trainer, or a new folder",
    fix: "Create the trainer again to continue what the folder holds, or choose another folder.",
  });
}
