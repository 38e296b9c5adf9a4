/** The recipe, and the run: resumable, the same numbers wherever it was stopped. */
import { join } from "node:path";
import { type LanguageModel, languageModelTrainer } from "../../src/analysis/index.js";
import { initialWeights } from "../../src/analysis/train-lm/initial-weights.js";
import { createRandom } from "../../src/core/index.js";
import { blueprint, type Tokenizer } from "../../src/model/index.js";
import { Tensor } from "../../src/tensor/index.js";
import { muon, type StepRecord, schedule } from "../../src/train/index.js";
import { cache } from "./paths.js";
import { makeRow, makeRows, makeSentences, type Row, type RowKind, type RowSource } from "./rows.js";
import { contextLength, openStream, vocabularySize } from "./vocabulary.js";

/** One model of the family; all are trained alike. */
export interface Edition {
  readonly name: string;
  readonly layers: number;
  readonly steps: number;
}

/** The embedded model, and a smaller depth of the same recipe. */
export const editions: readonly Edition[] = [
  { name: "tiny", layers: 6, steps: 3_800 },
  { name: "tiny-2l", layers: 2, steps: 3_800 },
];

export const width = 192;
const [seed, batch] = [1, 8];

/** The configuration, as Hugging Face writes it for GPT-2. */
export function configOf(layers: number, endId: number): Readonly<Record<string, unknown>> {
  return {
    architectures: ["GPT2LMHeadModel"],
    model_type: "gpt2",
    activation_function: "gelu_new",
    attn_pdrop: 0,
    bos_token_id: endId,
    embd_pdrop: 0,
    eos_token_id: endId,
    initializer_range: 0.02,
    layer_norm_epsilon: 1e-5,
    n_ctx: contextLength,
    n_embd: width,
    n_head: 6,
    n_inner: null,
    n_layer: layers,
    n_positions: contextLength,
    reorder_and_upcast_attn: false,
    resid_pdrop: 0,
    scale_attn_by_inverse_layer_idx: false,
    scale_attn_weights: true,
    tie_word_embeddings: true,
    use_cache: true,
    vocab_size: vocabularySize,
  };
}

/** Waves of many lengths: heads that attend to the token before form early from them. */
function positionWaves(): Tensor {
  const [data, amplitude] = [new Float32Array(contextLength * width), 0.1];
  for (let pos = 0; pos < contextLength; pos++) {
    for (let i = 0; i < width; i += 2) {
      const angle = pos / 1000 ** (i / width);
      data[pos * width + i] = amplitude * Math.sin(angle);
      data[pos * width + i + 1] = amplitude * Math.cos(angle);
    }
  }
  return Tensor.of(data, [contextLength, width]);
}

/** How long a run is, and on how many threads. */
export interface RunSettings {
  readonly threads: number;
  readonly onStep: (record: StepRecord) => void;
}

/** Makes the trainer of an edition. */
export function createModel({ layers, steps }: Edition, endId: number, threads: number): LanguageModel {
  const model = configOf(layers, endId);
  const plan = blueprint(model, "train-tiny");
  const random = initialWeights(plan, { seed, std: 0.02 });
  return languageModelTrainer({
    model,
    batch,
    weights: plan.toCheckpoint({ ...random, "transformer.wpe.weight": positionWaves() }),
    optimizer: muon({
      matrices: "transformer.h.*.*.*.weight",
      sideBySide: { "transformer.h.*.attn.c_attn.weight": 3 },
      learningRate: 0.01,
      weightDecay: 0.1,
      adamW: { learningRate: 1.5e-3, beta2: 0.98 },
    }),
    groups: [
      {
        match: [
          "transformer.w*.weight",
          "transformer.**.bias",
          "transformer.ln_f.weight",
          "transformer.h.*.ln_*.weight",
        ],
        weightDecay: 0,
      },
    ],
    schedule: schedule.warmup(100, schedule.cosine({ steps: steps - 100, final: 0.03 })),
    clip: { norm: 1 },
    threads,
  });
}

/** Opens everything that rows are made from. */
export async function openSource(tokenizer: Tokenizer): Promise<RowSource> {
  const { ids } = await openStream("train", tokenizer);
  return { text: ids, sentences: makeSentences(tokenizer), endId: vocabularySize - 1 };
}

function batchOf({ batchOf: make }: LanguageModel, rows: readonly Row[]): ReturnType<LanguageModel["batchOf"]> {
  return make(
    rows.map(({ ids }) => ids),
    (row, target) => target >= (rows[row]?.learnsFrom ?? 0),
  );
}

/** Loss of each kind of row on rows that are not trained on (sentences and random blocks anew, text held out). */
async function lossByKind(model: LanguageModel, source: RowSource): Promise<Record<string, number>> {
  const losses: Record<string, number> = {};
  for (const kind of ["text", "tasks", "repeats"] as const satisfies readonly RowKind[]) {
    const random = createRandom(99);
    const rows = Array.from({ length: batch }, () => makeRow(kind, source, random));
    losses[`${kind}Loss`] = (await model.trainer.evaluate(batchOf(model, rows))).loss;
  }
  return losses;
}

/** Trains an edition, or goes on where it was stopped; returns the model. */
export async function train(
  edition: Edition,
  tokenizer: Tokenizer,
  { threads, onStep }: RunSettings,
): Promise<LanguageModel> {
  const source = await openSource(tokenizer);
  const heldOut = { ...source, text: (await openStream("tune", tokenizer)).ids };
  const model = createModel(edition, source.endId, threads);
  await model.trainer.train({
    steps: edition.steps,
    batches: (index) => batchOf(model, makeRows(source, seed * 1_000_000 + index, batch, index / edition.steps)),
    folder: join(cache, edition.name),
    checkpointEvery: 100,
    about: { rows: 1, ...edition },
    evaluate: { every: 100, measure: () => lossByKind(model, heldOut) },
    onStep,
  });
  return model;
}
