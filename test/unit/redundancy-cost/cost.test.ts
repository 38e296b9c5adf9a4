/** The cost model against GPT-2's known size, closed forms, and what checkpoints really hold. */
import { expect, it } from "vitest";
import { completeConfig } from "../../../src/model/config.js";
import { loadModel } from "../../../src/model/index.js";
import { cost } from "../../../src/redundancy/index.js";
import { architectureNames, fixture } from "../../helpers/fixtures.js";

const gpt2 = completeConfig({
  architecture: "gpt2",
  nLayers: 12,
  dModel: 768,
  nHeads: 12,
  dHead: 64,
  dMlp: 3072,
  dVocab: 50257,
  nCtx: 1024,
  actFn: "geluNew",
  normalization: "LN",
  eps: 1e-5,
  positionalEmbedding: "standard",
  tiedEmbeddings: true,
  raw: {},
});

it("counts the 84,934,656 attention and MLP weights of GPT-2 small, and tied embeddings once", () => {
  const { parameters, isExact } = cost(gpt2);
  expect(parameters.attention + parameters.mlp).toBe(84_934_656);
  expect(parameters.embedding).toBe((50257 + 1024) * 768);
  expect(isExact).toBe(false);
});

it("counts operations and cache of GPT-2 small as written out by hand", () => {
  const [d, n, v, t] = [768, 3072, 50257, 100];
  const perLayer = (visible: number): number => 8 * d * d + 4 * d * visible + 4 * d * n;
  const { flops, cacheBytes } = cost(gpt2, { batch: 2, pos: t });
  let total = 0;
  for (let visible = 1; visible <= t; visible++) total += 12 * perLayer(visible) + 2 * d * v;
  expect(flops.prefill).toBe(2 * total);
  expect(flops.perToken).toBe(2 * (12 * perLayer(t + 1) + 2 * d * v));
  expect(cacheBytes).toBe(2 * 12 * 2 * 768 * t * 4);
});

it("lets a token of a sliding window see no more than the window", () => {
  const windowed = { ...gpt2, windows: gpt2.windows.map((_, i) => (i === 0 ? 8 : undefined)) };
  let seen = 0;
  for (let at = 1; at <= 50; at++) seen += at - Math.min(at, 8);
  expect(cost(gpt2, { pos: 50 }).flops.prefill - cost(windowed, { pos: 50 }).flops.prefill).toBe(4 * 768 * seen);
  expect(cost(gpt2, { pos: 50 }).cacheBytes - cost(windowed, { pos: 50 }).cacheBytes).toBe(4 * 2 * 768 * 42);
});

it.each(architectureNames)("counts every number that the checkpoint of %s holds", async (name) => {
  const model = await loadModel(fixture("architectures", name));
  try {
    const { map, tensors } = model.view.core;
    const isIgnored = (one: string): boolean => map.ignored.some((pattern) => pattern.test(one));
    let held = 0;
    for (const [one, { shape }] of tensors) if (!isIgnored(one)) held += shape.reduce((a, b) => a * b, 1);
    expect(cost(model).parameters.total).toBe(held);
    expect(cost(model).isExact).toBe(true);
  } finally {
    await model.close();
  }
});

it("takes away keys and values of a group only with its last head", () => {
  const grouped = { ...gpt2, nKeyValueHeads: 4 };
  const head = (index: number) => ({ kind: "head" as const, layer: 3, index });
  const [full, two, three] = [[], [0, 1], [0, 1, 2]].map((heads) => cost(grouped, { without: heads.map(head) }));
  const attention = (one: typeof full): number => one?.parameters.attention ?? 0;
  expect(attention(full) - attention(two)).toBe(2 * 2 * 768 * 64);
  expect(attention(two) - attention(three)).toBe(2 * 768 * 64 + 2 * 768 * 64);
  expect((full?.cacheBytes ?? 0) - (two?.cacheBytes ?? 0)).toBe(0);
  expect((two?.cacheBytes ?? 0) - (three?.cacheBytes ?? 0)).toBe(2 * 64 * 1024 * 4);
});

it("takes away a block as its attention and its MLP", () => {
  const block = cost(gpt2, { without: [{ kind: "block", layer: 1 }] });
  const both = cost(gpt2, {
    without: [
      { kind: "attention", layer: 1 },
      { kind: "mlp", layer: 1 },
    ],
  });
  expect(block).toEqual(both);
  expect(cost(gpt2).parameters.total - block.parameters.total).toBe(84_934_656 / 12);
  const neurons = cost({ ...gpt2, gatedMlp: true }, { without: [{ kind: "neuron", layer: 0, index: 7 }] });
  expect(cost({ ...gpt2, gatedMlp: true }).parameters.mlp - neurons.parameters.mlp).toBe(3 * 768);
});

it("counts gains and biases that go with a block of a real model", async () => {
  const model = await loadModel("tiny-2l");
  try {
    const { dModel: d, dMlp: n } = model.config;
    const gone =
      cost(model).parameters.other - cost(model, { without: [{ kind: "block", layer: 0 }] }).parameters.other;
    expect(gone).toBe(4 * d + 4 * d + n + d);
  } finally {
    await model.close();
  }
});

it("prints itself and refuses sizes below 1", () => {
  expect(String(cost(gpt2))).toContain("gains and biases not counted");
  expect(() => cost(gpt2, { batch: 0 })).toThrow("cost: batch: got 0; expected a whole number from 1.");
});
