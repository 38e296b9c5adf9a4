/**
 * A step of mask training against a step of language-model training of the same shape, and counting of bigrams.
 *
 * Both steps are limpid's own, on the same GPT-2 shape and the same rows: what continuous sparsification costs on top of
 * training. A mask step includes writing the table's probabilities for the batch. Rounds of both alternate. Run by hand:
 * `npx tsx bench/masks.ts step|count`, each in a process of its own.
 */
import { readFileSync } from "node:fs";
import { languageModelTrainer } from "../src/analysis/index.js";
import { createRandom } from "../src/core/index.js";
import { countBigrams } from "../src/masks/index.js";
import { sparsifyDefinition } from "../src/masks/train/sparsify.js";
import { Tensor } from "../src/tensor/index.js";
import { adamW, Trainer } from "../src/train/index.js";
import { median, spread, timed } from "./stats.js";

const random = createRandom(0);
const [layers, width, heads, rows, context, vocabulary] = [4, 256, 4, 16, 128, 4096];
const model = {
  model_type: "gpt2",
  n_layer: layers,
  n_embd: width,
  n_head: heads,
  n_positions: context,
  vocab_size: vocabulary,
  activation_function: "gelu_new",
  layer_norm_epsilon: 1e-5,
};

function draw(count: number, length: number): readonly Int32Array[] {
  return Array.from({ length: count }, () => Int32Array.from({ length }, () => random.int(0, vocabulary)));
}

async function steps(): Promise<void> {
  const optimizer = adamW({ learningRate: 1e-4, weightDecay: 0.01 });
  const language = languageModelTrainer({ model, batch: rows, optimizer, threads: 2 });
  const batch = language.batchOf(draw(rows, context + 1));
  const plan = language.blueprint;
  const masked = [...plan.weights].flatMap(([name, { role }]) => (role === "matrix" ? [name] : []));
  const weights = await language.trainer.parameters();
  const spec = { plan, weights, masked, rows, context, targetIsModel: false, sparsity: 10, betaGrowth: 1.001 };
  const masks = Trainer.create({ ...sparsifyDefinition(spec), optimizer, threads: 2 });
  const ids = draw(rows, context);
  const table = await countBigrams(draw(2000, context), { vocabulary });
  const tokens = Int32Array.from(ids.flatMap((row) => [...row]));
  const maskStep = (): Promise<unknown> => {
    const probabilities = new Float32Array(tokens.length * vocabulary);
    table.fill(tokens, probabilities);
    const target = Tensor.of(probabilities, [rows, context, vocabulary]);
    return masks.step({ tokens: Tensor.of(tokens, [rows, context]), target });
  };
  const times: { readonly [side: string]: number[] } = { "language model": [], mask: [] };
  for (let round = 0; round < 8; round++) {
    const warmup = round === 0 ? 3 : 0;
    times["language model"]?.push(...(await timed(3, warmup, () => language.trainer.step(batch))));
    times["mask"]?.push(...(await timed(3, warmup, maskStep)));
  }
  const base = median(times["language model"] ?? []);
  for (const [side, values] of Object.entries(times))
    console.log(`| ${side} | ${spread(values)} | ${(median(values) / base).toFixed(2)} |`);
  await Promise.all([language.trainer.close(), masks.close()]);
}

async function counting(): Promise<void> {
  const tokens = 10_000_000;
  function* text(): Generator<Int32Array> {
    for (let i = 0; i < tokens / context; i++) {
      // Squared uniform draws: frequent tokens and rare ones, millions of different pairs.
      yield Int32Array.from({ length: context }, () => Math.floor(vocabulary * random.uniform() ** 2));
    }
  }
  const start = performance.now();
  const table = await countBigrams(text(), { vocabulary });
  const seconds = (performance.now() - start) / 1000;
  const peak = Number(/VmHWM:\s+(\d+) kB/.exec(readFileSync("/proc/self/status", "utf8"))?.[1]) / 1024;
  console.log(`| ${String(table)} | ${seconds.toFixed(1)} s | ${peak.toFixed(0)} MB |`);
}

await (process.argv[2] === "count" ? counting() : steps());
