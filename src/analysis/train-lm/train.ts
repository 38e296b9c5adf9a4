/** From a recipe to a trained model in a folder. */
import { mkdir } from "node:fs/promises";
import { join, resolve } from "node:path";
import { InputError, type LongCallOptions } from "../../core/index.js";
import type { TokenizerLike } from "../../data/index.js";
import { writeFileAtomic } from "../../io/index.js";
import { openTokenizer } from "../../model/index.js";
import {
  adam,
  adamW,
  lion,
  type MetricSeries,
  type Optimizer,
  rowOrder,
  type Schedule,
  type StepRecord,
  schedule,
  sgd,
  type TrainOptions,
} from "../../train/index.js";
import { byteEndId, byteTokenizer, writeByteTokenizer } from "./byte-tokenizer.js";
import { given } from "./fields.js";
import { type LanguageModel, languageModelTrainer } from "./language-model.js";
import type { LanguageModelRecipe, OptimizerRecipe, ScheduleRecipe } from "./recipe.js";
import { readRows, type TokenRows } from "./rows.js";

/** Options of {@link trainLanguageModel}. */
export interface TrainLanguageModelOptions extends LongCallOptions {
  /** What paths of the recipe are relative to. Default: the working folder. */
  readonly folder?: string;
  /** Threads of the runtime. Default: physical cores. */
  readonly threads?: number;
  /** Is told about every step. */
  readonly onStep?: (record: StepRecord) => void;
}

/** A finished run. */
export interface LanguageModelRun {
  /** The folder that `loadModel` opens. */
  readonly model: string;
  /** The log, which `readMetrics` reads. */
  readonly log: string;
  readonly steps: number;
  /** The step that the run was continued from; 0 for a new one. */
  readonly resumedAt: number;
  /** Trained numbers. */
  readonly parameters: number;
  /** Tokens of one epoch. */
  readonly tokens: number;
  readonly metrics: MetricSeries;
}

interface Vocabulary {
  readonly tokenizer: TokenizerLike | undefined;
  /** Ids of the tokenizer; undefined without one. */
  readonly size: number | undefined;
  /** Where its files lie. */
  readonly folder: string | undefined;
}

async function openVocabulary(tokenizer: string | undefined, base: string, out: string): Promise<Vocabulary> {
  if (tokenizer === undefined) return { tokenizer: undefined, size: undefined, folder: undefined };
  if (tokenizer === "bytes") {
    const folder = join(out, "tokenizer");
    await writeByteTokenizer(folder);
    return { tokenizer: byteTokenizer, size: byteEndId + 1, folder };
  }
  const folder = resolve(base, tokenizer);
  const opened = await openTokenizer(folder);
  return { tokenizer: opened, size: opened.vocabSize, folder };
}

/** Words for the size of the vocabulary, TransformerLens's and Hugging Face's. */
const vocabularyKeys = ["d_vocab", "vocab_size"];

/** The configuration with the vocabulary's size, which must cover the tokenizer. */
function withVocabulary(
  model: Readonly<Record<string, unknown>>,
  size: number | undefined,
): Readonly<Record<string, unknown>> {
  const key = vocabularyKeys.find((one) => model[one] !== undefined);
  if (size === undefined) return model;
  if (key === undefined) return { ...model, [model["model_type"] === undefined ? "d_vocab" : "vocab_size"]: size };
  if (Number(model[key]) >= size) return model;
  throw new InputError({
    where: `train-lm: model "${key}"`,
    got: String(model[key]),
    expected: `at least ${size}, the ids of the tokenizer`,
    fix: "Raise it, or leave it out.",
  });
}

function optimizerOf(recipe: OptimizerRecipe = { name: "adamW" }): Optimizer {
  const { name: _, ...options } = recipe;
  const makers = {
    adamW: () => adamW(options),
    adam: () => adam(options),
    sgd: () => sgd(options),
    lion: () => lion(options),
  };
  return makers[recipe.name]();
}

function scheduleOf({ warmup = 0, shape = "constant", final = 0, hold = 0 }: ScheduleRecipe, steps: number): Schedule {
  const rest = Math.max(1, steps - warmup);
  const body = shape === "constant" ? schedule.constant() : schedule[shape]({ steps: rest, final, hold });
  return warmup === 0 ? body : schedule.warmup(warmup, body);
}

function makeModel(recipe: LanguageModelRecipe, vocabulary: Vocabulary, threads: number | undefined): LanguageModel {
  const { batch, context, steps, clip, accumulate, groups, average, seed, initialStd } = recipe;
  return languageModelTrainer({
    model: withVocabulary(recipe.model, vocabulary.size),
    batch,
    optimizer: optimizerOf(recipe.optimizer),
    schedule: scheduleOf(recipe.schedule ?? {}, steps),
    ...given({ context, clip, accumulate, groups, average, seed, initialStd, threads }),
  });
}

/** What decides the numbers of a run: everything but its length, its place and how often it is saved. */
function identityOf(recipe: LanguageModelRecipe, rows: TokenRows): unknown {
  const { steps: _, out: _out, checkpointEvery: _every, keepCheckpoints: _keep, ...rest } = recipe;
  const { evaluateEvery: _often, evaluateBatches: _many, ...identity } = rest;
  return { recipe: identity, data: rows.hash };
}

/** Mean loss over the first validation batches. */
async function validate(
  { trainer, batchOf }: LanguageModel,
  rows: readonly Int32Array[],
  { batch, evaluateBatches = 16, average }: LanguageModelRecipe,
): Promise<number> {
  const batches = Math.min(evaluateBatches, Math.floor(rows.length / batch));
  let sum = 0;
  for (let i = 0; i < batches; i++) {
    const some = rows.slice(i * batch, (i + 1) * batch);
    sum += (await trainer.evaluate(batchOf(some), { averaged: average !== undefined })).loss;
  }
  return sum / batches;
}

function checkValidation({ train, validation }: TokenRows, { batch, data }: LanguageModelRecipe): void {
  if ((data.validation ?? 0) === 0 || validation.length >= batch) return;
  throw new InputError({
    where: "train-lm: data.validation",
    got: `${validation.length} rows of ${train.length + validation.length}`,
    expected: `at least one batch of ${batch}`,
    fix: "Raise the share, give more text, or leave it out.",
  });
}

function trainOptions(
  recipe: LanguageModelRecipe,
  model: LanguageModel,
  rows: TokenRows,
): Omit<TrainOptions, "onStep" | "folder"> {
  const { batch, steps, seed = 0, keepCheckpoints } = recipe;
  const tenth = Math.max(1, Math.round(steps / 10));
  const order = rowOrder({ rows: rows.train.length, batch, seed });
  const isMeasured = rows.validation.length > 0;
  const measure = async (): Promise<Record<string, number>> => ({
    validationLoss: await validate(model, rows.validation, recipe),
  });
  return {
    steps,
    batches: (index) => model.batchOf(Array.from(order(index), (row) => rows.train[row] ?? new Int32Array(0))),
    checkpointEvery: recipe.checkpointEvery ?? tenth,
    about: identityOf(recipe, rows),
    ...given({ keepCheckpoints }),
    ...(isMeasured ? { evaluate: { every: recipe.evaluateEvery ?? tenth, measure } } : {}),
  };
}

/**
 * Trains a language model by a recipe: reads its data, trains, logs, and writes `OUT/model`.
 *
 * Calling it again continues from the last checkpoint in `OUT/checkpoints`, bit for bit; a finished run with more `steps`
 * goes on where its schedule allows that.
 *
 * @throws InputError for a wrong recipe, or an `out` that holds a run of another one (it lists what differs);
 *   AbortedError when the signal stops it, after a checkpoint; NumericError when the loss is not finite.
 */
export async function trainLanguageModel(
  recipe: LanguageModelRecipe,
  options: TrainLanguageModelOptions = {},
): Promise<LanguageModelRun> {
  const { folder: base = ".", signal, onProgress, onStep, threads } = options;
  const out = resolve(base, recipe.out);
  const vocabulary = await openVocabulary(recipe.tokenizer, base, out);
  const model = makeModel(recipe, vocabulary, threads);
  const long = given({ signal, onProgress });
  try {
    const files = recipe.data.files.map((file) => resolve(base, file));
    const source = { tokenizer: vocabulary.tokenizer, length: model.context + 1, seed: recipe.seed ?? 0, ...long };
    const rows = await readRows(recipe.data, files, source);
    checkValidation(rows, recipe);
    await mkdir(out, { recursive: true });
    const result = await model.trainer.train({
      ...trainOptions(recipe, model, rows),
      folder: out,
      ...long,
      ...given({ onStep }),
    });
    const target = join(out, "model");
    await model.writeModel(target, {
      averaged: recipe.average !== undefined,
      ...given({ tokenizerFolder: vocabulary.folder }),
    });
    await writeFileAtomic(join(out, "recipe.json"), `${JSON.stringify(recipe, undefined, 2)}\n`);
    const parameters = [...model.blueprint.weights.values()].map(({ shape }) => shape.reduce((n, size) => n * size, 1));
    return {
      model: target,
      log: join(out, "metrics.jsonl"),
      steps: result.steps,
      resumedAt: result.resumedAt,
      parameters: parameters.reduce((sum, size) => sum + size, 0),
      tokens: rows.train.length * model.context,
      metrics: result.metrics,
    };
  } finally {
    await model.trainer.close();
  }
}
