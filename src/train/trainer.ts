/** The trainer: parameters that live in the engine and are updated step by step. */
import { randomUUID } from "node:crypto";
import { printsItself } from "../core/index.js";
import { Engine } from "../runtime/index.js";
import type { Tensor } from "../tensor/index.js";
import { checkBatch, type TrainingBatch } from "./batches.js";
import { type CheckpointContents, readCheckpoint, writeCheckpoint } from "./checkpoint.js";
import { checkBatchCount, checkDefinition, noAverage } from "./checks.js";
import { type Configuration, checkSame, describeDefinition, plain } from "./configuration.js";
import type { ShapedDefinition, TensorShape, TrainingDefinition } from "./definition.js";
import { type ResolvedGroup, resolveGroups } from "./groups.js";
import { runTraining, type TrainOptions } from "./loop.js";
import { MetricSeries } from "./metrics.js";
import { buildStepGraphs, residentNames, type StepGraphs } from "./program.js";
import { initialResidents, ResidentTensors, restoredResidents, savedResidents } from "./resident.js";
import type { TrainingResult } from "./result.js";
import { type Scalars, StepRunner } from "./runner.js";
import { inputNames } from "./trace.js";

/** Options of {@link Trainer.create}. */
export interface TrainerOptions extends TrainingDefinition {
  /**
   * Where it runs; by default an engine of its own. Closing the trainer leaves it open. Its `sessionCacheBytes` should
   * hold the working memory of a step, or every step is compiled anew.
   */
  readonly engine?: Engine;
  /** Threads of its own engine; default: physical cores. */
  readonly threads?: number;
}

/** What one step reports. */
export interface StepRecord {
  /** Updates done, this one included. */
  readonly step: number;
  /** Loss before the update, mean over accumulated batches. */
  readonly loss: number;
  /** Learning rate of this step, before the scales of groups. */
  readonly learningRate: number;
  /** Euclidean norm of all gradients before clipping. */
  readonly gradientNorm: number;
  /** What the loss function reports besides. */
  readonly metrics: Readonly<Record<string, number>>;
}

/** Loss and metrics of a batch without an update. */
export interface EvaluationRecord {
  readonly loss: number;
  readonly metrics: Readonly<Record<string, number>>;
}

/** Whether moving averages stand in for the parameters. */
export interface AveragedOption {
  readonly averaged?: boolean;
}

type NamedTensors = Readonly<Record<string, Tensor>>;

/**
 * Trains parameters by a loss that is a graph.
 *
 * A step is one run of one graph: loss, gradients, clipping and update together. Parameters and optimiser state stay in
 * the engine from step to step; only the batch goes in and a few scalars come out. A step whose loss or gradient is not
 * finite is an error that names the first bad tensor, and changes nothing.
 *
 * Equal definitions and batches give equal bits, on the same machine with the same number of threads.
 */
export class Trainer {
  static {
    printsItself(this.prototype);
  }

  readonly #definition: ShapedDefinition;
  readonly #groups: readonly ResolvedGroup[];
  readonly #configuration: Configuration;
  readonly #engine: Engine;
  readonly #ownsEngine: boolean;
  readonly #residents: ResidentTensors;
  readonly #runner: StepRunner;
  readonly #metrics = new MetricSeries();
  /** Forgotten once its values are in the engine. */
  #initial: TrainingDefinition | undefined;
  #step = 0;
  #turn: Promise<unknown> = Promise.resolve();

  private constructor(options: TrainerOptions, groups: readonly ResolvedGroup[], graphs: StepGraphs) {
    const { engine, threads, ...definition } = options;
    this.#initial = definition;
    this.#definition = withoutValues(definition);
    this.#groups = groups;
    this.#configuration = describeDefinition(definition, groups, graphs.evaluate.graph);
    this.#ownsEngine = engine === undefined;
    this.#engine = engine ?? ownEngine(threads);
    this.#residents = new ResidentTensors(this.#engine, `train-${randomUUID().slice(0, 8)}.`);
    const parts = { definition: this.#definition, groups, graphs, engine: this.#engine, residents: this.#residents };
    this.#runner = new StepRunner(parts);
  }

  /**
   * Builds the graphs of a definition; nothing runs before the first step.
   *
   * @throws InputError for wrong options, names that clash, globs that match nothing; GraphError when the loss is no
   *   scalar, does not reach a parameter (each is named), leaves a batch tensor unused, or passes an op without a
   *   derivative rule.
   */
  static create(options: TrainerOptions): Trainer {
    checkDefinition(options);
    const groups = resolveGroups(options);
    return new Trainer(options, groups, buildStepGraphs(options, groups));
  }

  /** Updates done. */
  get steps(): number {
    return this.#step;
  }

  /** Batches that one update takes. */
  get batchesPerStep(): number {
    return this.#definition.accumulate ?? 1;
  }

  /** The metrics of every step so far, those of a continued run included. */
  get metrics(): MetricSeries {
    return this.#metrics;
  }

  /** Everything that decides the numbers of this run but its initial values, as plain data. */
  get configuration(): Configuration {
    return this.#configuration;
  }

  /**
   * Makes one update.
   *
   * @param batches - One batch, or as many as `accumulate` says.
   * @throws InputError for missing or surplus tensors; NumericError when the loss or a gradient is not finite: it names
   *   the step, the batch and the first bad tensor, and the parameters stay as they were.
   */
  step(batches: TrainingBatch | readonly TrainingBatch[]): Promise<StepRecord> {
    return this.#inTurn(() => this.#oneStep(isList(batches) ? batches : [batches]));
  }

  /** Returns loss and metrics of a batch; with `averaged`, under the moving averages of the parameters. */
  evaluate(batch: TrainingBatch, options: AveragedOption = {}): Promise<EvaluationRecord> {
    return this.#inTurn(async () => {
      checkBatch("trainer.evaluate: batch", batch, Object.keys(this.#definition.inputs));
      const place = { step: this.#step, replaced: this.#averagedNames(options) };
      const { loss, metrics } = await this.#runner.run("evaluate", batch, place);
      return { loss, metrics };
    });
  }

  /** Returns the parameters as they are now; with `averaged`, their moving averages (frozen ones as they are). */
  parameters(options: AveragedOption = {}): Promise<NamedTensors> {
    return this.#inTurn(() => {
      const { parameters } = this.#definition;
      const averaged = this.#averagedNames(options);
      return this.#read(parameters, (name) => averaged.get(name) ?? name);
    });
  }

  /** Returns the buffers as they are now. */
  buffers(): Promise<NamedTensors> {
    return this.#inTurn(() => this.#read(this.#definition.buffers ?? {}, inputNames.buffer));
  }

  /**
   * Trains to a number of steps; with a folder, writes checkpoints and a log there and continues what it holds.
   *
   * In a notebook cell the curve of the loss grows while it runs: without `onProgress` after two seconds, and in
   * `show((onProgress) => trainer.train({ …, onProgress }))`.
   *
   * @throws AbortedError when the signal stops it: after a whole step, with a checkpoint. InputError when the folder
   *   holds a run of another configuration (it lists what differs). What {@link Trainer.step} throws.
   */
  train(options: TrainOptions): Promise<TrainingResult> {
    return runTraining(this, options);
  }

  /**
   * Writes a checkpoint into a folder of checkpoints, atomically, and removes all but the last `keep`.
   *
   * `about` is what else must be equal for the run to be continued, such as a description of the data.
   *
   * @returns Its path.
   */
  async save(folder: string, options: { readonly about?: unknown; readonly keep?: number } = {}): Promise<string> {
    const contents = await this.#inTurn(() => this.#contents(options.about));
    return writeCheckpoint(folder, contents, options.keep ?? Number.POSITIVE_INFINITY);
  }

  /**
   * Continues from a checkpoint, bit for bit.
   *
   * @throws InputError when its configuration is another one; the message lists what differs.
   */
  async restore(path: string, options: { readonly about?: unknown } = {}): Promise<void> {
    const contents = await readCheckpoint(path);
    checkSame(`trainer.restore: ${path}`, contents.configuration, this.#about(options.about));
    const saved = { ...contents.parameters, ...contents.state };
    const next = restoredResidents(path, saved, this.#definition, this.#groups);
    await this.#alone(async () => {
      await this.#residents.put(next);
      this.#initial = undefined;
      this.#step = contents.step;
      this.#metrics.cutAfter(contents.step);
    });
  }

  /** Frees what the trainer holds; an engine that was given stays open. */
  async close(): Promise<void> {
    await this.#turn;
    if (this.#ownsEngine) await this.#engine.close();
    else await this.#residents.drop();
  }

  /** Same as {@link Trainer.close}, for `await using`. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  /** Shows the parameters, the optimiser and the steps in one line. */
  toString(): string {
    const tensors = Object.values(this.#definition.parameters);
    const count = tensors.reduce((sum, { size }) => sum + size, 0).toLocaleString("en-US");
    const where = `${tensors.length} ${tensors.length === 1 ? "tensor" : "tensors"}`;
    return `Trainer of ${count} parameters in ${where}, ${this.#definition.optimizer.name}, step ${this.#step}`;
  }

  /** One call at a time. */
  #alone<T>(work: () => Promise<T>): Promise<T> {
    const result = this.#turn.then(work);
    this.#turn = result.catch(() => undefined);
    return result;
  }

  /** One call at a time, the initial values put into the engine before the first. */
  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    return this.#alone(async () => {
      if (this.#initial !== undefined) await this.#residents.put(initialResidents(this.#initial, this.#groups));
      this.#initial = undefined;
      return work();
    });
  }

  async #oneStep(batches: readonly TrainingBatch[]): Promise<StepRecord> {
    checkBatchCount(batches.length, this.batchesPerStep);
    const names = Object.keys(this.#definition.inputs);
    for (const batch of batches) checkBatch("trainer.step: batch", batch, names);
    const step = this.#step;
    const [only = {}] = batches;
    if (batches.length === 1) {
      const read = await this.#runner.run("update", only, { step });
      return this.#finishStep([read], read.gradientNorm);
    }
    const parts: Scalars[] = [];
    for (const [micro, batch] of batches.entries())
      parts.push(await this.#runner.run("accumulate", batch, { step, micro }));
    const { gradientNorm } = await this.#runner.run("update", {}, { step });
    return this.#finishStep(parts, gradientNorm);
  }

  #finishStep(parts: readonly Scalars[], gradientNorm: number): StepRecord {
    const { optimizer, schedule } = this.#definition;
    const mean = (of: (part: Scalars) => number): number =>
      parts.reduce((sum, part) => sum + of(part), 0) / parts.length;
    const names = Object.keys(parts[0]?.metrics ?? {});
    const learningRate = optimizer.learningRate * (schedule?.at(this.#step) ?? 1);
    this.#step++;
    const own = { step: this.#step, loss: mean(({ loss }) => loss), learningRate, gradientNorm };
    const metrics = Object.fromEntries(
      names.map((name) => [name, mean((part) => part.metrics[name] ?? Number.NaN)] as const),
    );
    this.#metrics.add({ ...own, ...metrics });
    return { ...own, metrics };
  }

  /** Parameter name to the name of its average, when averages are asked for. */
  #averagedNames({ averaged = false }: AveragedOption): ReadonlyMap<string, string> {
    if (!averaged) return new Map();
    if (this.#definition.average === undefined) throw noAverage();
    const trained = this.#groups.flatMap(({ isFrozen, names }) => (isFrozen ? [] : names));
    return new Map(trained.map((name) => [name, residentNames.average(name)]));
  }

  /** Reads resident tensors; axis names are those of `like`. */
  async #read(
    like: Readonly<Record<string, TensorShape>>,
    residentOf: (name: string) => string,
  ): Promise<NamedTensors> {
    const shapes = Object.entries(like).map(([name, shape]) => [residentOf(name), shape] as const);
    const read = await this.#residents.get(new Map(shapes));
    const entries = Object.keys(like).map((name) => [name, read[residentOf(name)]] as const);
    return Object.fromEntries(entries.flatMap(([name, tensor]) => (tensor === undefined ? [] : [[name, tensor]])));
  }

  #about(about: unknown): Configuration {
    return about === undefined ? this.#configuration : { about: plain({ about })["about"], ...this.#configuration };
  }

  async #contents(about: unknown): Promise<CheckpointContents> {
    return {
      step: this.#step,
      configuration: this.#about(about),
      parameters: await this.#read(this.#definition.parameters, (name) => name),
      state: await this.#residents.get(savedResidents(this.#definition, this.#groups)),
    };
  }
}

function shapesOf(tensors: NamedTensors): Readonly<Record<string, TensorShape>> {
  return Object.fromEntries(
    Object.entries(tensors).map(([name, { shape, axes, size }]) => [name, { shape, axes, size }]),
  );
}

/** Initial values may be large, and are needed once. */
function withoutValues({ parameters, buffers, ...rest }: TrainingDefinition): ShapedDefinition {
  const shaped = { ...rest, parameters: shapesOf(parameters) };
  return buffers === undefined ? shaped : { ...shaped, buffers: shapesOf(buffers) };
}

/** Its sessions are few and used again and again: none is ever released early. */
function ownEngine(threads: number | undefined): Engine {
  const bounds = { sessionCacheBytes: Number.POSITIVE_INFINITY };
  return Engine.create(threads === undefined ? bounds : { ...bounds, threads });
}

function isList(batches: TrainingBatch | readonly TrainingBatch[]): batches is readonly TrainingBatch[] {
  return Array.isArray(batches);
}
