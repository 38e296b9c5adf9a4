/**
 * Remakes the dictionaries of the embedded model: `npm run train:dictionaries [-- --threads N] [--only mlp.4]`.
 *
 * Transcoders of every MLP and an SAE of the stream after every layer, all in one pass over rows like those that the model
 * was trained on. Resumable; the result is the same bits on the same machine.
 */
import { rmSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { progressReporter } from "../../src/core/index.js";
import { data } from "../../src/data/index.js";
import {
  type Dictionary,
  DictionarySet,
  type DictionarySpec,
  evaluateDictionary,
  saveDictionary,
  saveDictionarySet,
  trainDictionaries,
} from "../../src/dictionary/index.js";
import { at, loadModel, type Model } from "../../src/model/index.js";
import { fixtures } from "../train-tiny/paths.js";
import { makeRows, type RowSource } from "../train-tiny/rows.js";
import { openSource } from "../train-tiny/train.js";
import { openStream, openVocabulary } from "../train-tiny/vocabulary.js";
import { writeCard } from "./card.js";

export const settings = {
  width: 1024,
  k: 24,
  batch: 1024,
  steps: 1500,
  rows: 6000,
  seed: 0,
  learningRate: 1e-3,
} as const;

const cache = join(fixtures, "..", ".cache", "train-dictionaries");

function specs(model: Model): readonly DictionarySpec[] {
  const { width, k } = settings;
  const layers = Array.from({ length: model.config.nLayers }, (_, layer) => layer);
  const shared = { architecture: "batch_topk", width, k } as const;
  return layers.flatMap((layer) => [
    { ...shared, name: `mlp.${layer}`, from: `blocks.${layer}.ln2.hook_normalized`, to: at.mlpOut(layer) },
    { ...shared, name: `resid_post.${layer}`, from: at.residPost(layer) },
  ]);
}

/** Rows of the training mix as documents. */
function documents(source: RowSource, seed: number, count: number): ReturnType<typeof data.tokens> {
  return data.tokens(makeRows(source, seed, count, 1).map(({ ids }) => ids.subarray(0, 256)));
}

interface TrainOptions {
  readonly threads: number;
  /** Trains this one alone. */
  readonly only: string | undefined;
}

async function train(model: Model, source: RowSource, { threads, only }: TrainOptions): Promise<readonly Dictionary[]> {
  const { batch, steps, rows, seed, learningRate } = settings;
  const report = progressReporter({ sink: process.stderr });
  const chosen = specs(model).filter(({ name }) => only === undefined || name === only);
  const { dictionaries } = await trainDictionaries(model, documents(source, 11, rows), chosen, {
    batch,
    steps,
    seed,
    learningRate,
    contextLength: 256,
    threads,
    folder: only === undefined ? cache : `${cache}-${only}`,
    checkpointEvery: 250,
    onProgress: report,
  });
  return dictionaries;
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: { threads: { type: "string", default: "2" }, only: { type: "string" } },
  });
  const model = await loadModel("tiny");
  const tokenizer = await openVocabulary();
  const source = await openSource(tokenizer);
  const { only } = values;
  const trained = await train(model, source, { threads: Number(values.threads), only });
  const heldOut = { ...source, text: (await openStream("test", tokenizer)).ids };
  const rows = documents(heldOut, 12, 128);
  if (only !== undefined) {
    // Beside the shipped ones, which were trained together.
    for (const one of trained) console.log(String(await evaluateDictionary(model, one, rows)), `\nin ${cache}-${only}`);
    await model.close();
    return;
  }
  const measured = async (name: string, kind: string): Promise<DictionarySet> => {
    const set = new DictionarySet(
      name,
      trained.filter((one) => one.name.startsWith(kind)),
    );
    const evaluation = await evaluateDictionary(model, set, rows);
    writeCard(join(cache, `${kind}.md`), evaluation);
    return new DictionarySet(
      name,
      set.dictionaries.map((one, i) => {
        const found = evaluation.evaluations[i];
        return found === undefined ? one : one.withStatistics(found.statistics);
      }),
    );
  };
  const [transcoders, saes] = [
    await measured("tiny/transcoders", "mlp"),
    await measured("tiny/resid_post", "resid_post"),
  ];
  const folder = join(fixtures, "dictionaries", "tiny");
  rmSync(folder, { recursive: true, force: true });
  await saveDictionarySet(transcoders, join(folder, "transcoders"), { dtype: "float16" });
  for (const one of saes) await saveDictionary(one, join(folder, one.name), { dtype: "float16" });
  await model.close();
}

await main();
