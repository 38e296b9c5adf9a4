/** The claims of "Bigram Subnetworks" on the embedded model, with the masks that come with it, on text that it never saw. */
import { afterAll, beforeAll, expect, test } from "vitest";
import { loadSafetensors } from "../../src/io/index.js";
import {
  ablateMask,
  type BigramTable,
  type MaskAblation,
  maskOverlap,
  openBigrams,
  streamRotation,
  surprisalCorrelation,
  type WeightMask,
  weightMask,
} from "../../src/masks/index.js";
import { edit, loadModel, type Model } from "../../src/model/index.js";
import { fixture } from "../helpers/fixtures.js";

let model: Model;
let mask: WeightMask;
let table: BigramTable;
let rows: readonly number[][];
let found: MaskAblation;
beforeAll(async () => {
  model = await loadModel("tiny");
  mask = await weightMask.open("tiny/bigram");
  table = await openBigrams("tiny");
  const { tokens } = await loadSafetensors(fixture("masks", "tiny", "text.safetensors"));
  const data = Array.from((tokens?.data ?? []) as Int32Array, Number);
  rows = Array.from({ length: 24 }, (_, i) => data.slice(128 * i, 128 * (i + 1)));
  found = await ablateMask(model, mask, { table, rows }, { controls: 2 });
}, 60_000);
afterAll(() => model.close());

test("the claims can be tested: the whole model is no bigram, and few pairs are new", () => {
  expect(found.whole.r).toBeLessThan(0.8);
  expect(found.whole.unseen).toBeLessThan(0.15);
});

test("a subnetwork of less than 2 % follows the bigram far better than the whole model, and than embeddings alone", async () => {
  expect(mask.count / mask.total).toBeLessThan(0.02);
  expect(found.alone.r).toBeGreaterThan(found.whole.r + 0.2);
  const empty = model.with(edit.keepWeights(weightMask.empty(model)));
  expect((await surprisalCorrelation(empty, table, rows)).r).toBeLessThan(found.alone.r - 0.3);
});

test("most of it is in MLPs, and more in the first than in any other layer", () => {
  const kept = (part: string): number =>
    mask.counts().reduce((sum, { matrix, kept: own }) => sum + (matrix.name.includes(part) ? own : 0), 0);
  expect(kept(".mlp.") / mask.count).toBeGreaterThan(0.9);
  const first = kept("blocks.0.mlp.");
  for (let layer = 1; layer < model.config.nLayers; layer++)
    expect(first).toBeGreaterThan(2 * kept(`blocks.${layer}.`));
});

test("without it the model loses far more than without as many weights at random", () => {
  const lost = found.without.meanBits - found.whole.meanBits;
  for (const { meanBits } of found.withoutRandom) expect(lost).toBeGreaterThan(20 * (meanBits - found.whole.meanBits));
});

test("it overlaps with the subnetwork that says what the model says, above chance", async () => {
  const overlap = maskOverlap(mask, await weightMask.open("tiny/optimal"), { shuffles: 19 });
  expect(overlap.ratio).toBeGreaterThan(3);
  expect(overlap.p).toBeCloseTo(1 / 20, 12);
});

test("its first layer turns the stream from the embeddings, and more than any later one towards the end", async () => {
  const few = rows.slice(0, 12);
  const { fromInput, fromOutput } = await streamRotation(model.with(edit.keepWeights(mask)), few);
  expect(fromInput[0]).toBeLessThan(1);
  expect(Number(fromInput[1])).toBeGreaterThan(10);
  const steps = Array.from(
    { length: model.config.nLayers },
    (_, i) => Number(fromOutput[i]) - Number(fromOutput[i + 1]),
  );
  expect(Math.max(...steps)).toBe(steps[0]);
});
