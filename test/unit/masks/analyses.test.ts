/** Analyses of subnetworks: closed forms, and masks whose answers are known. */
import { afterAll, beforeAll, expect, test } from "vitest";
import { createRandom } from "../../../src/core/index.js";
import {
  ablateMask,
  countBigrams,
  covarianceCosine,
  maskOverlap,
  rotationAngle,
  streamCovariance,
  streamLens,
  streamRotation,
  surprisalCorrelation,
  surprisalTokens,
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

test("masks that share no row are at chance, and chance is the closed form that many shuffles come to", () => {
  const even = weightMask.where(model, ({ shape }, index) => Math.floor(index / (shape.at(-1) ?? 1)) % 2 === 0);
  const apart = maskOverlap(even, even.complement(), { shuffles: 3 });
  expect([apart.shared, apart.ratio, apart.p]).toEqual([0, 1, 1]);
  const some = weightMask.where(model, (_, index) => (index * index) % 7 < 2);
  const other = weightMask.where(model, (_, index) => index % 5 < 2);
  const shuffled = Array.from(
    { length: 40 },
    (_, seed) => weightMask.random(some, { within: "row", seed }).intersection(other).count,
  );
  const mean = shuffled.reduce((a, b) => a + b, 0) / shuffled.length;
  const { shared, ratio } = maskOverlap(some, other, { shuffles: 1 });
  // The mean of 40 shuffles is within a percent of what it estimates.
  expect(shared / ratio / mean).toBeCloseTo(1, 1.7);
});

/** Points at ± a, b, c on three axes, so that the covariance is diagonal. */
function axisCloud(sizes: readonly number[]): Tensor<"float64"> {
  const points = sizes.flatMap((size, axis) =>
    [size, -size].map((value) => sizes.map((_, i) => (i === axis ? value : 0) + 2)),
  );
  return Tensor.of(Float64Array.from(points.flat()), [points.length, sizes.length], ["token", "dModel"]);
}

test("covariances are compared without their strongest direction", () => {
  const x = axisCloud([5, 2, 1]);
  expect(covarianceCosine(x, x)).toBeCloseTo(1, 12);
  expect(covarianceCosine(x, axisCloud([50, 2, 1]))).toBeCloseTo(1, 12);
  expect(() => covarianceCosine(x, axisCloud([1, 2]))).toThrow("covarianceCosine: got [6, 3] and [4, 2]");
  // diag(0, 4, 1) and diag(9, 4, 0).
  expect(covarianceCosine(x, axisCloud([3, 2, 10]))).toBeCloseTo(16 / Math.sqrt(17 * 97), 12);
});

test("a state is most like itself, and the final state is read as the model reads it", async () => {
  const many = Array.from({ length: 40 }, (_, i) =>
    Array.from({ length: 12 }, (_unused, j) => (i * 11 + j * j * 7 + i * j * 3) % 29),
  );
  const { values } = await streamCovariance(model, many);
  const size = model.config.nLayers + 1;
  expect(values.shape).toEqual([size, size]);
  for (let i = 0; i < size; i++) expect(values.data[i * size + i]).toBeCloseTo(1, 9);
  const lens = await streamLens(model, many);
  expect(lens.surprisalR.at(-1)).toBeGreaterThan(0.999);
  expect(lens.surprisalR.every((r) => r <= 1)).toBe(true);
  for (let i = 0; i < size; i++) expect(Number(lens.recall[10][i])).toBeGreaterThanOrEqual(Number(lens.recall[1][i]));
  expect([lens.fitted, lens.tokens]).toEqual([240, 240]);
  expect(String(lens)).toContain("StreamLens over 240 tokens");
  expect(lens.toView().summary()).toContain("linear map");
  const edited = model.with(edit.zero("blocks.0.hook_mlp_out"));
  await expect(streamLens(edited, many)).rejects.toThrow("streamLens: model: got a model with edit.zero");
  await expect(streamLens(model, many.slice(0, 1))).rejects.toThrow("streamLens: rows: got 1 rows; expected two rows");
  await expect(streamCovariance(model, [[1, 2]])).rejects.toThrow("streamCovariance: rows: got 2 tokens");
});

test("the stream that is the embedding gives every token back", async () => {
  const table = await loadModel("constructed/bigram-mlp");
  const many = Array.from({ length: 8 }, (_, i) => Array.from({ length: 32 }, (_unused, j) => (i + j * 7) % 32));
  const { recall } = await streamLens(table, many);
  expect(recall[1][0]).toBe(1);
  await table.close();
});

test("tokens are coloured by what the model is more surprised at than the bigram", async () => {
  const table = await countBigrams(rows.slice(0, 4), { vocabulary: 29 });
  const row = rows[5] ?? [];
  const { model: own, bigram } = await surprisalCorrelation(model, table, [row]);
  const { spec } = await surprisalTokens(model, table, row);
  if (spec.view !== "tokens") throw new Error("not a view of tokens");
  expect(spec.tokens).toEqual(row.map(String));
  const [gap] = spec.channels;
  expect(gap?.name).toBe("model − bigram");
  const seen = Array.from(bigram, (bits, i) => ({ bits, i })).filter(({ bits }) => Number.isFinite(bits));
  expect(seen.length).toBeGreaterThan(0);
  expect(seen.length).toBeLessThan(bigram.length);
  expect(gap?.values.filter((value) => typeof value === "number")).toHaveLength(seen.length);
  for (const { bits, i } of seen) expect(gap?.values[i + 1]).toBeCloseTo((own[i] ?? 0) - bits, 5);
  await expect(surprisalTokens(model, table, [1])).rejects.toThrow("got no row of two tokens");
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
