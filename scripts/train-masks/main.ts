/**
 * Remakes the masks of the embedded model: `npm run train:masks [-- --threads N]`.
 *
 * A mask towards the bigrams of the text that the model was trained on, at several sparsities, of which the smallest is taken
 * whose correlation is within 0.04 of that of λ = 0; and one towards the model itself ("optimal"), as sparse as gives a mask of
 * about the same size. Steps are fewer and larger than the paper's, for a model of 2.7 million weights.
 */
import { mkdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { progressReporter } from "../../src/core/index.js";
import { writeSafetensors } from "../../src/io/index.js";
import {
  countBigrams,
  saveBigrams,
  surprisalCorrelation,
  sweepSparsity,
  trainMask,
  weightMask,
} from "../../src/masks/index.js";
import { edit, loadModel, type Model } from "../../src/model/index.js";
import { Tensor } from "../../src/tensor/index.js";
import { fixtures } from "../train-tiny/paths.js";
import { makeRows, type RowSource } from "../train-tiny/rows.js";
import { openSource } from "../train-tiny/train.js";
import { openStream, openVocabulary } from "../train-tiny/vocabulary.js";

export const settings = {
  batch: 16,
  context: 64,
  maxSteps: 700,
  learningRate: 2e-3,
  betaGrowth: 1.011,
  counted: 40_000,
  trained: 4_000,
  sparsities: [0, 10, 50],
  optimal: 30,
  /** Rows of held-out text that come with the masks. */
  shown: 64,
} as const;

function rowsOf(source: RowSource, seed: number, count: number, length: number): readonly Int32Array[] {
  const all = makeRows(source, seed, count, 1).map(({ ids }) => Int32Array.from(ids.subarray(0, length)));
  return all.filter((row) => row.length === length);
}

async function main(): Promise<void> {
  const { values } = parseArgs({ options: { threads: { type: "string", default: "2" } } });
  const threads = Number(values.threads);
  const model = await loadModel("tiny");
  const tokenizer = await openVocabulary();
  const source = await openSource(tokenizer);
  const table = await countBigrams(rowsOf(source, 21, settings.counted, 256), { vocabulary: model.config.dVocab });
  const heldOut = { ...source, text: (await openStream("test", tokenizer)).ids };
  const test = rowsOf(heldOut, 22, 200, 128);
  const train = rowsOf(source, 23, settings.trained, settings.context);
  const measure = async (one: Model): Promise<string> => String(await surprisalCorrelation(one, table, test));
  const lines = [String(table), `whole model: ${await measure(model)}`];
  lines.push(`no weight: ${await measure(model.with(edit.keepWeights(weightMask.empty(model))))}`);
  const { sparsities, batch, context, maxSteps, learningRate, betaGrowth } = settings;
  const sweep = await sweepSparsity(
    model,
    train,
    { table, rows: test },
    {
      ...{ sparsities, batch, context, maxSteps, learningRate, betaGrowth, threads },
      attempts: 1,
      onProgress: progressReporter({ sink: process.stderr }),
    },
  );
  lines.push(String(sweep));
  const optimal = await trainMask(model, train, {
    ...{ target: "model", sparsity: settings.optimal, batch, context, maxSteps, learningRate, betaGrowth, threads },
    attempts: 1,
    onProgress: progressReporter({ sink: process.stderr }),
  });
  lines.push(`${String(optimal)}\n  ${await measure(model.with(edit.keepWeights(optimal.mask)))}`);
  const folder = join(fixtures, "masks", "tiny");
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  await weightMask.save(join(folder, "bigram"), sweep.best.training.mask);
  await weightMask.save(join(folder, "optimal"), optimal.mask);
  await saveBigrams(join(folder, "bigrams.safetensors"), table);
  const shown = test.slice(0, settings.shown);
  const ids = Int32Array.from(shown.flatMap((row) => [...row]));
  await writeSafetensors(join(folder, "text.safetensors"), {
    tokens: Tensor.of(ids, [shown.length, 128], ["batch", "pos"]),
  });
  console.log(lines.join("\n"));
  await model.close();
}

await main();
