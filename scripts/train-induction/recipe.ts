/** What is trained, on which rows, and how long: everything that decides the numbers of the run. */
import { type LanguageModel, languageModelTrainer } from "../../src/analysis/index.js";
import { createRandom } from "../../src/core/index.js";
import { adamW, schedule } from "../../src/train/index.js";

/** Token ids of the vocabulary. */
export const vocabulary = 64;
/** Tokens that the model reads. */
export const context = 48;
/** Rows of a batch. */
export const batch = 64;
/** Shortest and longest block. The block's length varies, so that no fixed distance gives the next token. */
export const periods: readonly [number, number] = [6, 24];
/** Updates in all. */
export const steps = 800;
/** The highest learning rate. */
export const learningRate = 0.002;
/** Seed of the initial weights; batch `i` is drawn from seed `i`. */
export const seed = 0;
/** Steps whose weights are kept: dense where the heads form. */
export const kept: readonly number[] = [0, 50, 100, 150, 175, 200, 225, 250, 275, 300, 350, 400, 500, 650, 800];
/** Steps between measurements on held-out rows. */
export const evaluateEvery = 25;

/** The model in `HookedTransformerConfig` words. */
export const model: Readonly<Record<string, unknown>> = {
  ["n_layers"]: 2,
  ["d_model"]: 64,
  ["n_ctx"]: context,
  ["d_head"]: 16,
  ["n_heads"]: 4,
  ["d_vocab"]: vocabulary,
  ["attn_only"]: true,
  ["normalization_type"]: "LN",
  ["positional_embedding_type"]: "standard",
  ["model_name"]: "attn-only-2l",
};

/** Rows of a batch, and the length of each row's block. */
export interface Rows {
  readonly rows: readonly (readonly number[])[];
  readonly periods: readonly number[];
}

const ids: readonly number[] = Array.from({ length: vocabulary }, (_, id) => id);

/** Returns rows of `context + 1` ids: a block of different random ids, again and again. */
export function drawRows(from: number, [shortest, longest]: readonly [number, number] = periods): Rows {
  const random = createRandom(from);
  const lengths = Array.from({ length: batch }, () => random.int(shortest, longest + 1));
  const rows = lengths.map((period) => {
    const block = random.shuffle(ids).slice(0, period);
    return Array.from({ length: context + 1 }, (_, i) => block[i % period] ?? 0);
  });
  return { rows, periods: lengths };
}

/** Returns rows that no batch holds, each a block of 24 twice (and the first token once more, to be predicted). */
export function heldOutRows(): Rows {
  return drawRows(-1, [context / 2, context / 2]);
}

/** Returns the trainer of the run. */
export function createTrainer(): LanguageModel {
  return languageModelTrainer({
    model,
    batch,
    seed,
    optimizer: adamW({ learningRate, beta2: 0.99, weightDecay: 0.1 }),
    schedule: schedule.warmup(50, schedule.cosine({ steps: steps - 50, final: 0.1 })),
    clip: { norm: 1 },
    // Two threads round alike wherever there are two cores.
    threads: 2,
  });
}

/** Returns the batch of rows; tokens count once their block has come a first time. */
export function batchOf({ batchOf: make }: LanguageModel, { rows, periods: lengths }: Rows): ReturnType<typeof make> {
  return make(rows, (row, target) => target > (lengths[row] ?? 0));
}
