/** A trainer for language models: a decoder, next-token loss, and a folder that `loadModel` opens. */
import { copyFile, mkdir, readdir } from "node:fs/promises";
import { join } from "node:path";
import { InputError, ShapeError, TokenError } from "../../core/index.js";
import { withAtomicFolder, writeFileAtomic, writeSafetensors } from "../../io/index.js";
import { type Blueprint, blueprint } from "../../model/index.js";
import type { Tensor } from "../../tensor/index.js";
import {
  crossEntropy,
  type LossFunction,
  Trainer,
  type TrainerOptions,
  type TrainingBatch,
} from "../../train/index.js";
import { initialWeights } from "./initial-weights.js";

/** Options of {@link languageModelTrainer}. */
export interface LanguageModelOptions extends Omit<TrainerOptions, "parameters" | "inputs" | "loss"> {
  /** Configuration in `HookedTransformerConfig` words, or a Hugging Face `config.json`. */
  readonly model: Readonly<Record<string, unknown>>;
  /** Rows of one batch. */
  readonly batch: number;
  /** Tokens of one row; default the model's context. */
  readonly context?: number;
  /** Seed of the initial weights. Default 0. */
  readonly seed?: number;
  /** Weights to begin with, in a checkpoint's names and shapes; by default random ones. */
  readonly weights?: Readonly<Record<string, Tensor>>;
  /** Standard deviation of random embeddings and matrices. Default `0.8 / sqrt(dModel)`. */
  readonly initialStd?: number;
}

/** What goes into a model folder besides the weights. */
export interface WriteModelOptions {
  /** Writes the moving averages of the weights. */
  readonly averaged?: boolean;
  /** Folder whose tokenizer files are copied. */
  readonly tokenizerFolder?: string;
}

/** A language model in training. */
export interface LanguageModel {
  readonly trainer: Trainer;
  readonly blueprint: Blueprint;
  /** Tokens of one row. */
  readonly context: number;
  /**
   * Returns the batch of rows of token ids, each one longer than the context: every token but the last predicts the
   * next.
   *
   * @param learns - Tells which targets count, row by row; by default all.
   * @throws ShapeError for wrong sizes; TokenError for ids outside the vocabulary.
   */
  readonly batchOf: (
    rows: readonly ArrayLike<number>[],
    learns?: (row: number, target: number) => boolean,
  ) => TrainingBatch;
  /** Writes a folder that `loadModel` opens; it appears only when complete and replaces one of that name. */
  readonly writeModel: (folder: string, options?: WriteModelOptions) => Promise<void>;
}

function lossOf(plan: Blueprint, { rows, context }: { rows: number; context: number }): LossFunction {
  return ({ ops, parameter, batch, label }) => {
    const places = Array.from({ length: context }, (_, i) => i);
    const positions = ops.builder.constant(places, "int64", [1, context]);
    const logits = plan.logits(ops, { tokens: batch("tokens"), positions, weight: parameter, onHook: label });
    const flat = ops.reshape(logits, [rows, context, plan.config.dVocabOut]);
    const { loss, rule } = crossEntropy(ops, flat, batch("labels"));
    return { loss, gradients: { custom: [rule] } };
  };
}

/** Row lengths and ids are checked here: a graph would read outside its tables. */
function checkRow(
  row: ArrayLike<number>,
  index: number,
  { context, dVocab }: { context: number; dVocab: number },
): void {
  if (row.length !== context + 1)
    throw new ShapeError({
      where: `train-lm: row ${index} of a batch`,
      got: `${row.length} tokens`,
      expected: `${context + 1}: the context and one to predict at its end`,
      fix: "Cut rows of context + 1 tokens.",
    });
  for (let i = 0; i < row.length; i++) {
    const id = row[i] ?? -1;
    if (Number.isInteger(id) && id >= 0 && id < dVocab) continue;
    throw new TokenError({
      where: `train-lm: row ${index} of a batch, position ${i}`,
      got: `token id ${id}`,
      expected: `ids from 0 to ${dVocab - 1}`,
      fix: "Check that the model's d_vocab is that of the tokenizer.",
    });
  }
}

function checkSizes(rows: number, context: number, nCtx: number): void {
  const isFit = Number.isSafeInteger(context) && context >= 1 && context <= nCtx;
  if (Number.isSafeInteger(rows) && rows >= 1 && isFit) return;
  throw new InputError({
    where: "train-lm: batch and context",
    got: `${rows} rows of ${context} tokens`,
    expected: `whole numbers, at least 1 row of 1 to ${nCtx} tokens (the model's context)`,
    fix: "Correct `batch`, `context`, or the model's n_ctx.",
  });
}

const tokenizerFiles: readonly string[] = [
  "tokenizer.json",
  "tokenizer_config.json",
  "special_tokens_map.json",
  "generation_config.json",
  "chat_template.jinja",
];

async function copyTokenizer(from: string, to: string): Promise<void> {
  const present = new Set(await readdir(from));
  for (const name of tokenizerFiles) if (present.has(name)) await copyFile(join(from, name), join(to, name));
}

/** Keeps what was given of the options that belong to the trainer. */
function trainerOptions(options: LanguageModelOptions): Omit<TrainerOptions, "parameters" | "inputs" | "loss"> {
  const { model: _model, batch: _batch, context: _context, seed: _seed, weights: _weights, ...rest } = options;
  const { initialStd: _std, ...own } = rest;
  return own;
}

/**
 * Returns a trainer of a decoder with next-token cross-entropy.
 *
 * @throws InputError and UnsupportedError for wrong sizes or architectures, and what `Trainer.create` throws.
 */
export function languageModelTrainer(options: LanguageModelOptions): LanguageModel {
  const { model, batch: rows, seed = 0, initialStd } = options;
  const plan = blueprint(model, "train-lm: model");
  const { nCtx, dVocab } = plan.config;
  const context = options.context ?? nCtx;
  checkSizes(rows, context, nCtx);
  const std = initialStd === undefined ? {} : { std: initialStd };
  const parameters =
    options.weights === undefined ? initialWeights(plan, { seed, ...std }) : plan.fromCheckpoint(options.weights);
  const ids = { dtype: "int32", shape: [rows, context], axes: ["batch", "pos"] } as const;
  const trainer = Trainer.create({
    ...trainerOptions(options),
    parameters,
    inputs: { tokens: ids, labels: ids },
    loss: lossOf(plan, { rows, context }),
  });
  return {
    trainer,
    blueprint: plan,
    context,
    batchOf: (given, learns) => makeBatch(given, { rows, context, dVocab }, learns),
    writeModel: (folder, { averaged = false, tokenizerFolder } = {}) =>
      writeModel(folder, {
        weights: async () => plan.toCheckpoint(await trainer.parameters({ averaged })),
        raw: plan.config.raw,
        tokenizerFolder,
      }),
  };
}

interface BatchSizes {
  readonly rows: number;
  readonly context: number;
  readonly dVocab: number;
}

function makeBatch(
  given: readonly ArrayLike<number>[],
  sizes: BatchSizes,
  learns: ((row: number, target: number) => boolean) | undefined,
): TrainingBatch {
  const { rows, context } = sizes;
  if (given.length !== rows) throw wrongRows(given.length, rows);
  const [tokens, labels] = [new Int32Array(rows * context), new Int32Array(rows * context)];
  for (const [r, row] of given.entries()) {
    checkRow(row, r, sizes);
    for (let i = 0; i < context; i++) {
      tokens[r * context + i] = row[i] ?? 0;
      labels[r * context + i] = learns === undefined || learns(r, i + 1) ? (row[i + 1] ?? -1) : -1;
    }
  }
  const shape = [rows, context];
  return { tokens: { dtype: "int32", shape, data: tokens }, labels: { dtype: "int32", shape, data: labels } };
}

interface ModelFiles {
  readonly weights: () => Promise<Readonly<Record<string, Tensor>>>;
  readonly raw: Readonly<Record<string, unknown>>;
  readonly tokenizerFolder: string | undefined;
}

async function writeModel(folder: string, { weights, raw, tokenizerFolder }: ModelFiles): Promise<void> {
  const tensors = await weights();
  await mkdir(join(folder, ".."), { recursive: true });
  await withAtomicFolder(
    folder,
    async (inside) => {
      await writeSafetensors(join(inside, "model.safetensors"), tensors);
      await writeFileAtomic(join(inside, "config.json"), `${JSON.stringify(raw, undefined, 2)}\n`);
      if (tokenizerFolder !== undefined) await copyTokenizer(tokenizerFolder, inside);
    },
    { ifExists: "replace" },
  );
}

function wrongRows(got: number, expected: number): ShapeError {
  return new ShapeError({
    where: "train-lm: batch",
    got: `${got} rows`,
    expected: `${expected}, the batch of this trainer`,
    fix: "Give as many rows as `batch` says.",
  });
}
