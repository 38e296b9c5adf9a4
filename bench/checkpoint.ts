/** A GPT-2-small-shaped random checkpoint of 500 MB, made once in the project's cache folder. */
import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { createRandom } from "../src/core/index.js";
import { type TensorPlan, writeSafetensorsStream } from "../src/io/index.js";

const config = {
  architectures: ["GPT2LMHeadModel"],
  model_type: "gpt2",
  n_layer: 12,
  n_head: 12,
  n_embd: 768,
  n_positions: 1024,
  vocab_size: 50257,
  activation_function: "gelu_new",
  layer_norm_epsilon: 1e-5,
  tie_word_embeddings: true,
};

function plans(): readonly TensorPlan[] {
  const d = config.n_embd;
  const plan = (name: string, shape: readonly number[]): TensorPlan => ({
    name: `transformer.${name}`,
    dtype: "float32",
    shape,
  });
  const norm = (name: string): readonly TensorPlan[] => [plan(`${name}.weight`, [d]), plan(`${name}.bias`, [d])];
  const linear = (name: string, inputs: number, outputs: number): readonly TensorPlan[] => [
    plan(`${name}.weight`, [inputs, outputs]),
    plan(`${name}.bias`, [outputs]),
  ];
  const blocks = Array.from({ length: config.n_layer }, (_, i) => [
    ...norm(`h.${i}.ln_1`),
    ...linear(`h.${i}.attn.c_attn`, d, 3 * d),
    ...linear(`h.${i}.attn.c_proj`, d, d),
    ...norm(`h.${i}.ln_2`),
    ...linear(`h.${i}.mlp.c_fc`, d, 4 * d),
    ...linear(`h.${i}.mlp.c_proj`, 4 * d, d),
  ]);
  return [
    plan("wte.weight", [config.vocab_size, d]),
    plan("wpe.weight", [config.n_positions, d]),
    ...blocks.flat(),
    ...norm("ln_f"),
  ];
}

/** Uniform numbers of standard deviation 0.02; gains are around 1. */
function values({ name, shape }: TensorPlan, seed: number): Float32Array {
  const random = createRandom(seed);
  const isGain = /ln_.*\.weight$/.test(name);
  const size = shape.reduce((a, b) => a * b, 1);
  return Float32Array.from({ length: size }, () => (isGain ? 1 : 0) + (random.uniform() - 0.5) * 0.07);
}

/** Makes the checkpoint when it is missing and returns its folder. */
export async function benchCheckpoint(): Promise<string> {
  const folder = resolve(fileURLToPath(import.meta.url), "../../.cache/bench/gpt2-small-shaped");
  const path = join(folder, "model.safetensors");
  if (existsSync(path)) return folder;
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, "config.json"), JSON.stringify(config));
  const all = plans();
  await writeSafetensorsStream(path, all, function* (entry) {
    yield values(entry, all.indexOf(entry) + 1);
  });
  return folder;
}
