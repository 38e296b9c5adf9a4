/** What features write and read, against directions of the model itself and values that it computes. */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Dictionary, featureReadouts } from "../../../src/dictionary/index.js";
import { loadModel, type Model, tokensToResidualDirections } from "../../../src/model/index.js";
import { Tensor } from "../../../src/tensor/index.js";
import { randomDictionary } from "../dictionary/random-dictionary.js";

const nFeatures = 20;
let model: Model;
beforeAll(async () => {
  model = await loadModel("tiny");
});
afterAll(() => model.close());

const at = (readHook: string, writeHook = readHook, sizes = {}): Dictionary =>
  randomDictionary({ dIn: 192, nFeatures, readHook, writeHook, ...sizes });

function numbers(dictionary: Dictionary, name: "W_dec" | "W_enc"): Float32Array {
  return (dictionary.weights.get(name) as Tensor).data as Float32Array;
}

const dot = (a: ArrayLike<number>, b: ArrayLike<number>): number =>
  Array.from(a).reduce((sum, one, i) => sum + one * (b[i] ?? 0), 0);

/** Logits of a direction of the stream, from the directions of all tokens. */
async function logitsOf(direction: ArrayLike<number>): Promise<number[]> {
  const folded = model.processed({ foldLn: true, centerUnembed: true });
  const ids = Int32Array.from({ length: 4096 }, (_, i) => i);
  const directions = await tokensToResidualDirections(folded, Tensor.of(ids, [4096], ["batch"]));
  const data = directions.contiguous().data as Float32Array;
  return Array.from(ids, (id) => dot(direction, data.subarray(id * 192, (id + 1) * 192)));
}

const order = (values: readonly number[]): number[] =>
  [...values.keys()].sort((a, b) => (values[b] ?? 0) - (values[a] ?? 0));

describe("logits", () => {
  test("of an SAE are its decoder rows along the directions of tokens", async () => {
    const sae = at("blocks.3.hook_resid_post");
    const [readout] = await featureReadouts(model, sae, [4], { tokens: 7, bins: 12 });
    const logits = await logitsOf(sae.feature(4).direction);
    const sorted = order(logits);
    expect(readout?.top.map(({ id }) => id)).toEqual(sorted.slice(0, 7));
    expect(readout?.bottom.map(({ id }) => id)).toEqual(sorted.slice(-7).reverse());
    readout?.top.forEach(({ id, value, token }) => {
      expect(value).toBeCloseTo(logits[id] ?? 0, 4);
      expect(token).toBe(model.tokenizer.piece(id));
    });
    const { counts = [], edges = [] } = readout ?? {};
    expect(counts.reduce((a, b) => a + b, 0)).toBe(4096);
    expect([edges[0], edges.at(-1)].map((one) => Number(one?.toFixed(4)))).toEqual(
      [Math.min(...logits), Math.max(...logits)].map((one) => Number(one.toFixed(4))),
    );
    const inside = logits.filter((one) => one >= (edges[5] ?? 0) && one < (edges[6] ?? 0)).length;
    expect(Math.abs((counts[5] ?? 0) - inside)).toBeLessThanOrEqual(2);
  });

  test("of a dictionary on z go through W_O, on mlp.hook_post through W_out", async () => {
    for (const [hook, weight, width] of [
      ["blocks.2.attn.hook_z", "W_O", 192],
      ["blocks.2.mlp.hook_post", "W_out", 768],
    ] as const) {
      const dictionary = at(hook, hook, { dIn: width });
      const [readout] = await featureReadouts(model, dictionary, [1], { tokens: 3 });
      const matrix = (await model.weights.layer(weight, 2)).contiguous().data as Float32Array;
      const row = dictionary.feature(1).direction;
      const streamed = Array.from({ length: 192 }, (_, j) =>
        row.reduce((sum, one, i) => sum + one * (matrix[i * 192 + j] ?? 0), 0),
      );
      const logits = await logitsOf(streamed);
      expect(readout?.top.map(({ id }) => id)).toEqual(order(logits).slice(0, 3));
      expect(readout?.top[0]?.value).toBeCloseTo(Math.max(...logits), 3);
      expect(readout?.reads).toBeUndefined();
    }
  });

  test("are left out where nothing is added to the stream", async () => {
    const [readout] = await featureReadouts(model, at("blocks.1.ln2.hook_normalized"), [0]);
    expect(readout).toMatchObject({ top: [], bottom: [], counts: [], edges: [] });
    expect(readout?.toString()).not.toContain("raises");
    expect(readout?.toView().toText()).toContain("features alike");
  });
});

describe("what is read", () => {
  test("behind a norm is the product with each embedding as the model normalises it", async () => {
    const hook = "blocks.2.ln1.hook_normalized";
    const dictionary = at(hook, "blocks.2.hook_attn_out");
    const [readout] = await featureReadouts(model, dictionary, [6], { tokens: 5 });
    const embeddings = await model.weights.W_E();
    const ids = [0, 1, 77, 500, ...(readout?.reads ?? []).map(({ id }) => id)];
    const rows = ids.map((id) => Array.from(embeddings.at({ dVocab: id }).contiguous().data, Number));
    const run = await model.run(
      { residual: Tensor.of(Float32Array.from(rows.flat()), [1, ids.length, 192]) },
      { startAtLayer: 2, capture: [hook], logits: "none" },
    );
    const normalized = run.cache.get(hook).data as Float32Array;
    const enc = numbers(dictionary, "W_enc");
    const column = Array.from({ length: 192 }, (_, i) => enc[i * nFeatures + 6] ?? 0);
    const values = ids.map((_, p) => dot(column, normalized.subarray(p * 192, (p + 1) * 192)));
    const found = readout?.reads ?? [];
    found.forEach(({ value }, i) => expect(value).toBeCloseTo(values[4 + i] ?? 0, 3));
    for (const other of values.slice(0, 4)) expect(other).toBeLessThanOrEqual((found[4]?.value ?? 0) + 1e-4);
  });

  test("of the stream is the product with the raw embedding; of mlp.hook_in with gain and bias", async () => {
    const embeddings = (await model.weights.W_E()).contiguous().data as Float32Array;
    const column = (dictionary: Dictionary): number[] =>
      Array.from({ length: 192 }, (_, i) => numbers(dictionary, "W_enc")[i * nFeatures + 2] ?? 0);
    const sae = at("blocks.3.hook_resid_post");
    const plain = Array.from({ length: 4096 }, (_, id) =>
      dot(column(sae), embeddings.subarray(id * 192, (id + 1) * 192)),
    );
    const [own] = await featureReadouts(model, sae, [2], { tokens: 4 });
    expect(own?.reads?.map(({ id }) => id)).toEqual(order(plain).slice(0, 4));
    const transcoder = at("blocks.1.mlp.hook_in", "blocks.1.hook_mlp_out");
    const [gain, bias] = [await model.weights.normGain("blocks.1.ln2"), await model.weights.normBias("blocks.1.ln2")];
    const read = Array.from({ length: 4096 }, (_, id) => {
      const row = Array.from(embeddings.subarray(id * 192, (id + 1) * 192));
      const mean = row.reduce((a, b) => a + b, 0) / 192;
      const scale = Math.sqrt(row.reduce((sum, one) => sum + (one - mean) ** 2, 0) / 192 + 1e-5);
      const normed = row.map(
        (one, i) => ((one - mean) / scale) * Number(gain?.data[i] ?? 1) + Number(bias?.data[i] ?? 0),
      );
      return dot(column(transcoder), normed);
    });
    const [other] = await featureReadouts(model, transcoder, [2], { tokens: 4 });
    expect(other?.reads?.map(({ id }) => id)).toEqual(order(read).slice(0, 4));
    expect(other?.reads?.[0]?.value).toBeCloseTo(Math.max(...read), 3);
  });
});

test("features alike are those with the greatest cosine of decoder rows", async () => {
  const sae = at("blocks.3.hook_resid_post");
  const [readout] = await featureReadouts(model, sae, [3], { neighbours: 3 });
  const row = (f: number): Float32Array => sae.feature(f).direction;
  const cosine = (f: number): number => dot(row(3), row(f)) / Math.sqrt(dot(row(3), row(3)) * dot(row(f), row(f)));
  const others = Array.from({ length: nFeatures }, (_, f) => f).filter((f) => f !== 3);
  const best = others.sort((a, b) => cosine(b) - cosine(a)).slice(0, 3);
  expect(readout?.neighbours.map(({ feature }) => feature)).toEqual(best);
  expect(readout?.neighbours[0]?.cosine).toBeCloseTo(cosine(best[0] ?? 0), 5);
});

test("many features come in chunks, each as it is alone", async () => {
  const sae = at("blocks.0.hook_resid_post", undefined, { nFeatures: 70 });
  const all = await featureReadouts(model, sae, [...Array(70).keys()], { tokens: 2 });
  const [last] = await featureReadouts(model, sae, [69], { tokens: 2 });
  expect(all).toHaveLength(70);
  expect(all[69]?.top).toEqual(last?.top);
  expect(last?.toString()).toMatch(/^feature 69\n {2}raises {2}".*\n {2}lowers/);
  expect(last?.toView().toText()).toContain("tokens it writes");
});

test("features outside the dictionary are refused", async () => {
  const sae = at("blocks.3.hook_resid_post");
  await expect(featureReadouts(model, sae, [20])).rejects.toThrow(
    "dictionary random: features: got 20; expected whole numbers from 0 to 19",
  );
  await expect(featureReadouts(model, sae, [])).rejects.toThrow("got an empty list");
});

test("a model without norms is read as it is", async () => {
  const plain = await loadModel("constructed/induction");
  try {
    const { dModel } = plain.config;
    const sae = randomDictionary({ dIn: dModel, readHook: "blocks.0.hook_resid_post" });
    const [readout] = await featureReadouts(plain, sae, [1], { tokens: 1 });
    const wU = (await plain.weights.W_U()).contiguous();
    const [, vocabulary = 0] = wU.shape;
    const row = sae.feature(1).direction;
    const logits = Array.from({ length: vocabulary }, (_, j) =>
      row.reduce((sum, one, i) => sum + one * Number(wU.data[i * vocabulary + j]), 0),
    );
    const mean = logits.reduce((a, b) => a + b, 0) / vocabulary;
    expect(readout?.top[0]?.value).toBeCloseTo(Math.max(...logits) - mean, 4);
  } finally {
    await plain.close();
  }
});
