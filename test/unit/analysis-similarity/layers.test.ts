/** Similarity of layers and the writes of sublayers, on the embedded model and a parallel one. */
import { afterAll, beforeAll, expect, test } from "vitest";
import { similarity } from "../../../src/analysis/index.js";
import { loadModel, type Model } from "../../../src/model/index.js";
import { tensor } from "../../../src/tensor/index.js";
import { fixture } from "../../helpers/fixtures.js";

const texts = [
  "The President of the United States spoke to the Congress about the state of the Union and its people.",
  "When the ship had left the land, the captain looked at the sea and said nothing for a long time.",
  "There is a great deal of work to be done before the winter comes, and the people know it well.",
];
const open: { tiny?: Model } = {};

beforeAll(async () => {
  open.tiny = await loadModel("tiny");
});
afterAll(() => open.tiny?.close());

function tiny(): Model {
  if (open.tiny === undefined) throw new Error("the model was not loaded");
  return open.tiny;
}

test("the matrix holds each pair's own number, 1 on its diagonal, and mirrors itself", async () => {
  const model = tiny();
  const result = await similarity.layers(model, texts);
  const { nLayers } = model.config;
  for (let i = 0; i < nLayers; i++) expect(result.at(i, i)).toBeCloseTo(1, 9);
  expect(result.at(0, nLayers - 1)).toBe(result.at(nLayers - 1, 0));
  const rows: [number[][], number[][]] = [[], []];
  for (const text of texts) {
    const { cache } = await model.run(text, { capture: "resid_post", logits: "none" });
    for (const layer of [0, 1] as const) {
      const [values = []] = cache.get("resid_post", layer).toArray() as unknown as number[][][];
      rows[layer].push(...values.slice(1));
    }
  }
  const want = similarity.compare(tensor(rows[0], ["row", "feature"]), tensor(rows[1], ["row", "feature"]));
  expect(result.at(0, 1)).toBeCloseTo(want, 5);
});

test("two models are compared over the same tokens; other tokens are refused", async () => {
  const model = tiny();
  const other = await loadModel("tiny");
  const result = await similarity.layers(model, texts, { with: other, measure: "cosine" });
  for (let i = 0; i < model.config.nLayers; i++) expect(result.at(i, i)).toBeCloseTo(1, 5);
  await expect(similarity.layers(model, texts, { measure: "nope" as never })).rejects.toThrow(
    /similarity: measure: got "nope"/,
  );
  await expect(similarity.layers(model, ["Hello there"])).rejects.toThrow(/expected at least 32/);
  await expect(similarity.layers(model, texts, { site: "resid_pots" })).rejects.toThrow(/site: got "resid_pots"/);
  expect(String(result)).toContain("cosine similarity of resid_post");
  expect(result.toView().toSvg()).toContain("cosine similarity");
  expect(() => result.at(0, 99)).toThrow(/got layers 0 and 99/);
  await other.close();
});

test("writes have the norms and cosines of their definition", async () => {
  const model = tiny();
  const text = texts[0] ?? "";
  const { writes, tokens } = await similarity.writes(model, text, { excludeFirst: false });
  const { cache } = await model.run(text, { capture: ["resid_mid", "mlp_out"], logits: "none" });
  const [stream, added] = [cache.get("resid_mid", 1), cache.get("mlp_out", 1)].map(
    (value) => value.at({ batch: 0 }).toArray() as unknown as number[][],
  );
  let [norm, relative, cosine] = [0, 0, 0];
  for (let pos = 0; pos < tokens; pos++) {
    const [h, m] = [stream?.[pos] ?? [], added?.[pos] ?? []];
    const dot = h.reduce((sum, value, i) => sum + value * (m[i] ?? 0), 0);
    norm += Math.hypot(...m) / tokens;
    relative += Math.hypot(...m) / Math.hypot(...h) / tokens;
    cosine += dot / Math.hypot(...m) / Math.hypot(...h) / tokens;
  }
  const mlp = writes.find(({ layer, write }) => layer === 1 && write === "mlp");
  expect(mlp?.norm).toBeCloseTo(norm, 4);
  expect(mlp?.relative).toBeCloseTo(relative, 5);
  expect(mlp?.cosine).toBeCloseTo(cosine, 5);
  expect(writes).toHaveLength(3 * model.config.nLayers);
});

test("both sublayers of a parallel block are set against the stream they read", async () => {
  const model = await loadModel(fixture("architectures", "pythia"));
  const rows = [0, 1, 2, 3].map((row) => Array.from({ length: 9 }, (_, i) => (row * 5 + i * 7) % model.config.dVocab));
  const result = await similarity.writes(model, rows);
  const { cache } = await model.run(rows, { capture: ["resid_pre", "mlp_out"], logits: "none" });
  const [h, m] = [cache.get("resid_pre", 0), cache.get("mlp_out", 0)].map((value) =>
    (value.toArray() as unknown as number[][][]).flatMap((row) => row.slice(1)),
  );
  const cosines = (h ?? []).map((row, i) => {
    const other = m?.[i] ?? [];
    return row.reduce((sum, value, j) => sum + value * (other[j] ?? 0), 0) / Math.hypot(...row) / Math.hypot(...other);
  });
  const want = cosines.reduce((sum, value) => sum + value, 0) / cosines.length;
  expect(result.writes.find(({ write }) => write === "mlp")?.cosine).toBeCloseTo(want, 5);
  expect(String(result)).toContain("attention");
  expect(result.toView().toSvg()).toContain("direction of the write");
  await model.close();
});
