/** Claims about pruning on models that were trained: the embedded one, and stories260k where its folder is at hand. */
import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { loadSafetensors } from "../../src/io/index.js";
import { loadModel, type Model } from "../../src/model/index.js";
import { evaluateParts, finerCut, type Part, sublayersOf } from "../../src/redundancy/index.js";
import { orderOf } from "../../src/redundancy/report/ranks.js";
import { similarityScores } from "../../src/redundancy/report/similarity-scores.js";
import { dataFolder, fixture, oracle } from "../helpers/fixtures.js";

/** Mean rise of the loss, as a share, over the first removals of an order. */
async function rise(model: Model, rows: readonly (readonly number[])[], order: readonly Part[]): Promise<number> {
  const half = Math.floor(order.length / 2);
  const sets = Array.from({ length: half }, (_, i) => order.slice(0, i + 1));
  const found = await evaluateParts(model, rows, sets);
  return found.sets.reduce((sum, { relative }) => sum + relative.value, 0) / half;
}

/** Mean place of a kind of sublayer in an order, from 1. */
function place(order: readonly Part[], kind: Part["kind"]): number {
  const own = order.flatMap((part, i) => (part.kind === kind ? [i + 1] : []));
  return own.reduce((a, b) => a + b, 0) / own.length;
}

async function checkClaims(model: Model, rows: readonly (readonly number[])[]): Promise<void> {
  const parts = sublayersOf(model);
  const [similarity, bare] = await similarityScores(model, rows, parts);
  const by = (values: Float64Array | undefined): readonly Part[] =>
    orderOf(values ?? []).flatMap((at) => parts[at] ?? []);
  expect(await rise(model, rows, by(similarity?.values))).toBeLessThan(await rise(model, rows, by(bare?.values)));
  const [greedy, once] = [await finerCut(model, rows), await finerCut(model, rows, { oneShot: true })];
  expect(await rise(model, rows, greedy.parts)).toBeLessThan(await rise(model, rows, once.parts));
  expect(place(greedy.parts, "attention")).toBeLessThan(place(greedy.parts, "mlp"));
}

test("embedded: selection with residual and greedy removal are better, and attention goes before MLPs", async () => {
  const model = await loadModel("tiny");
  const { tokens } = await loadSafetensors(fixture("masks", "tiny", "text.safetensors"));
  const data = Array.from((tokens?.data ?? []) as Int32Array, Number);
  await checkClaims(
    model,
    Array.from({ length: 8 }, (_, i) => data.slice(1024 * i, 1024 * i + 128)),
  );
  await model.close();
}, 60_000);

test.skipIf(dataFolder === undefined)(
  "stories260k: the same",
  async () => {
    const model = await loadModel(oracle("stories260k", "hf"));
    const stories = JSON.parse(readFileSync(oracle("text", "tinystories_1000.json"), "utf8")) as readonly string[];
    const rows = stories.slice(0, 8).map((story) => Array.from(model.toTokens(story).data, Number).slice(0, 128));
    await checkClaims(model, rows);
    await model.close();
  },
  60_000,
);
