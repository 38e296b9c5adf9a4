/** Similarity measures: numpy's numbers, invariances, independence, and too few tokens. */
import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { type SimilarityMeasure, similarity } from "../../../src/analysis/index.js";
import { createRandom } from "../../../src/core/index.js";
import { Tensor, tensor } from "../../../src/tensor/index.js";

type Rows = readonly (readonly number[])[];

interface Golden {
  readonly x: Rows;
  readonly y: Rows;
  readonly wide: Rows;
  readonly xy: Readonly<Record<SimilarityMeasure, number>>;
  readonly wideY: Readonly<Record<"cka" | "rsa", number>>;
}

const golden = JSON.parse(
  readFileSync(new URL("../../../fixtures/similarity/golden.json", import.meta.url), "utf8"),
) as Golden;

function rowsOf(values: Rows): Tensor {
  return Tensor.of(Float64Array.from(values.flat()), [values.length, values[0]?.length ?? 0], ["row", "feature"]);
}

function noise(rows: number, width: number, seed: number): number[][] {
  const random = createRandom(seed);
  return Array.from({ length: rows }, () => Array.from({ length: width }, () => random.normal()));
}

/** Turns the plane of two columns, scales and shifts everything. */
function turned(values: Rows, scale: number): number[][] {
  const [c, s] = [Math.cos(0.7), Math.sin(0.7)];
  return values.map((row) => {
    const copy = [...row];
    for (let i = 0; i + 1 < row.length; i++) {
      const [a = 0, b = 0] = [copy[i], copy[i + 1]];
      copy[i] = c * a - s * b;
      copy[i + 1] = s * a + c * b;
    }
    return copy.map((value) => scale * value);
  });
}

test.each(Object.entries(golden.xy))("%s is numpy's", (name, want) => {
  expect(similarity.compare(rowsOf(golden.x), rowsOf(golden.y), name as SimilarityMeasure)).toBeCloseTo(want, 9);
});

test.each(Object.entries(golden.wideY))("%s with more features than rows is numpy's", (name, want) => {
  expect(similarity.compare(rowsOf(golden.wide), rowsOf(golden.y), name as SimilarityMeasure)).toBeCloseTo(want, 9);
});

test.each(["cka", "ckaBiased", "svcca", "procrustes"] as const)("%s is 1 under rotation and scale", (measure) => {
  const x = noise(300, 6, 1);
  expect(similarity.compare(rowsOf(x), rowsOf(turned(x, 3)), measure)).toBeCloseTo(1, 5);
});

test("minibatch CKA is 1 under rotation and scale, and agrees with the unbiased one", () => {
  const [x, y] = [noise(1024, 6, 1), noise(1024, 6, 2)];
  const mixed = x.map((row, i) => row.map((value, j) => value + 0.5 * (y[i]?.[j] ?? 0)));
  expect(similarity.compare(rowsOf(x), rowsOf(turned(x, 3)), "ckaMinibatch")).toBeCloseTo(1, 5);
  const whole = similarity.compare(rowsOf(x), rowsOf(mixed), "cka");
  expect(Math.abs(similarity.compare(rowsOf(x), rowsOf(mixed), "ckaMinibatch") - whole)).toBeLessThan(0.02);
});

test("unbiased CKA of independent noise is about 0 where the biased one is not", () => {
  const [x, y] = [rowsOf(noise(256, 200, 3)), rowsOf(noise(256, 200, 4))];
  expect(Math.abs(similarity.compare(x, y, "cka"))).toBeLessThan(0.02);
  expect(similarity.compare(x, y, "ckaBiased")).toBeGreaterThan(0.3);
});

test("cosine and angular distance follow their formulas", () => {
  const x = noise(40, 3, 5);
  const half = x.map((row) => [row[0] ?? 0, row[1] ?? 0, 0]);
  const cosines = x.map(([a = 0, b = 0, c = 0]) => Math.sqrt((a * a + b * b) / (a * a + b * b + c * c)));
  const mean = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length;
  expect(similarity.compare(rowsOf(x), rowsOf(half), "cosine")).toBeCloseTo(mean(cosines), 6);
  const angles = cosines.map((value) => Math.acos(value) / Math.PI);
  expect(similarity.compare(rowsOf(x), rowsOf(half), "angular")).toBeCloseTo(mean(angles), 6);
  expect(similarity.compare(rowsOf(x), rowsOf(x.map((row) => row.map((v) => -v))), "angular")).toBeCloseTo(1, 6);
});

test("activations that do not vary have no CKA", () => {
  const constant = Array.from({ length: 40 }, () => [1, 2]);
  expect(similarity.compare(rowsOf(constant), rowsOf(noise(40, 3, 6)), "cka")).toBeNaN();
});

test("too few tokens are refused with how many are needed and why", () => {
  const [few, some] = [rowsOf(noise(5, 3, 7)), rowsOf(noise(40, 50, 8))];
  expect(() => similarity.compare(few, few)).toThrow(/similarity: cka: got 5 tokens; expected at least 32: its error/);
  expect(() => similarity.compare(some, some, "ckaBiased")).toThrow(/at least 50: with fewer tokens than features/);
  expect(() => similarity.compare(some, some, "procrustes")).toThrow(/at least 50/);
  expect(() => similarity.compare(some, some, "svcca")).toThrow(/got 40 tokens; expected at least \d+/);
  expect(() => similarity.compare(some, some, "ckaMinibatch")).toThrow(/at least 256/);
});

test("wrong input is named", () => {
  const x = rowsOf(noise(40, 3, 9));
  expect(() => similarity.compare(x, rowsOf(noise(41, 3, 9)))).toThrow(/got 40 rows and 41 rows/);
  expect(() => similarity.compare(x, rowsOf(noise(40, 4, 9)), "cosine")).toThrow(/3 and 4 wide/);
  const bad = noise(40, 3, 9).map((row, i) => (i === 7 ? [0, Number.NaN, 0] : row));
  expect(() => similarity.compare(x, rowsOf(bad))).toThrow(/NaN in row 7 of the second side/);
  expect(() => similarity.compare(x, x, "ckaa" as never)).toThrow(/got "ckaa"/);
  expect(() => similarity.compare(tensor([1, 2], ["row"]), x)).toThrow(/got shape \[2\]/);
});
