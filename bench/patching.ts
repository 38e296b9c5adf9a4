/**
 * The full activation-patching sweep of one 15-token prompt pair: stream, attention and MLP by layer and position, every
 * head by position; against PyTorch, one full forward a patch, and batched with the layers before the patch reused.
 *
 * Run by hand: `npx tsx bench/patching.ts [LAYERS]`: the sweep over every LAYERS-th layer (default 3; 1 is the whole one).
 */
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { metric, patching } from "../src/analysis/index.js";
import { loadModel } from "../src/model/index.js";
import { benchCheckpoint } from "./checkpoint.js";

const pos = 15;

function prompt(seed: number): number[] {
  return Array.from({ length: pos }, (_, p) => (seed * 7919 + p * 104_729 + 17) % 50_257);
}

/** Anonymous memory of this process, in MB. */
function anonymousMb(): number {
  const match = /RssAnon:\s+(\d+) kB/.exec(readFileSync("/proc/self/status", "utf8"));
  return Number(match?.[1] ?? Number.NaN) / 1024;
}

/** Seconds of the clock, and of the processor: on a busy machine the second tells more. */
type Seconds = readonly [clock: number, processor: number];

/** What PyTorch takes for the same patches: one by one (from a sample), and batched. */
interface PeerTimes {
  readonly naive: Seconds;
  readonly batched: Seconds;
  readonly metrics: readonly number[];
}

function peer(folder: string, every: number): PeerTimes {
  const script = fileURLToPath(new URL("./patching.py", import.meta.url));
  const request = JSON.stringify({ folder, from: prompt(1), into: prompt(2), every });
  const { stdout, status } = spawnSync("/usr/bin/python3", [script], {
    input: request,
    encoding: "utf8",
    stdio: ["pipe", "pipe", "inherit"],
    maxBuffer: 1 << 26,
  });
  if (status !== 0) throw new Error("the peer failed");
  return JSON.parse(stdout) as PeerTimes;
}

const every = Number(process.argv[2] ?? 3);
const folder = await benchCheckpoint();
const before = anonymousMb();
const model = await loadModel(folder);
const layers = Array.from({ length: Math.ceil(12 / every) }, (_, i) => i * every);
const options = {
  from: [prompt(1)],
  into: [prompt(2)],
  layers,
  metric: metric.logitDiff({ answerTokens: [[1]], wrongAnswerTokens: [[2]] }),
};
const sweep = async (): Promise<number[]> => {
  const stream = await patching.sweep(model, { ...options, sites: ["resid_pre", "attn_out", "mlp_out"], by: ["pos"] });
  const heads = await patching.sweep(model, { ...options, sites: ["z"], by: ["pos", "head"] });
  return [...stream.sites, ...heads.sites].flatMap(({ raw }) => Array.from(raw.data, Number));
};
let most = 0;
const watch = setInterval(() => {
  most = Math.max(most, anonymousMb());
}, 100);
const rounds: Seconds[] = [];
let ours: number[] = [];
for (let round = 0; round < 2; round++) {
  const [start, used] = [performance.now(), process.cpuUsage()];
  ours = await sweep();
  const { user, system } = process.cpuUsage(used);
  rounds.push([(performance.now() - start) / 1000, (user + system) / 1e6]);
}
clearInterval(watch);
await model.close();
const [first = [1, 1]] = rounds;
const shown = ([clock, processor]: Seconds): string => `${clock.toFixed(1)} | ${processor.toFixed(1)}`;
const ratio = ([clock, processor]: Seconds): string =>
  `${(clock / first[0]).toFixed(2)} × | ${(processor / first[1]).toFixed(2)} ×`;
console.log("| what | seconds | of the processor | against limpid | of the processor |\n|---|---|---|---|---|");
for (const [i, seconds] of rounds.entries())
  console.log(`| limpid, ${ours.length} patches, ${i === 0 ? "first time" : "again"} | ${shown(seconds)} | | |`);
const { naive, batched, metrics } = peer(folder, every);
console.log(`| PyTorch, one forward a patch (from a sample) | ${shown(naive)} | ${ratio(naive)} |`);
console.log(`| PyTorch, batched with prefix reuse | ${shown(batched)} | ${ratio(batched)} |`);
const worst = Math.max(...metrics.map((value, i) => Math.abs(value - (ours[i] ?? Number.NaN))));
console.log(
  `\nLargest difference of the metric ${worst.toExponential(1)}; anonymous memory at most ${most.toFixed(0)} MB`,
);
console.log(`(${before.toFixed(0)} MB before loading).`);
