/** Analyses of subnetworks: closed forms, and masks whose answers are known. */
import { afterAll, beforeAll, expect, test } from "vitest";
import { createRandom } from "../../../src/core/index.js";
import {
  ablateMask,
  countBigrams,
  maskOverlap,
  rotationAngle,
  streamRotation,
  surprisalCorrelation,
  weightMask,
} from "../../../src/masks/index.js";
import { edit, loadModel, type Model } from "../../../src/model/index.js";
import { pearson } from "../../../src/stats/index.js";
import { Tensor } from "../../../src/tensor/index.js";
import { fixture } from "../../helpers/fixtures.js";

let model: Model;
beforeAll(async () => {
  model = await loadModel(fixture("architectures", "gpt2"));
});
afterAll(() => model.close());

const rows = Array.from({ length: 6 }, (_, i) =>
  Array.from({ length: 12 }, (_unused, j) => (i * 13 + j * j * 5 + i * j) % 29),
);

function cloud(count: number, width: number): Tensor {
  const random = createRandom(3);
  return Tensor.of(
    Float64Array.from({ length: count * width }, () => random.normal()),
    [count, width],
    ["row", "d"],
  );
}

/** Rotates every pair of coordinates by the same angle. */
function rotated(x: Tensor, degrees: number): Tensor {
  const [c, s] = [Math.cos((degrees * Math.PI) / 180), Math.sin((degrees * Math.PI) / 180)];
  const data = Float64Array.from(x.data as Float64Array, (value, i) => {
    const other = Number(x.data[i % 2 === 0 ? i + 1 : i - 1]);
    return i % 2 === 0 ? c * value - s * other : s * other + c * value;
  });
  return Tensor.of(data, x.shape, x.axes);
}

test("a map to itself turns nothing, and a rotation of every plane is found", () => {
  const x = cloud(300, 6);
  expect(rotationAngle(x, x)).toBeLessThan(1e-3);
  expect(rotationAngle(x, x.mul(0.2))).toBeLessThan(1e-3);
  for (const degrees of [17, 60, 135]) expect(rotationAngle(x, rotated(x, degrees), 1e-9)).toBeCloseTo(degrees, 3);
});

test("the stream is not turned from itself at the end, nor from the embeddings where it begins with them alone", async () => {
  const found = await streamRotation(model, [...rows, ...rows, ...rows]);
  expect(found.fromOutput.at(-1)).toBeLessThan(1e-3);
  expect(found.fromInput).toHaveLength(model.config.nLayers + 1);
  expect(String(found)).toContain("StreamRotation in degrees over 216 tokens");
  await expect(streamRotation(model, [[1, 2]])).rejects.toThrow("streamRotation: rows: got 2 tokens");
});

test("a mask overlaps itself whole, and its complement not at all", () => {
  const half = weightMask.where(model, (_, index) => index % 4 === 0);
  const same = maskOverlap(half, half, { shuffles: 19 });
  expect(same.contained).toBe(1);
  // A quarter of the weights: shuffled inside rows, a quarter of them would fall on themselves.
  expect(same.ratio).toBeCloseTo(4, 0);
  expect(same.p).toBeCloseTo(1 / 20, 12);
  const none = maskOverlap(half, half.complement(), { shuffles: 9 });
  expect([none.shared, none.contained, none.p]).toEqual([0, 0, 1]);
  expect(() => maskOverlap(weightMask.empty(model), half)).toThrow("maskOverlap: first: got an empty mask");
  expect(() => maskOverlap(half, half, { shuffles: 0 })).toThrow("maskOverlap: shuffles: got 0");
});

test("surprisals are the model's losses in bits and the table's, and their correlation is Pearson's", async () => {
  const table = await countBigrams(rows.slice(0, 4), { vocabulary: 29 });
  const found = await surprisalCorrelation(model, table, rows, { batch: 4 });
  expect(found.model).toHaveLength(6 * 11);
  const run = await model.run([rows[5] ?? []], { prependBos: false, loss: true });
  const last = Array.from(run.lossPerToken.data as Float32Array, (loss) => loss / Math.LN2);
  expect(Array.from(found.model.slice(-11))).toEqual(last.map((bits) => expect.closeTo(bits, 4) as number));
  expect(found.unseen).toBeGreaterThan(0);
  const seen = [...found.bigram.keys()].filter((i) => Number.isFinite(found.bigram[i]));
  expect(found.unseen).toBeCloseTo(1 - seen.length / 66, 12);
  const pick = (values: Float64Array): number[] => seen.map((i) => values[i] ?? 0);
  expect(found.rSeen).toBeCloseTo(pearson(pick(found.model), pick(found.bigram)), 12);
});

test("without a full mask nothing is left, and with it nothing is lost", async () => {
  const table = await countBigrams(rows, { vocabulary: 29 });
  const full = weightMask.full(model);
  const found = await ablateMask(model, full, { table, rows }, { controls: 1 });
  expect(found.alone.meanBits).toBeCloseTo(found.whole.meanBits, 6);
  const empty = await surprisalCorrelation(model.with(edit.keepWeights(weightMask.empty(model))), table, rows);
  expect(found.without.meanBits).toBeCloseTo(empty.meanBits, 6);
  expect(found.withoutRandom[0]?.meanBits).toBeCloseTo(empty.meanBits, 6);
  expect(String(found)).toContain("without as many at random, 1");
  await expect(ablateMask(model, full, { table, rows }, { controls: -1 })).rejects.toThrow(
    "ablateMask: controls: got -1",
  );
});
