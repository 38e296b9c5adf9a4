/** Plans and ranks: pure functions. */
import fc from "fast-check";
import { expect, it } from "vitest";
import { checkClaims } from "../../../src/redundancy/report/claims.js";
import type { FrontierSummary } from "../../../src/redundancy/report/content.js";
import { planReport } from "../../../src/redundancy/report/plan.js";
import { orderOf, ranksOf, spearman } from "../../../src/redundancy/report/ranks.js";

const facts = { layers: 12, sublayers: 24, heads: 12, tokens: 32_000, window: 256, secondsPerToken: 1e-3 };

it("reads everything without a budget", () => {
  const { tokens, sections, frontierTokens, searchTokens } = planReport(facts, undefined);
  expect([tokens, frontierTokens, searchTokens]).toEqual([32_000, 4096, 2048]);
  expect(sections).toEqual(["heads", "neurons", "greedy", "effects"]);
});

it("stays within every budget that something fits into: fewer tokens first, then fewer sections", () => {
  let before = 0;
  for (const minutes of [5, 20, 40, 80]) {
    const { seconds, tokens, sections } = planReport(facts, minutes);
    expect(seconds).toBeLessThanOrEqual(60 * minutes);
    const size = sections.length * 1e6 + tokens;
    expect(size).toBeGreaterThanOrEqual(before);
    before = size;
  }
  expect(planReport(facts, 5).sections).not.toContain("greedy");
  expect(() => planReport(facts, 0.1)).toThrow("redundancy.report: budget: got 0.1 minutes; expected at least");
});

it("ranks with shared ranks of equal numbers, and correlates as Pearson's formula on ranks does", () => {
  expect([...ranksOf([3, 1, 3, 2])]).toEqual([3.5, 1, 3.5, 2]);
  expect(orderOf([3, 1, 3, 2])).toEqual([1, 3, 0, 2]);
  expect(spearman([1, 2, 3, 4], [10, 20, 30, 40])).toBe(1);
  expect(spearman([1, 2, 3, 4], [4, 3, 2, 1])).toBe(-1);
  // 1 − 6 Σ d² / (n (n² − 1)) with d = 0, 1, 1, 0.
  expect(spearman([1, 2, 3, 4], [1, 3, 2, 4])).toBeCloseTo(0.8, 12);
  expect(spearman([1, 1], [1, 2])).toBeNaN();
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 0, max: 9 }), { minLength: 2, maxLength: 20 }), (values) => {
      const brute = values.map(
        (x) => values.filter((y) => y < x).length + (values.filter((y) => y === x).length + 1) / 2,
      );
      expect([...ranksOf(values)]).toEqual(brute);
    }),
  );
});

it("says of each claim whether it holds, with the numbers", () => {
  const line = (
    name: string,
    rises: readonly number[],
    order: readonly string[] = ["a", "b", "c", "d"],
  ): FrontierSummary => ({
    name,
    title: name,
    kind: "sublayer",
    order,
    points: rises.map((value, i) => ({
      sublayers: i + 1,
      loss: 0,
      relative: { value, low: value, high: value },
      kl: 0,
      agreement: 1,
    })),
  });
  const claims = checkClaims([
    line("similarity", [0.01, 0.02]),
    line("bareSimilarity", [0.3, 0.5]),
    line("oneShot", [0.01, 0.01]),
    line("greedy", [0.01, 0.03], ["blocks.0.mlp", "blocks.0.attn", "blocks.1.mlp", "blocks.1.attn"]),
    line("random0", [0.2]),
  ]);
  expect(claims.map(({ holds }) => holds)).toEqual([true, false, true, false]);
  expect(claims[0]?.evidence).toContain("+1.5 % (similarity) against +40.0 % (bareSimilarity)");
  expect(claims[3]?.evidence).toContain("attention 3.0, MLP 2.0");
});
