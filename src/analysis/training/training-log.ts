/**
 * The log of a training run: what every step reported, and the model at some of them.
 *
 * A log is a folder that holds `metrics.jsonl` and `checkpoints/step-N`, each of them a model folder.
 */
import { readdir } from "node:fs/promises";
import { join, resolve } from "node:path";
import { CheckpointError, createLogger, formatList, InputError, printsItself } from "../../core/index.js";
import { loadSafetensors } from "../../io/index.js";
import { describeModel, type LoadOptions, loadModel, type Model } from "../../model/index.js";
import type { Tensor } from "../../tensor/index.js";
import { type MetricSeries, type MetricViewOptions, readMetrics } from "../../train/index.js";
import type { View } from "../../viz/index.js";

/** What a {@link TrainingLog} is made of. */
interface LogParts {
  readonly id: string;
  readonly folder: string;
  readonly metrics: MetricSeries;
  /** Folder names of the checkpoints by step. */
  readonly names: ReadonlyMap<number, string>;
  readonly config: Readonly<Record<string, unknown>>;
}

/** A training run that can be read again: its metrics, and the model at its checkpoints. */
export class TrainingLog {
  static {
    printsItself(this.prototype);
  }

  readonly #parts: LogParts;

  /** @internal Use {@link openTrainingLog}. */
  constructor(parts: LogParts) {
    this.#parts = parts;
  }

  /** The run as it was named. */
  get id(): string {
    return this.#parts.id;
  }

  /** What every step reported. */
  get metrics(): MetricSeries {
    return this.#parts.metrics;
  }

  /** The steps whose weights are there, in order. */
  get steps(): readonly number[] {
    return [...this.#parts.names.keys()];
  }

  /** The model's `config.json`, as `languageModelTrainer` takes it. */
  get config(): Readonly<Record<string, unknown>> {
    return this.#parts.config;
  }

  /**
   * Opens the model as it was after a step; close it when it is no longer needed.
   *
   * Weights that are stored as float16 are converted into limpid's cache folder, once and without a word.
   *
   * @throws InputError when the weights of that step were not kept.
   */
  async model(step: number, options: LoadOptions = {}): Promise<Model> {
    return loadModel(this.#folderOf(step, "model"), { logger: createLogger(() => undefined), ...options });
  }

  /**
   * Returns the weights after a step in float32, under their stored names, to train on from them:
   * `languageModelTrainer({ model: log.config, weights: await log.weights(100), … })`.
   *
   * They begin with a new optimiser: its averages are not part of a log.
   *
   * @throws InputError when the weights of that step were not kept.
   */
  async weights(step: number): Promise<Readonly<Record<string, Tensor>>> {
    const stored = await loadSafetensors(join(this.#folderOf(step, "weights"), "model.safetensors"));
    return Object.fromEntries(Object.entries(stored).map(([name, tensor]) => [name, tensor.cast("float32")]));
  }

  /** Draws the metrics; see `MetricSeries.toView`. */
  toView(options: MetricViewOptions = {}): View {
    return this.metrics.toView({ title: `Training of ${this.id}`, ...options });
  }

  /** Shows the number of steps and where weights were kept. */
  toString(): string {
    return `TrainingLog of ${this.id}: ${this.metrics.length} steps, weights after ${this.steps.join(", ")}`;
  }

  #folderOf(step: number, call: string): string {
    const name = this.#parts.names.get(step);
    if (name !== undefined) return join(this.#parts.folder, "checkpoints", name);
    throw new InputError({
      where: `log.${call}`,
      got: `step ${step}`,
      expected: `one of the steps whose weights were kept: ${this.steps.join(", ")}`,
      fix: "Choose one of log.steps.",
    });
  }
}

const stepPattern = /^step-(\d+)$/;

async function listSteps(folder: string): Promise<ReadonlyMap<number, string>> {
  const names = await readdir(join(folder, "checkpoints")).catch(() => []);
  const steps = names.flatMap((name) => {
    const digits = stepPattern.exec(name)?.[1];
    return digits === undefined ? [] : [[Number(digits), name] as const];
  });
  return new Map(steps.sort(([a], [b]) => a - b));
}

/** The folder of a model; of a folder that is no model itself, its own path. */
async function locate(source: string): Promise<string> {
  try {
    return (await describeModel(source)).checkpoint.folder;
  } catch (error) {
    const folder = resolve(source);
    if ((await listSteps(folder)).size > 0) return folder;
    throw error;
  }
}

/**
 * Opens the log of a training run.
 *
 * @param source - `"attn-only-2l"` (embedded), or a folder that holds `metrics.jsonl` and `checkpoints/step-N`, each of
 *   them a model folder with `model.safetensors`, as `LanguageModel.writeModel` makes them.
 * @throws CheckpointError when there is no such log, or a step is no model folder; what `loadModel` throws for the same
 *   source.
 */
export async function openTrainingLog(source: string): Promise<TrainingLog> {
  const folder = await locate(source);
  const names = await listSteps(folder);
  const [first] = names.values();
  const files = await readdir(folder);
  if (first === undefined || !files.includes("metrics.jsonl")) throw noLog(source, files.toSorted());
  const { config } = await describeModel(join(folder, "checkpoints", first));
  const metrics = await readMetrics(join(folder, "metrics.jsonl"));
  return new TrainingLog({ id: source, folder, metrics, names, config: config.raw });
}

function noLog(source: string, names: readonly string[]): CheckpointError {
  return new CheckpointError({
    where: `openTrainingLog: ${JSON.stringify(source)}`,
    got: `a folder with ${formatList(names)}`,
    expected: "metrics.jsonl, and model folders checkpoints/step-N",
    fix: 'Open "attn-only-2l", or write such a folder while training; docs/training.md shows how.',
  });
}
