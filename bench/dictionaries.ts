/**
 * Training steps of dictionaries against PyTorch eager, and tokens per second from text to weights.
 *
 * Steps: 512 → 16,384 in batches of 4,096, with limpid's own losses (bookkeeping of dead features, AuxK and unit decoder
 * rows included; the peer has none of them); rounds of all sides alternate. End to end: the embedded model's forward pass,
 * shuffling and training together. Run by hand: `npx tsx bench/dictionaries.ts relu|topk|tokens`.
 */
import { createRandom } from "../src/core/index.js";
import { type ArchitectureConfig, trainDictionary } from "../src/dictionary/index.js";
import { definitionOf, traineesOf } from "../src/dictionary/training/definition.js";
import { plansOf, runNumbers } from "../src/dictionary/training/recipe.js";
import { at, loadModel } from "../src/model/index.js";
import { Tensor } from "../src/tensor/index.js";
import { adam, Trainer } from "../src/train/index.js";
import { startTrainingPeer } from "./peer.js";
import { median, spread, timed } from "./stats.js";

const [width, features, rows, k] = [512, 16_384, 4096, 32];
const random = createRandom(0);

function normal(shape: readonly number[], scale: number): Tensor {
  const data = new Float32Array(shape.reduce((n, size) => n * size, 1));
  return Tensor.of(
    data.map(() => random.normal() * scale),
    shape,
  );
}

/** A side of the comparison; `products` counts matrix products of `rows × width × features`. */
interface Side {
  readonly name: string;
  readonly products: number;
  readonly run: (runs: number) => Promise<readonly number[]>;
  readonly close: () => Promise<void>;
}

function trainerSide(name: string, products: number, trainer: Trainer): Side {
  const batch = { x: normal([rows, width], 1) };
  return {
    name,
    products,
    run: (runs) => timed(runs, 0, () => trainer.step(batch)),
    close: () => trainer.close(),
  };
}

/** A dictionary as `trainDictionary` trains it. */
function ours(name: string, products: number, architecture: ArchitectureConfig): Side {
  const numbers = runNumbers({ steps: 1000, batch: rows, warmup: 0 });
  const plans = plansOf([{ spec: { from: "x", architecture, width: features }, readHook: "x", writeHook: "x" }]);
  const statistics = new Map([["x", { scale: 1, centre: new Float32Array(width), variance: width }]]);
  const parts = { plans, hooks: [{ name: "x", width }], statistics, numbers, options: { learningRate: 1e-4 } };
  return trainerSide(name, products, Trainer.create({ ...definitionOf(parts, traineesOf(parts)), threads: 2 }));
}

/** TopK that decodes with a dense product, and nothing else: what sparse decoding is compared with. */
function denseTopK(): Side {
  const trainer = Trainer.create({
    parameters: {
      W_enc: normal([width, features], width ** -0.5),
      W_dec: normal([features, width], width ** -0.5),
      b_enc: Tensor.of(new Float32Array(features), [features]),
      b_dec: Tensor.of(new Float32Array(width), [width]),
    },
    inputs: { x: { dtype: "float32", shape: [rows, width] } },
    loss: ({ ops, parameter, batch }) => {
      const centred = ops.sub(batch("x"), parameter("b_dec"));
      const { values, indices } = ops.topk(ops.add(ops.matmul(centred, parameter("W_enc")), parameter("b_enc")), k, {
        sorted: false,
      });
      const zeros = ops.full([rows, features], 0, "float32");
      const acts = ops.scatterElements(zeros, indices, ops.relu(values), { axis: 1 });
      const error = ops.sub(ops.add(ops.matmul(acts, parameter("W_dec")), parameter("b_dec")), batch("x"));
      return { loss: ops.mul(ops.reduceSum(ops.mul(error, error), undefined, false), 1 / rows) };
    },
    optimizer: adam({ learningRate: 1e-4 }),
    threads: 2,
  });
  return trainerSide("limpid, dense decode", 5, trainer);
}

async function steps(what: "relu" | "topk"): Promise<void> {
  const peer = await startTrainingPeer();
  await peer.make(
    what === "relu"
      ? { what: "sae", sizes: { width, features, rows } }
      : { what: "topk", sizes: { width, features, rows, k } },
  );
  const sides: readonly Side[] = [
    ...[1, 2].map((threads) => ({
      name: `PyTorch, ${threads} threads`,
      products: 5,
      run: async (runs: number) => (await peer.step({ threads, runs })).ms,
      close: () => Promise.resolve(),
    })),
    ...(what === "relu"
      ? [ours("limpid", 5, { name: "standard", coefficient: 0.01 })]
      : [ours("limpid, sparse decode", 3, { name: "topk", k }), denseTopK()]),
  ];
  const times = new Map(sides.map(({ name }) => [name, [] as number[]]));
  const peaks: number[] = [];
  for (let round = 0; round < 6; round++) {
    for (const { name, run } of sides) {
      const ms = await run(2);
      if (round > 0) times.get(name)?.push(...ms);
    }
    peaks.push(await peer.gemm(2048, 2));
  }
  const medians = sides.map(({ name }) => median(times.get(name) ?? []));
  const best = Math.min(...medians.slice(0, 2));
  console.log(`${peer.version}; Node ${process.version}; ${new Date().toISOString().slice(0, 10)}`);
  sides.forEach(({ name, products }, i) => {
    const ms = medians[i] ?? Number.NaN;
    const share = (100 * products * 2 * rows * width * features) / 1e6 / ms / median(peaks);
    const peak = `${share.toFixed(0)} % of ${median(peaks).toFixed(0)} GFLOP/s`;
    console.log(`| ${what} | ${name} | ${spread(times.get(name) ?? [])} | ${(best / ms).toFixed(2)} | ${peak} |`);
  });
  for (const { close } of sides) await close();
  peer.close();
}

/** Tokens per second of forward pass and training together. */
async function tokens(): Promise<void> {
  const model = await loadModel("tiny");
  const texts = Array.from(
    { length: 4000 },
    (_, i) => `${i}: ${"the capital of France is Paris, and of Spain Madrid. ".repeat(4)}`,
  );
  for (const [dictionaryWidth, batch] of [
    [1024, 1024],
    [4096, 2048],
  ] as const) {
    const begin = performance.now();
    const count = 40 * batch;
    await trainDictionary(model, texts, {
      from: "blocks.3.ln2.hook_normalized",
      to: at.mlpOut(3),
      architecture: "topk",
      k,
      width: dictionaryWidth,
      tokens: count,
      batch,
    });
    const rate = (1000 * count) / (performance.now() - begin);
    console.log(
      `| transcoder of layer 3, ${model.config.dModel} → ${dictionaryWidth}, batch ${batch} | ${rate.toFixed(0)} tokens/s |`,
    );
  }
  await model.close();
}

const what = process.argv[2] ?? "topk";
if (what === "tokens") await tokens();
else await steps(what === "relu" ? "relu" : "topk");
