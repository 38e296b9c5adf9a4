import { describe, expect, it } from "vitest";
import { createRandom } from "../../../src/core/index.js";
import {
  bootstrapIntervals,
  brierScore,
  expectedCalibrationError,
  type Interval,
  rankItems,
  weightedAuroc,
} from "../../../src/stats/index.js";

describe("weightedAuroc", () => {
  it("counts pairs, ties half, by weight", () => {
    const random = createRandom(1);
    for (let trial = 0; trial < 20; trial++) {
      const scores = Array.from({ length: 30 }, () => random.int(0, 8));
      const isPositive = scores.map(() => random.int(0, 2));
      const weights = scores.map(() => random.int(0, 4));
      let [won, all] = [0, 0];
      scores.forEach((a, i) => {
        scores.forEach((b, j) => {
          if (isPositive[i] !== 1 || isPositive[j] !== 0) return;
          const weight = (weights[i] ?? 0) * (weights[j] ?? 0);
          won += weight * (a > b ? 1 : a === b ? 0.5 : 0);
          all += weight;
        });
      });
      expect(weightedAuroc(rankItems(scores, isPositive), weights)).toBeCloseTo(won / all, 12);
    }
  });
  it("is NaN without one of the kinds", () => {
    expect(weightedAuroc(rankItems([1, 2], [1, 1]))).toBeNaN();
  });
});

describe("calibration", () => {
  it("is 0 where confidence is accuracy and else the weighted distance", () => {
    const { error, bins } = expectedCalibrationError([0.75, 0.75, 0.75, 0.75, 0.95], [1, 1, 1, 0, 0]);
    expect(error).toBeCloseTo((4 * 0 + 1 * 0.95) / 5, 12);
    expect(bins[7]).toEqual({ from: 0.7, to: 0.8, count: 4, confidence: 0.75, accuracy: 0.75 });
    expect(bins[0]?.accuracy).toBeNaN();
    expect(expectedCalibrationError([1], [1]).error).toBe(0);
  });
  it("refuses no bins", () => {
    expect(() => expectedCalibrationError([1], [1], 0)).toThrow("expectedCalibrationError: bins: got 0");
  });
  it("Brier's score is 0 for certainty that is right and 2 for certainty that is wrong", () => {
    expect(brierScore([1, 0, 0, 1], [0, 1], 2)).toBe(0);
    expect(brierScore([1, 0, 0, 1], [1, 0], 2)).toBe(2);
    expect(brierScore([0.5, 0.5], [0], 2)).toBe(0.5);
  });
});

function width(interval: Interval | undefined): number {
  return (interval?.high ?? Number.NaN) - (interval?.low ?? Number.NaN);
}

describe("bootstrapIntervals", () => {
  const mean =
    (values: readonly number[]) =>
    (weights: Float64Array): number[] => {
      const total = weights.reduce((a, b) => a + b, 0);
      return [values.reduce((sum, value, i) => sum + value * (weights[i] ?? 0), 0) / total];
    };
  it("has the width of the normal approximation for a mean", () => {
    const random = createRandom(3);
    const values = Array.from({ length: 400 }, () => random.normal());
    const [interval] = bootstrapIntervals(400, mean(values), { resamples: 2000 });
    const half = 1.96 / Math.sqrt(400);
    expect(width(interval) / 2).toBeCloseTo(half, 2);
  });
  it("is wider when items come in groups that are alike", () => {
    const values = Array.from({ length: 100 }, (_, i) => Math.floor(i / 10) % 2);
    const groups = values.map((_, i) => `g${Math.floor(i / 10)}`);
    const [single] = bootstrapIntervals(100, mean(values));
    const [grouped] = bootstrapIntervals(100, mean(values), { groups });
    expect(width(grouped)).toBeGreaterThan(2 * width(single));
  });
  it("draws as many units as there are, the same for one seed", () => {
    const sums: number[] = [];
    const run = (seed: number): unknown =>
      bootstrapIntervals(7, (weights) => [sums.push(weights.reduce((a, b) => a + b, 0))], { resamples: 9, seed });
    run(0);
    expect(sums).toEqual(Array.from({ length: 9 }, () => 7));
    const values = [1, 5, 2, 8];
    const of = (seed: number): unknown => bootstrapIntervals(4, mean(values), { seed, resamples: 50 });
    expect(of(1)).toEqual(of(1));
    expect(of(1)).not.toEqual(of(2));
  });
  it.each([
    [{ resamples: 0 }, "bootstrap: resamples: got 0"],
    [{ level: 1 }, "bootstrap: level: got 1"],
    [{ groups: ["a"] }, "bootstrap: groups: got 1 names; expected one for each of 2 items"],
  ])("refuses %j", (options, message) => {
    expect(() => bootstrapIntervals(2, () => [0], options)).toThrow(message);
  });
  it("refuses no items", () => {
    expect(() => bootstrapIntervals(0, () => [0])).toThrow("bootstrap: size: got 0; expected at least one item");
  });
});
