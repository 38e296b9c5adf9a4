/**
 * What a question costs beyond its compute, and what it leaves in memory; on the GPT-2-small-shaped checkpoint.
 *
 * Run by hand: `npx tsx bench/questions.ts`.
 */
import { readFileSync } from "node:fs";
import { loadModel, type Model } from "../src/model/index.js";
import { benchCheckpoint } from "./checkpoint.js";
import { median, spread, timed } from "./stats.js";

/** Anonymous memory of this process, in MB. */
function anonymousMb(): number {
  const match = /RssAnon:\s+(\d+) kB/.exec(readFileSync("/proc/self/status", "utf8"));
  return Number(match?.[1] ?? Number.NaN) / 1024;
}

function tokens(batch: number, pos: number): number[][] {
  return Array.from({ length: batch }, (_, row) =>
    Array.from({ length: pos }, (_, p) => (row * 7919 + p * 104_729 + 17) % 50_257),
  );
}

function row(what: string, value: string, bound: string): void {
  console.log(`| ${what} | ${value} | ${bound} |`);
}

async function loading(folder: string): Promise<Model> {
  const before = anonymousMb();
  const start = performance.now();
  const model = await loadModel(folder);
  await model.run(tokens(1, 8), { logits: "last" });
  row(
    "loadModel to first logits",
    `${(performance.now() - start).toFixed(0)} ms, +${(anonymousMb() - before).toFixed(0)} MB anonymous`,
    "≤ 1 s, ≤ 150 MB",
  );
  return model;
}

/** A question never asked before against the same question again: what building, encoding and compiling cost. */
async function newQuestions(model: Model): Promise<void> {
  const ids = tokens(1, 8);
  const extra: number[] = [];
  const before = model.view.core.engine.stats();
  for (let layer = 0; layer < 11; layer++) {
    const capture = [
      `blocks.${layer}.attn.hook_z`,
      `blocks.${layer}.mlp.hook_post`,
      `blocks.${layer + 1}.hook_resid_mid`,
    ];
    const [first = 0] = await timed(1, 0, () => model.run(ids, { capture, logits: "last" }));
    const again = await timed(5, 1, () => model.run(ids, { capture, logits: "last" }));
    extra.push(first - median(again));
  }
  row("a new question, beyond its compute", `${spread(extra)} ms`, "≤ 60 ms");
  const after = model.view.core.engine.stats();
  const count = after.misses - before.misses;
  const create = (after.createMs - before.createMs) / count;
  const encode = (after.encodeMs - before.encodeMs) / count;
  row("… of which onnxruntime makes the session", `${create.toFixed(1)} ms`, "");
  row("… of which the graph becomes ONNX bytes", `${encode.toFixed(1)} ms`, "");
  row("… of which the graph is built and the rest", `${(median(extra) - create - encode).toFixed(1)} ms`, "");
}

/** The stream after layer l without logits against (l + 1)/12 of all blocks. */
async function prefixes(model: Model): Promise<void> {
  const ids = tokens(1, 128);
  const times: Record<number, number[]> = { 0: [], 5: [], 11: [] };
  for (let round = 0; round < 6; round++)
    for (const layer of [0, 5, 11])
      times[layer]?.push(
        ...(await timed(3, 1, () => model.run(ids, { capture: `blocks.${layer}.hook_resid_post`, logits: "none" }))),
      );
  const all = median(times[11] ?? []);
  for (const layer of [0, 5, 11]) {
    const share = median(times[layer] ?? []) / all;
    row(
      `resid_post of layer ${layer}, no logits, 1 x 128`,
      `${spread(times[layer] ?? [])} ms = ${(share * 100).toFixed(1)} % of 12 blocks`,
      `≤ ${(((layer + 1) / 12) * 100 + 5).toFixed(1)} %`,
    );
  }
}

async function oneMoreCapture(model: Model): Promise<void> {
  const ids = tokens(1, 128);
  const without: number[] = [];
  const withOne: number[] = [];
  for (let round = 0; round < 6; round++) {
    without.push(...(await timed(3, 1, () => model.run(ids))));
    withOne.push(...(await timed(3, 1, () => model.run(ids, { capture: "blocks.6.hook_resid_post" }))));
  }
  row(
    "one more capture in a full forward, 1 x 128",
    `${((median(withOne) / median(without) - 1) * 100).toFixed(1)} %`,
    "≤ 3 %",
  );
}

/** 200 different questions; the slope of anonymous memory over the last 100 by least squares. */
async function memorySlope(model: Model): Promise<void> {
  const names = model.hookNames().filter((name) => name !== "hook_tokens");
  const samples: number[] = [];
  for (let i = 0; i < 200; i++) {
    await model.run(tokens(1, 8), {
      capture: [names[i % names.length] ?? "", names[(i * 7 + 3) % names.length] ?? ""],
      logits: "last",
    });
    if (i >= 100) samples.push(anonymousMb());
  }
  const mean = samples.reduce((a, b) => a + b, 0) / samples.length;
  const middle = (samples.length - 1) / 2;
  const slope =
    samples.reduce((sum, y, i) => sum + (i - middle) * (y - mean), 0) /
    samples.reduce((sum, _, i) => sum + (i - middle) ** 2, 0);
  row(
    "anonymous memory per different question, last 100 of 200",
    `${slope.toFixed(3)} MB (at ${mean.toFixed(0)} MB)`,
    "< 0.1 MB",
  );
}

const folder = await benchCheckpoint();
console.log("| what | measured: median (min–max) | bound |\n|---|---|---|");
const model = await loading(folder);
await newQuestions(model);
await prefixes(model);
await oneMoreCapture(model);
await model.close();
const fresh = await loadModel(folder, { sessionCacheBytes: 128 * 2 ** 20 });
await memorySlope(fresh);
await fresh.close();
