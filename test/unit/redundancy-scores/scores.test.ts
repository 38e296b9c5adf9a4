/** Scores of heads, neurons, channels and attention against plain loops over the activations. */
import { afterAll, beforeAll, expect, test } from "vitest";
import { loadModel, type Model } from "../../../src/model/index.js";
import { attentionRank, unitScores } from "../../../src/redundancy/index.js";
import { patternRank } from "../../../src/redundancy/scores/attention-rank.js";
import { fixture } from "../../helpers/fixtures.js";

let model: Model;
beforeAll(async () => {
  model = await loadModel(fixture("architectures", "gpt2"));
});
afterAll(() => model.close());

const rows = [
  [3, 1, 4, 1, 5, 9],
  [2, 7, 1, 8, 2, 8],
  [1, 6, 1, 8],
];

/** Activations of a row, `[pos][unit]`. */
async function read(hook: string, row: readonly number[]): Promise<readonly (readonly number[])[]> {
  const { cache } = await model.run(row, { prependBos: false, capture: hook, logits: "none" });
  const data = Array.from(cache.get(hook).contiguous().data, Number);
  const size = data.length / row.length;
  return row.map((_, pos) => data.slice(pos * size, (pos + 1) * size));
}

function mean(values: readonly number[]): number {
  return values.reduce((a, b) => a + b, 0) / values.length;
}

test("AMP and Minitron of heads are means of what a head writes, and of its vector", async () => {
  const { heads } = await unitScores(model, rows);
  const { nHeads, dHead, dModel } = model.config;
  const [amp, minitron] = heads;
  for (const head of [0, 2]) {
    const [ones, lengths]: [number[], number[]] = [[], []];
    for (const row of rows) {
      const results = await read("blocks.1.attn.hook_result", row);
      ones.push(
        mean(results.map((pos) => pos.slice(head * dModel, (head + 1) * dModel).reduce((a, b) => a + Math.abs(b), 0))),
      );
      const z = await read("blocks.1.attn.hook_z", row);
      lengths.push(mean(z.map((pos) => Math.hypot(...pos.slice(head * dHead, (head + 1) * dHead)))));
    }
    expect(amp?.values[nHeads + head]).toBeCloseTo(mean(ones), 5);
    expect(minitron?.values[nHeads + head]).toBeCloseTo(Math.hypot(...lengths), 5);
    expect(amp?.parts[nHeads + head]).toEqual({ kind: "head", layer: 1, index: head });
  }
});

test("those of neurons are means of activations and pre-activations", async () => {
  const { neurons } = await unitScores(model, rows);
  const { dModel, dMlp } = model.config;
  const [plain, weighted, before] = neurons;
  const out = Array.from((await model.weights.get("blocks.1.mlp.W_out")).contiguous().data, Number);
  for (const neuron of [0, 5]) {
    const [post, pre]: [number[], number[]] = [[], []];
    for (const row of rows) {
      post.push(mean((await read("blocks.1.mlp.hook_post", row)).map((pos) => Math.abs(pos[neuron] ?? 0))));
      pre.push(mean((await read("blocks.1.mlp.hook_pre", row)).map((pos) => Math.abs(pos[neuron] ?? 0))));
    }
    const size = out.slice(neuron * dModel, (neuron + 1) * dModel).reduce((a, b) => a + Math.abs(b), 0);
    expect(plain?.values[dMlp + neuron]).toBeCloseTo(mean(post), 5);
    expect(weighted?.values[dMlp + neuron]).toBeCloseTo(mean(post) * size, 5);
    expect(before?.values[dMlp + neuron]).toBeCloseTo(Math.hypot(...pre), 5);
  }
});

test("channels add up over norms, and intervals are around the means", async () => {
  const { heads, neurons, channels } = await unitScores(model, rows);
  const hooks = [0, 1].flatMap((layer) => [1, 2].map((n) => `blocks.${layer}.ln${n}.hook_normalized`));
  let channel = 0;
  for (const hook of [...hooks, "ln_final.hook_normalized"]) {
    const own: number[] = [];
    for (const row of rows) own.push(mean((await read(hook, row)).map((pos) => Math.abs(pos[3] ?? 0))));
    channel += Math.hypot(...own);
  }
  expect(channels[3]).toBeCloseTo(channel, 4);
  for (const score of [...heads, ...neurons])
    score.values.forEach((value, i) => {
      if (score.name.startsWith("amp")) expect(value).toBeLessThanOrEqual(Number(score.high[i]) + 1e-9);
      expect(Number(score.low[i])).toBeLessThanOrEqual(Number(score.high[i]));
    });
  await expect(unitScores(model, [])).rejects.toThrow("unitScores: got no rows");
});

test("the rank of a pattern is that below its diagonal", () => {
  // Everything looks at the first token: below the diagonal one column is left.
  const first = [1, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0];
  expect(patternRank(first, 4).rank).toBe(1);
  expect(patternRank(first, 4).effective).toBeCloseTo(1, 9);
  // Everything looks at itself: nothing is left.
  const self = [1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1];
  expect(patternRank(self, 4)).toEqual({ rank: 0, effective: 0 });
  // The token before: a shift, of rank T − 1 with equal singular values.
  const before = [1, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0];
  expect(patternRank(before, 4).rank).toBe(3);
  expect(patternRank(before, 4).effective).toBeCloseTo(3, 9);
});

test("ARank is the mean over heads and rows, at most T − 1", async () => {
  const [rank, effective] = await attentionRank(model, rows, { positions: 4 });
  expect(rank?.parts).toEqual([0, 1].map((layer) => ({ kind: "attention", layer })));
  for (const layer of [0, 1]) {
    const all: number[] = [];
    for (const row of rows) {
      const { cache } = await model.run(row.slice(0, 4), { prependBos: false, capture: "pattern", logits: "none" });
      const data = Array.from(cache.get("pattern", layer).contiguous().data, Number);
      for (let head = 0; head < model.config.nHeads; head++)
        all.push(patternRank(data.slice(head * 16, (head + 1) * 16), 4).rank);
    }
    expect(rank?.values[layer]).toBeCloseTo(mean(all), 9);
    expect(Number(rank?.values[layer])).toBeLessThanOrEqual(3);
    expect(Number(effective?.values[layer])).toBeLessThanOrEqual(Number(rank?.values[layer]) + 1e-9);
  }
  await expect(attentionRank(model, rows, { positions: 1 })).rejects.toThrow("attentionRank: positions: got 1");
});
