/**
 * Transcoders against SAEs of the same MLP's output, and the prefixes of a Matryoshka SAE, on the embedded model:
 * `npm run train:frontier [-- --steps N]`.
 *
 * All see the same tokens in one pass and have the same width; at each k, three seeds. What is compared is the loss of the
 * model with the dictionary in the MLP's place, at the L0 that each has in use, on text that was held out.
 */
import { join } from "node:path";
import { parseArgs } from "node:util";
import { progressReporter } from "../../src/core/index.js";
import { data } from "../../src/data/index.js";
import {
  type Dictionary,
  type DictionarySpec,
  dictionaryPrefix,
  evaluateDictionary,
  trainDictionaries,
} from "../../src/dictionary/index.js";
import { at, loadModel, type Model } from "../../src/model/index.js";
import { fixtures } from "../train-tiny/paths.js";
import { makeRows, type RowSource } from "../train-tiny/rows.js";
import { openSource } from "../train-tiny/train.js";
import { openStream, openVocabulary } from "../train-tiny/vocabulary.js";

const layer = 3;
const width = 1024;
const seeds = [0, 1, 2];
const sparsities = [8, 16, 32];
const matryoshka = "matryoshka";

function specs(): readonly DictionarySpec[] {
  const shared = { architecture: "batch_topk", width, to: at.mlpOut(layer) } as const;
  const pairs = sparsities.flatMap((k) =>
    seeds.flatMap((seed) => [
      { ...shared, k, seed, name: `transcoder, k ${k}, seed ${seed}`, from: `blocks.${layer}.ln2.hook_normalized` },
      { ...shared, k, seed, name: `SAE, k ${k}, seed ${seed}`, from: at.mlpOut(layer) },
    ]),
  );
  const nested = { architecture: "matryoshka_batch_topk", width, k: 24 } as const;
  return [
    ...pairs,
    ...seeds.map((seed) => ({ ...nested, seed, name: `${matryoshka}, seed ${seed}`, from: at.residPost(layer) })),
  ];
}

/** Rows of the training mix. */
function rowsOf(source: RowSource, seed: number, count: number): readonly Int32Array[] {
  return makeRows(source, seed, count, 1).map(({ ids }) => ids.subarray(0, 256));
}

async function row(model: Model, dictionary: Dictionary, rows: ReturnType<typeof data.tokens>): Promise<string> {
  const { l0, reconstruction, losses, dead } = await evaluateDictionary(model, dictionary, rows);
  const ce =
    losses === undefined
      ? ""
      : `${losses.clean.toFixed(4)} | ${losses.spliced.toFixed(4)} | ${losses.score.toFixed(4)}`;
  return `| ${dictionary.name} | ${l0.toFixed(1)} | ${reconstruction.fvu.toFixed(4)} | ${ce} | ${dead.count} |`;
}

async function main(): Promise<void> {
  const { values } = parseArgs({ options: { steps: { type: "string", default: "800" } } });
  const model = await loadModel("tiny");
  const tokenizer = await openVocabulary();
  const source = await openSource(tokenizer);
  const steps = Number(values.steps);
  const { dictionaries } = await trainDictionaries(model, data.tokens(rowsOf(source, 21, 4000)), specs(), {
    batch: 1024,
    steps,
    seed: 0,
    learningRate: 1e-3,
    contextLength: 256,
    threads: 2,
    folder: join(fixtures, "..", ".cache", `train-frontier-${steps}`),
    checkpointEvery: 100,
    onProgress: progressReporter({ sink: process.stderr }),
  });
  const test = rowsOf({ ...source, text: (await openStream("test", tokenizer)).ids }, 22, 64);
  // A document gets its BOS when it is run; rows that happen to begin with one would have two.
  const heldOut = data.tokens(test.filter(([first]) => first !== tokenizer.bosId));
  console.log("| dictionary | L0 | FVU | CE clean | CE spliced | CE score | dead |\n|---|---|---|---|---|---|---|");
  for (const dictionary of dictionaries) {
    const nested = dictionary.name.startsWith(matryoshka) ? (dictionary.config.prefixes ?? []) : [width];
    for (const features of nested)
      console.log(
        await row(model, features === width ? dictionary : await dictionaryPrefix(dictionary, features), heldOut),
      );
  }
  await model.close();
}

await main();
