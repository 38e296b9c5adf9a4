/** Reconstruction metrics where the answer is known in closed form. */
import { expect, test } from "vitest";
import { createRandom } from "../../../src/core/index.js";
import { evaluateReconstruction } from "../../../src/dictionary/index.js";
import { Tensor } from "../../../src/tensor/index.js";

const [tokens, dim] = [400, 7];
const random = createRandom(3);
const rows = Array.from({ length: tokens }, () => Array.from({ length: dim }, (_, i) => random.normal() + i));
const tensor = (values: readonly (readonly number[])[]): Tensor =>
  Tensor.of(Float64Array.from(values.flat()), [values.length, dim], ["batch", "dModel"]);
const x = tensor(rows);
const mean = Array.from({ length: dim }, (_, i) => rows.reduce((sum, row) => sum + (row[i] ?? 0), 0) / tokens);
const variance =
  rows.reduce((sum, row) => sum + row.reduce((own, one, i) => own + (one - (mean[i] ?? 0)) ** 2, 0), 0) / tokens;

test("the identity explains everything", () => {
  const metrics = evaluateReconstruction(x, x);
  expect(metrics).toMatchObject({ tokens, explainedVariance: 1, fvu: 0, mse: 0, relativeBias: 1 });
  expect(metrics.cosine).toBeCloseTo(1, 12);
  expect(metrics.l2Ratio).toBeCloseTo(1, 12);
});

test("the mean of the data explains nothing", () => {
  const { explainedVariance, mse } = evaluateReconstruction(x, tensor(rows.map(() => mean)));
  expect(explainedVariance).toBeCloseTo(0, 10);
  expect(mse).toBeCloseTo(variance, 10);
});

test("another constant does worse than the mean by its squared distance from it", () => {
  const { fvu } = evaluateReconstruction(x, tensor(rows.map(() => mean.map((one) => one + 2))));
  expect(fvu).toBeCloseTo(1 + (4 * dim) / variance, 9);
});

test("a shifted reconstruction loses the squared shift, relative to the variance and not to the square of the data", () => {
  const { fvu, mse } = evaluateReconstruction(x, tensor(rows.map((row) => row.map((one) => one + 0.5))));
  expect(mse).toBeCloseTo(0.25 * dim, 10);
  expect(fvu).toBeCloseTo((0.25 * dim) / variance, 10);
});

test("a large common mean changes neither the variance nor its digits", () => {
  const far = (values: readonly (readonly number[])[]): Tensor =>
    tensor(values.map((row) => row.map((one) => one + 1e6)));
  const shrunk = rows.map((row) => row.map((one, i) => (mean[i] ?? 0) + 0.9 * (one - (mean[i] ?? 0))));
  expect(evaluateReconstruction(far(rows), far(shrunk)).fvu).toBeCloseTo(0.01, 7);
});

test("half the length: L2 ratio and bias say so, the cosine does not", () => {
  const metrics = evaluateReconstruction(x, tensor(rows.map((row) => row.map((one) => one / 2))));
  expect(metrics.l2Ratio).toBeCloseTo(0.5, 12);
  expect(metrics.relativeBias).toBeCloseTo(0.5, 12);
  expect(metrics.cosine).toBeCloseTo(1, 12);
});

test("data that do not vary have no explained variance", () => {
  const constant = tensor(rows.map(() => mean));
  expect(evaluateReconstruction(constant, x).fvu).toBeNaN();
  expect(evaluateReconstruction(constant, constant).explainedVariance).toBeNaN();
});

test("zero vectors count neither as ratios nor as alike", () => {
  const metrics = evaluateReconstruction(
    tensor([[0, 0, 0, 0, 0, 0, 0], rows[0] ?? []]),
    tensor([rows[1] ?? [], rows[0] ?? []]),
  );
  expect(metrics.cosine).toBeCloseTo(0.5, 12);
  expect(metrics.l2Ratio).toBeCloseTo(1, 12);
});

test("bad input is refused", () => {
  expect(() => evaluateReconstruction(x, tensor(rows.slice(1)))).toThrow(
    "evaluateReconstruction: got y [399, 7]; expected the shape of x, [400, 7]",
  );
  const none = Tensor.of(new Float32Array(0), [0, 7]);
  expect(() => evaluateReconstruction(none, none)).toThrow("got no vectors; expected at least one token");
});
