/** The sample of firings: fair, and the same for the same seed. */
import { expect, test } from "vitest";
import { ExampleRecorder } from "../../../src/dictionary/examples/recorder.js";
import type { CountedTokens } from "../../../src/model/index.js";

/** 20 rows of 10 tokens, on each of which the only feature fires. */
const [rows, width] = [20, 10];
const slots = Int32Array.from({ length: rows * width }, (_, i) => i);
const tokens: CountedTokens = {
  count: slots.length,
  slots,
  rows: slots.map((slot) => Math.floor(slot / width)),
  positions: slots.map((slot) => slot % width),
  ids: slots,
  firstRow: 0,
  rowIds: Array.from({ length: rows }, (_, row) => slots.subarray(row * width, (row + 1) * width)),
};
const acts = Float32Array.from(slots, (slot) => 1 + slot);

function sampled(seed: number): readonly number[] {
  const recorder = new ExampleRecorder({ nFeatures: 1, top: 0, sample: 20, context: 0, seed });
  recorder.add({ acts, tokens });
  const { rows: inRow, positions } = recorder.sample.columns;
  return Array.from(inRow, (row, i) => row * width + (positions[i] ?? 0)).sort((a, b) => a - b);
}

test("each firing is as likely to stay as any other", () => {
  const [rounds, counts] = [600, new Float64Array(slots.length)];
  for (let seed = 0; seed < rounds; seed++) for (const slot of sampled(seed)) counts[slot] = (counts[slot] ?? 0) + 1;
  // Binomial with mean 60 and standard deviation 7.3; 200 draws stay within five deviations.
  const mean = (rounds * 20) / slots.length;
  expect(Math.min(...counts)).toBeGreaterThan(mean - 5 * 7.3);
  expect(Math.max(...counts)).toBeLessThan(mean + 5 * 7.3);
  const chi2 = counts.reduce((sum, count) => sum + (count - mean) ** 2 / (mean * 0.9), 0);
  expect(chi2).toBeGreaterThan(130);
  expect(chi2).toBeLessThan(270);
});

test("a seed decides the sample", () => {
  expect(sampled(3)).toEqual(sampled(3));
  expect(sampled(3)).not.toEqual(sampled(4));
  expect(new Set(sampled(3)).size).toBe(20);
});
