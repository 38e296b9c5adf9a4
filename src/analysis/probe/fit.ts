/** Fits the probes of all layers: every fold, the whole, and the control task of a layer side by side. */
import { type LongCallOptions, throwIfAborted } from "../../core/index.js";
import type { Engine } from "../../runtime/index.js";
import { type Fit, FitBatch, type Linear } from "./batch.js";
import { controlTargets } from "./control.js";
import { type Design, makeDesign, scalings } from "./design.js";
import { fitLogLoss } from "./log-loss.js";
import { classMeans, fitLda, fitMeans, gapOf } from "./means.js";
import { productsOf } from "./products.js";
import type { Settings } from "./settings.js";
import { fitRidge } from "./squared-loss.js";
import { fitTemperature, probabilities } from "./temperature.js";

/** Features of one layer at one position. */
export interface FeatureBlock {
  /** Names the place in messages. */
  readonly name: string;
  readonly data: Float32Array | Float64Array;
  readonly dim: number;
  /** What the control task draws labels for. */
  readonly types?: readonly string[];
}

/** What all layers share. */
export interface FitTask extends LongCallOptions {
  readonly values: Int32Array | Float64Array;
  /** Number of classes; 0 for numbers. */
  readonly classes: number;
  readonly fold: Int32Array;
  readonly settings: Settings;
  readonly engine?: Engine;
  readonly where: string;
}

/** A linear probe in activation space: scores are `weights · x + bias`. */
export interface Readout {
  /** `[outputs, features]`. */
  readonly weights: Float64Array;
  readonly bias: Float64Array;
  /** Probabilities are those of the scores times this. */
  readonly temperature: number;
  /** Distance between the two class means along the unit direction; NaN beyond two classes and for numbers. */
  readonly gap: number;
}

/** Predictions for rows that their fit did not see. */
export interface HeldOut {
  /** `[outputs, rows]`. */
  readonly scores: Float64Array;
  /** `[rows, classes]`; empty for numbers. */
  readonly probabilities: Float64Array;
}

/** One layer's probe. */
export interface FittedBlock {
  readonly readout: Readout;
  readonly heldOut: HeldOut;
  /** Control labels and predictions for them; absent where there was no control task. */
  readonly control?: { readonly values: Int32Array | Float64Array; readonly heldOut: HeldOut };
}

function outputsOf(classes: number): number {
  return classes > 2 ? classes : 1;
}

function solve(batch: FitBatch, { classes, settings }: FitTask): Promise<readonly Linear[]> {
  const { method, penalty, shrinkage, whitened } = settings;
  if (method === "logistic" || method === "multinomial") return fitLogLoss(batch, penalty);
  if (method === "ridge") return fitRidge(batch, classes, penalty);
  if (method === "lda") return fitLda(batch, { classes, shrinkage, hasPrior: true });
  if (whitened) return fitLda(batch, { classes, shrinkage, hasPrior: false });
  return fitMeans(batch, classes);
}

/** Methods whose scores are log odds already. */
function isProbabilistic({ method }: Settings): boolean {
  return method === "logistic" || method === "multinomial" || method === "lda";
}

/** Fits in the order: each fold left out, nothing left out, each fold left out of the control task. */
function planFits(design: Design, task: FitTask, control: Int32Array | Float64Array | undefined): readonly Fit[] {
  const { fold, settings, values } = task;
  const scaling = scalings(design, fold, settings.folds);
  const fits = (targets: Int32Array | Float64Array, count: number): readonly Fit[] =>
    scaling.slice(0, count).map((own, left) => ({
      targets,
      trains: Uint8Array.from(fold, (f) => (f === left ? 0 : 1)),
      scaling: own,
    }));
  const all = fits(values, settings.folds + 1);
  return control === undefined ? all : [...all, ...fits(control, settings.folds)];
}

interface Solved {
  readonly models: readonly Linear[];
  readonly scores: readonly Float64Array[];
  readonly temperatures: readonly number[];
}

async function solveAll(batch: FitBatch, task: FitTask): Promise<Solved> {
  const models = await solve(batch, task);
  const scores = await batch.scores(
    models,
    models.map((_, i) => i),
  );
  const isScaled = task.classes === 0 || isProbabilistic(task.settings);
  const temperatures = scores.map((own, f) => {
    const { targets, trains } = batch.fit(f);
    return isScaled ? 1 : fitTemperature(own, targets, trains);
  });
  return { models, scores, temperatures };
}

/** Puts together what each fold's fit says about its own fold; `from` is the first of these fits. */
function heldOutOf({ scores, temperatures }: Solved, { fold, classes, settings }: FitTask, from: number): HeldOut {
  const rows = fold.length;
  const outputs = outputsOf(classes);
  const width = classes === 0 ? 0 : Math.max(2, classes);
  const [kept, chances] = [new Float64Array(outputs * rows), new Float64Array(rows * width)];
  for (let left = 0; left < settings.folds; left++) {
    const own = scores[from + left] ?? kept;
    const likely = width === 0 ? chances : probabilities(own, rows, temperatures[from + left] ?? 1);
    for (let i = 0; i < rows; i++) {
      if (fold[i] !== left) continue;
      for (let o = 0; o < outputs; o++) kept[o * rows + i] = own[o * rows + i] as number;
      if (width > 0) chances.set(likely.subarray(i * width, (i + 1) * width), i * width);
    }
  }
  return { scores: kept, probabilities: chances };
}

/** Undoes both standardisations: weights on activations as they are. */
function inActivationSpace(batch: FitBatch, index: number, { weights, bias }: Linear): Linear {
  const { mean, inverse, features } = batch.design;
  const { scaling } = batch.fit(index);
  const own = new Float64Array(weights.length);
  const constants = bias.slice();
  for (let i = 0; i < weights.length; i++) {
    const j = i % features;
    const onDesign = (weights[i] as number) * (scaling.inverse[j] as number);
    own[i] = onDesign * (inverse[j] as number);
    const o = Math.floor(i / features);
    constants[o] =
      (constants[o] as number) - onDesign * (scaling.mean[j] as number) - (own[i] as number) * (mean[j] as number);
  }
  return { weights: own, bias: constants };
}

async function readoutOf(batch: FitBatch, solved: Solved, { classes, settings }: FitTask): Promise<Readout> {
  const index = settings.folds;
  const linear = inActivationSpace(
    batch,
    index,
    solved.models[index] ?? { weights: new Float64Array(), bias: new Float64Array() },
  );
  const temperature = solved.temperatures[index] ?? 1;
  if (classes !== 2) return { ...linear, temperature, gap: Number.NaN };
  const whole = new FitBatch(batch.design, batch.products, [batch.fit(index)], 1);
  const [means] = await classMeans(whole, 2);
  const size = Math.hypot(...linear.weights);
  const gap =
    means === undefined
      ? Number.NaN
      : gapOf(
          batch.design,
          means,
          linear.weights.map((w) => w / (size || 1)),
        );
  return { ...linear, temperature, gap };
}

async function fitBlock(block: FeatureBlock, task: FitTask): Promise<FittedBlock> {
  const { classes, values, fold, settings, engine, where } = task;
  const design = makeDesign(block.data, block.dim, `${where}: ${block.name}`);
  const control =
    block.types === undefined || !settings.control
      ? undefined
      : controlTargets({ values, classes, types: block.types, fold, folds: settings.folds, seed: settings.seed + 1 });
  const fits = planFits(design, task, control);
  // From here on the products alone have the design's numbers: the engine takes them over.
  const products = await productsOf(design, engine);
  try {
    const batch = new FitBatch(design, products, fits, outputsOf(classes));
    const solved = await solveAll(batch, task);
    const fitted = { readout: await readoutOf(batch, solved, task), heldOut: heldOutOf(solved, task, 0) };
    if (control === undefined) return fitted;
    return { ...fitted, control: { values: control, heldOut: heldOutOf(solved, task, settings.folds + 1) } };
  } finally {
    await products.close();
  }
}

/** Two blocks at a time: one is in the engine while this thread works on the other. */
const lanes = 2;

/**
 * Fits every block; `signal` is read before each.
 *
 * When one fails, those that have begun are awaited, so that nothing is left running.
 */
export async function fitBlocks(blocks: readonly FeatureBlock[], task: FitTask): Promise<readonly FittedBlock[]> {
  const { signal, onProgress, where } = task;
  const fitted = new Map<FeatureBlock, FittedBlock>();
  const waiting = [...blocks];
  const lane = async (): Promise<void> => {
    for (let block = waiting.shift(); block !== undefined; block = waiting.shift()) {
      throwIfAborted(signal, where);
      fitted.set(block, await fitBlock(block, task));
      onProgress?.({ done: fitted.size, total: blocks.length, label: `${where}: probes` });
    }
  };
  const emptyOnFailure = (error: unknown): never => {
    waiting.length = 0;
    throw error;
  };
  const ended = await Promise.allSettled(Array.from({ length: lanes }, () => lane().catch(emptyOnFailure)));
  for (const one of ended) if (one.status === "rejected") throw one.reason;
  return blocks.flatMap((block) => fitted.get(block) ?? []);
}
