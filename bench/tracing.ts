/**
 * Attribution graphs at the size of GPT-2 small: `npx tsx bench/tracing.ts`.
 *
 * Random weights in GPT-2's shape and random ReLU transcoders whose biases leave about sixty features active at each place, so
 * that 8,192 rows can be walked. Each round traces the same prompt anew; memory is the process's peak.
 */
import { readFileSync } from "node:fs";
import { attributionGraph } from "../src/circuits/index.js";
import { createRandom } from "../src/core/index.js";
import { Dictionary, DictionarySet } from "../src/dictionary/index.js";
import { loadModel } from "../src/model/index.js";
import { Tensor } from "../src/tensor/index.js";
import { benchCheckpoint } from "./checkpoint.js";
import { spread } from "./stats.js";

const [dModel, nFeatures, nLayers, positions] = [768, 6144, 12, 11];
const random = createRandom(1);

function normal(shape: readonly number[], scale: number): Tensor {
  const data = new Float32Array(shape.reduce((n, size) => n * size, 1));
  return Tensor.of(
    data.map(() => random.normal() * scale),
    shape,
  );
}

function transcoder(layer: number): Dictionary {
  const bias = new Float32Array(nFeatures).fill(-2.3);
  return new Dictionary({
    name: `random.${layer}`,
    config: {
      architecture: "standard",
      activation: { kind: "relu" },
      dIn: dModel,
      dOut: dModel,
      nFeatures,
      readHook: `blocks.${layer}.ln2.hook_normalized`,
      writeHook: `blocks.${layer}.hook_mlp_out`,
      subtractsDecoderBias: false,
      normalization: "none",
    },
    weights: new Map([
      ["W_enc", normal([dModel, nFeatures], dModel ** -0.5)],
      ["W_dec", normal([nFeatures, dModel], dModel ** -0.5)],
      ["b_enc", Tensor.of(bias, [nFeatures])],
      ["b_dec", Tensor.of(new Float32Array(dModel), [dModel])],
    ]),
  });
}

const peakMb = (): number => Number(/VmHWM:\s+(\d+) kB/.exec(readFileSync("/proc/self/status", "utf8"))?.[1]) / 1024;

const model = await loadModel(await benchCheckpoint(), { threads: 2 });
const set = new DictionarySet(
  "random",
  Array.from({ length: nLayers }, (_, layer) => transcoder(layer)),
);
const tokens = Array.from({ length: positions }, () => random.int(0, 50_000));
const before = peakMb();
const times: number[] = [];
for (let round = 0; round < 4; round++) {
  const begin = performance.now();
  const graph = await attributionGraph(model, tokens, set, { maxFeatureNodes: 8192 });
  times.push(performance.now() - begin);
  const rows = graph.nodes.filter(({ kind }) => kind === "feature").length;
  console.log(
    `${rows} rows of ${rows + graph.omittedFeatures} active features, certificate ${graph.certificate.worst.toExponential(1)}`,
  );
}
console.log(`Node ${process.version}; ${new Date().toISOString().slice(0, 10)}`);
console.log(
  `| 11 tokens, 8,192 rows | ${spread(times.slice(1))} ms | peak ${peakMb().toFixed(0)} MB (${before.toFixed(0)} MB before) |`,
);
await model.close();
