/**
 * Probes on every layer of a GPT-2-small-sized model: 13 layers x 768 features x 5,000 rows, five folds, the whole, and a
 * control task; features are correlated as streams are (a few directions carry most of the variance).
 *
 * Run by hand: `npx tsx bench/probes.ts [METHOD] [LAYERS]`; the machine's CPU time is printed beside the wall time.
 */
import { type ProbeMethod, probe } from "../src/analysis/index.js";
import { createRandom } from "../src/core/index.js";
import { Tensor } from "../src/tensor/index.js";

const rows = 5000;
const features = 768;
const method = (process.argv[2] ?? "logistic") as ProbeMethod;
const layers = Number(process.argv[3] ?? 13);

/** Features of decaying variance, mixed by neighbours, and a label along one direction that noise covers in part. */
function layer(seed: number, labels: readonly string[]): Tensor {
  const random = createRandom(seed);
  const data = new Float32Array(rows * features);
  const gap = 0.2 * seed;
  for (let i = 0; i < rows; i++) {
    const sign = labels[i] === "yes" ? 1 : -1;
    let before = 0;
    for (let j = 0; j < features; j++) {
      const scale = 10 / (1 + j / 8);
      before = 0.6 * before + scale * random.normal();
      data[i * features + j] = before + (j === 40 ? sign * gap : 0);
    }
  }
  return Tensor.of(data, [rows, features], ["row", "feature"]);
}

const random = createRandom(0);
const labels = Array.from({ length: rows }, () => (random.uniform() < 0.5 ? "yes" : "no"));
const types = Array.from({ length: rows }, () => String(random.int(0, 200)));
const all = Array.from({ length: layers }, (_, i) => layer(i + 1, labels));
const cpu = process.cpuUsage();
const start = performance.now();
const result = await probe.fitFeatures(all, labels, { method, types, folds: 5 });
const wall = (performance.now() - start) / 1000;
const used = process.cpuUsage(cpu);
console.log(
  `| ${method}: ${layers} layers x ${features} features x ${rows} rows, 5 folds, control | seconds |\n|---|---|`,
);
console.log(`| wall | ${wall.toFixed(1)} |`);
console.log(`| CPU, all threads | ${((used.user + used.system) / 1e6).toFixed(1)} |`);
console.log(result.toString());
