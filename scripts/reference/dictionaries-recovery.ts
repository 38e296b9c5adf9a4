/**
 * How well each architecture finds planted features: `npx tsx scripts/reference/dictionaries-recovery.ts [SEEDS] [STEPS]`.
 *
 * 64 dimensions, 128 features, each on a token with probability 0.03; the mean cosine is over all true features under an
 * optimal matching. L0 is that of the dictionary in use, on tokens that were not trained on.
 */
import {
  type ArchitectureConfig,
  type Dictionary,
  matchFeatures,
  type PlantedFeatures,
  plantedFeatures,
  trainDictionaryOn,
} from "../../src/dictionary/index.js";
import { Tensor } from "../../src/tensor/index.js";

const tokens = 100_000;
const target = 4;

const architectures: readonly ArchitectureConfig[] = [
  { name: "standard", targetL0: target },
  { name: "gated", targetL0: target },
  { name: "topk", k: target },
  { name: "batch_topk", k: target },
  { name: "jumprelu", targetL0: target },
  { name: "matryoshka_batch_topk", k: target },
];

async function meanL0(dictionary: Dictionary, world: PlantedFeatures): Promise<number> {
  const acts = await dictionary.encode(world.batch(999, 4096).x);
  return Array.from(acts.data, Number).filter((value) => value > 0).length / 4096;
}

async function measure(architecture: ArchitectureConfig, seed: number, steps: number): Promise<string> {
  const world = plantedFeatures({ d: 64, features: 128, p: 0.03, seed });
  const { dictionary, summary } = await trainDictionaryOn(
    { planted: world.batch(0, tokens).x },
    { from: "planted", architecture, width: 128, batch: 1024, steps, seed, learningRate: 1e-2 },
  );
  const decoder = dictionary.weight("W_dec");
  if (!(decoder instanceof Tensor)) throw new Error("weights in memory");
  const recovery = matchFeatures(decoder, world.directions);
  const l0 = await meanL0(dictionary, world);
  return `${architecture.name.padEnd(22)} seed ${seed}: ${recovery.toString().split(": ")[1]}, L0 ${l0.toFixed(2)}, ${summary.seconds.toFixed(0)} s`;
}

async function main(): Promise<void> {
  const [seeds = 3, steps = 3000] = process.argv.slice(2).map(Number);
  for (const architecture of architectures)
    for (let seed = 0; seed < seeds; seed++) console.log(await measure(architecture, seed, steps));
}

await main();
