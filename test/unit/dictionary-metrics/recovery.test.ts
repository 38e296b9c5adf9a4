/** Matching of learned and planted features, against all permutations; the planted world against its own numbers. */
import { expect, test } from "vitest";
import { createRandom } from "../../../src/core/index.js";
import { matchFeatures, plantedFeatures } from "../../../src/dictionary/index.js";
import { bestAssignment } from "../../../src/dictionary/metrics/assignment.js";
import { Tensor } from "../../../src/tensor/index.js";

const random = createRandom(11);
const matrix = (rows: number, columns: number): number[][] =>
  Array.from({ length: rows }, () => Array.from({ length: columns }, () => random.normal()));
const tensor = (values: readonly (readonly number[])[]): Tensor =>
  Tensor.of(Float64Array.from(values.flat()), [values.length, values[0]?.length ?? 0]);

/** The best sum over all ways to give each row a column of its own. */
function bruteForce(scores: readonly (readonly number[])[], row = 0, used: readonly number[] = []): number {
  const own = scores[row];
  if (own === undefined) return 0;
  return Math.max(
    ...own.map((score, column) =>
      used.includes(column) ? Number.NEGATIVE_INFINITY : score + bruteForce(scores, row + 1, [...used, column]),
    ),
  );
}

test("the assignment is the best of all permutations", () => {
  for (let round = 0; round < 40; round++) {
    const [rows, columns] = [1 + (round % 6), 6 + (round % 2)];
    const scores = matrix(rows, columns);
    const found = bestAssignment(rows, columns, (r, c) => scores[r]?.[c] ?? 0);
    expect(new Set(found).size).toBe(rows);
    const sum = Array.from(found, (c, r) => scores[r]?.[c] ?? 0).reduce((a, b) => a + b, 0);
    expect(sum).toBeCloseTo(bruteForce(scores), 10);
  }
});

test("a permuted, scaled copy is recovered whole", () => {
  const truth = matrix(9, 5);
  const order = random.shuffle([...truth.keys()]);
  const learned = order.map((i, l) => (truth[i] ?? []).map((one) => one * (l + 1)));
  const recovery = matchFeatures(tensor(learned), tensor(truth));
  expect(recovery.meanCosine).toBeCloseTo(1, 12);
  expect(recovery.matches.map(({ learned: l }) => order[l])).toEqual([...truth.keys()]);
  expect(recovery.recovered(0.99)).toBe(1);
  expect(recovery.toString()).toBe("recovery of 9 features by 9: mean cosine 1.0000, worst 1.0000, 9 with 0.9 or more");
  expect(recovery.toView().toText()).toContain("Recovery of planted features");
});

test("a feature found twice stands for one true feature only", () => {
  const truth = [
    [1, 0],
    [0, 1],
  ];
  const recovery = matchFeatures(
    tensor([
      [1, 0],
      [1, 0],
    ]),
    tensor(truth),
  );
  expect(recovery.meanCosine).toBeCloseTo(0.5, 12);
  expect(recovery.recovered()).toBe(0.5);
});

test("a negated direction is not recovered", () => {
  expect(matchFeatures(tensor([[-1, 0]]), tensor([[1, 0]])).meanCosine).toBe(-1);
});

test("true features beyond the learned ones count as 0, and surplus learned ones are ignored", () => {
  const fewer = matchFeatures(
    tensor([[0, 2]]),
    tensor([
      [1, 0],
      [0, 1],
    ]),
  );
  expect(fewer.matches).toEqual([
    { truth: 0, learned: -1, cosine: 0 },
    { truth: 1, learned: 0, cosine: 1 },
  ]);
  expect(
    matchFeatures(
      tensor([
        [5, 5],
        [0, 2],
        [3, 0],
      ]),
      tensor([[1, 0]]),
    ).matches[0]?.learned,
  ).toBe(2);
});

test("bad directions are refused", () => {
  expect(() => matchFeatures(tensor([[1, 0]]), tensor([[1, 0, 0]]))).toThrow(
    "matchFeatures: got learned [1, 2] and true [1, 3]; expected two matrices of directions as rows",
  );
  expect(() => matchFeatures(Tensor.of(new Float32Array(0), [0, 2]), tensor([[1, 0]]))).toThrow("neither empty");
  expect(() => matchFeatures(tensor([[Number.NaN, 0]]), tensor([[1, 0]]))).toThrow("not finite");
});

test("planted activations are sums of unit directions, as often and as strong as asked", () => {
  const world = plantedFeatures({ d: 16, features: 40, p: 0.05, seed: 4 });
  const { x, acts } = world.batch(0, 3000);
  const [xs, as] = [x.data as Float32Array, acts.data as Float32Array];
  const rows = world.directions.data as Float32Array;
  for (let f = 0; f < 40; f++)
    expect(rows.subarray(f * 16, (f + 1) * 16).reduce((sum, one) => sum + one * one, 0)).toBeCloseTo(1, 5);
  for (const token of [0, 17, 2999]) {
    for (let i = 0; i < 16; i++) {
      let sum = 0;
      for (let f = 0; f < 40; f++) sum += (as[token * 40 + f] ?? 0) * (rows[f * 16 + i] ?? 0);
      expect(xs[token * 16 + i]).toBeCloseTo(sum, 4);
    }
  }
  const fired = as.filter((a) => a > 0);
  expect(fired.length / 3000).toBeCloseTo(world.l0, 0);
  expect(Math.min(...fired)).toBeGreaterThanOrEqual(0.5);
  expect(Math.max(...fired)).toBeLessThanOrEqual(1.5);
});

test("batches depend on seed and index alone", () => {
  const make = (seed: number) => plantedFeatures({ d: 8, features: 20, p: 0.1, seed, noise: 0.01 });
  expect(make(1).batch(3, 50).x.data).toEqual(make(1).batch(3, 50).x.data);
  expect(make(1).batch(3, 50).x.data).not.toEqual(make(1).batch(4, 50).x.data);
  expect(make(1).directions.data).not.toEqual(make(2).directions.data);
  expect(make(1).toString()).toBe("planted features: 20 in 8 dimensions, p 0.1, seed 1");
});

test("impossible worlds are refused", () => {
  const good = { d: 8, features: 20, p: 0.1 };
  expect(() => plantedFeatures({ ...good, d: 0 })).toThrow("plantedFeatures: d: got 0");
  expect(() => plantedFeatures({ ...good, features: 1.5 })).toThrow("features: got 1.5");
  expect(() => plantedFeatures({ ...good, p: 1 })).toThrow("a probability between 0 and 1");
  expect(() => plantedFeatures({ ...good, strength: [2, 1] })).toThrow("strength: got 2 to 1");
  expect(() => plantedFeatures({ ...good, noise: -1 })).toThrow("noise: got -1");
});
