/**
 * Training steps against PyTorch eager: a language model, and ReLU autoencoders.
 *
 * Each workload runs in a process of its own on both sides, so that the peak of memory is its own. Rounds of the two
 * alternate. Run by hand: `npx tsx bench/training.ts [lm|sae|sae-large]`.
 */
import { readFileSync } from "node:fs";
import { languageModelTrainer } from "../src/analysis/index.js";
import { createRandom } from "../src/core/index.js";
import { Tensor } from "../src/tensor/index.js";
import { adam, adamW, Trainer, type TrainingBatch } from "../src/train/index.js";
import { startTrainingPeer, type TrainingPeer } from "./peer.js";
import { median, spread, timed } from "./stats.js";

const random = createRandom(0);

function normal(shape: readonly number[], scale: number): Tensor {
  const data = new Float32Array(shape.reduce((n, size) => n * size, 1));
  return Tensor.of(
    data.map(() => random.normal() * scale),
    shape,
  );
}

/** One step of ours, what the peer is asked for, and the floating-point operations of its matrix products. */
interface Workload {
  readonly peer: { readonly what: "lm" | "sae"; readonly sizes: Readonly<Record<string, number>> };
  readonly flops: number;
  readonly make: () => { readonly trainer: Trainer; readonly batch: TrainingBatch };
}

function languageModel(): Workload {
  const [layers, width, heads, rows, context, vocabulary] = [4, 256, 4, 16, 128, 4096];
  const products = layers * (12 * width * width + 2 * context * width) + width * vocabulary;
  return {
    peer: { what: "lm", sizes: { layers, width, heads, rows, context, vocabulary } },
    flops: 6 * rows * context * products,
    make: () => {
      const config = { model_type: "gpt2", n_layer: layers, n_embd: width, n_head: heads, n_positions: context };
      const { trainer, batchOf } = languageModelTrainer({
        model: { ...config, vocab_size: vocabulary, activation_function: "gelu_new", layer_norm_epsilon: 1e-5 },
        batch: rows,
        optimizer: adamW({ learningRate: 1e-4, weightDecay: 0.1 }),
        clip: { norm: 1 },
        threads: 2,
      });
      const ids = Array.from({ length: rows }, () =>
        Int32Array.from({ length: context + 1 }, () => random.int(0, vocabulary)),
      );
      return { trainer, batch: batchOf(ids) };
    },
  };
}

function autoencoder(width: number, features: number, rows: number): Workload {
  return {
    peer: { what: "sae", sizes: { width, features, rows } },
    flops: 10 * rows * width * features,
    make: () => ({
      trainer: Trainer.create({
        parameters: {
          W_enc: normal([width, features], width ** -0.5),
          W_dec: normal([features, width], width ** -0.5),
          b_enc: Tensor.of(new Float32Array(features), [features]),
          b_dec: Tensor.of(new Float32Array(width), [width]),
        },
        inputs: { x: { dtype: "float32", shape: [rows, width] } },
        loss: ({ ops, parameter, batch }) => {
          const x = batch("x");
          const centred = ops.sub(x, parameter("b_dec"));
          const acts = ops.relu(ops.add(ops.matmul(centred, parameter("W_enc")), parameter("b_enc")));
          const error = ops.sub(ops.add(ops.matmul(acts, parameter("W_dec")), parameter("b_dec")), x);
          const mean = (v: typeof x): typeof x => ops.reduceMean(ops.reduceSum(v, [1], false), undefined, false);
          return { loss: ops.add(mean(ops.mul(error, error)), ops.mul(mean(acts), 0.01)) };
        },
        optimizer: adam({ learningRate: 1e-4 }),
        threads: 2,
      }),
      batch: { x: normal([rows, width], 1) },
    }),
  };
}

const workloads: Readonly<Record<string, () => Workload>> = {
  lm: languageModel,
  sae: () => autoencoder(256, 2048, 1024),
  "sae-large": () => autoencoder(512, 8192, 2048),
};

function peakMb(): number {
  return Number(/VmHWM:\s+(\d+) kB/.exec(readFileSync("/proc/self/status", "utf8"))?.[1]) / 1024;
}

async function compare(name: string, { peer: asked, flops, make }: Workload, peer: TrainingPeer): Promise<void> {
  await peer.make(asked);
  const { trainer, batch } = make();
  const times: Record<string, number[]> = { "torch 1": [], "torch 2": [], limpid: [] };
  const peaks: number[] = [];
  let peerMb = 0;
  for (let round = 0; round < 6; round++) {
    for (const threads of [1, 2]) {
      const { ms, peakMb: mb } = await peer.step({ threads, runs: 4 });
      times[`torch ${threads}`]?.push(...(round === 0 ? [] : ms));
      peerMb = mb;
    }
    const own = await timed(4, round === 0 ? 4 : 0, () => trainer.step(batch));
    times["limpid"]?.push(...(round === 0 ? [] : own));
    peaks.push(await peer.gemm(2048, 2));
  }
  const best = Math.min(median(times["torch 1"] ?? []), median(times["torch 2"] ?? []));
  for (const [side, values] of Object.entries(times)) {
    const share = flops / 1e6 / median(values) / median(peaks);
    const memory = side === "limpid" ? peakMb() : peerMb;
    const ratio = (best / median(values)).toFixed(2);
    const gemm = `${(100 * share).toFixed(0)} % of ${median(peaks).toFixed(0)} GFLOP/s`;
    console.log(`| ${name} | ${side} | ${spread(values)} | ${ratio} | ${gemm} | ${memory.toFixed(0)} MB |`);
  }
  await trainer.close();
}

const name = process.argv[2] ?? "lm";
const workload = workloads[name];
if (workload === undefined) throw new Error(`No workload ${name}; there are ${Object.keys(workloads).join(", ")}.`);
const peer = await startTrainingPeer();
console.log(`${peer.version}; Node ${process.version}; ${new Date().toISOString().slice(0, 10)}`);
console.log(
  "| step | side | ms: median (min–max) | speed | matrix products | peak memory |\n|---|---|---|---|---|---|",
);
await compare(name, workload(), peer);
peer.close();
