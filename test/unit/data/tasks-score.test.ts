/** Scores of logits, against sums written out. */
import { describe, expect, it } from "vitest";
import { tasks } from "../../../src/data/index.js";
import { tensor } from "../../../src/tensor/index.js";

const axes = ["batch", "pos", "dVocabOut"] as const;
const pairs = tasks.repeated(6, { n: 3, length: 3, seed: 4 });
const [right, wrong] = [pairs.answerTokens, pairs.wrongAnswerTokens].map((rows) => rows.map((ids) => ids[0] ?? -1));

/** Logits for each row: 2 at the token of `winners`, 1 at that of `seconds`, 0 elsewhere. */
function logitsOf(winners: readonly number[], seconds: readonly number[]): number[][] {
  return winners.map((winner, row) =>
    [0, 1, 2, 3, 4, 5].map((id) => (id === winner ? 2 : id === seconds[row] ? 1 : 0)),
  );
}

describe("score", () => {
  it("is perfect where the answer wins", () => {
    const score = pairs.score(
      tensor(
        logitsOf(right ?? [], wrong ?? []).map((row) => [row]),
        axes,
      ),
    );
    const sum = Math.exp(2) + Math.exp(1) + 4;
    expect(score.accuracy).toBe(1);
    expect(score.preference).toBe(1);
    expect(score.logitDiff).toBeCloseTo(1, 12);
    expect(score.probDiff).toBeCloseTo((Math.exp(2) - Math.exp(1)) / sum, 12);
  });

  it("counts a third token as a miss that prefers the answer all the same", () => {
    const thirds = (right ?? []).map(
      (id, row) => [0, 1, 2, 3, 4, 5].find((one) => one !== id && one !== wrong?.[row]) ?? 0,
    );
    const score = pairs.score(
      tensor(
        logitsOf(thirds, right ?? []).map((row) => [row]),
        axes,
      ),
    );
    expect(score).toMatchObject({ accuracy: 0, preference: 1 });
    expect(score.logitDiff).toBeCloseTo(1, 12);
  });

  it("takes the mean over pairs", () => {
    const winners = (right ?? []).map((id, row) => (row === 0 ? (wrong?.[row] ?? 0) : id));
    const seconds = (wrong ?? []).map((id, row) => (row === 0 ? (right?.[row] ?? 0) : id));
    const score = pairs.score(
      tensor(
        logitsOf(winners, seconds).map((row) => [row]),
        axes,
      ),
    );
    expect(score.accuracy).toBeCloseTo(2 / 3, 12);
    expect(score.preference).toBeCloseTo(2 / 3, 12);
    expect(score.logitDiff).toBeCloseTo(1 / 3, 12);
  });

  it("reads the last position of prompts that are padded on the right", () => {
    const filler = [9, 9, 9, 9, 9, 9];
    const rows = logitsOf(right ?? [], wrong ?? []).map((row) => [filler, filler, filler, filler, row, filler]);
    expect(pairs.positions.end).toEqual([4, 4, 4]);
    expect(pairs.score(tensor(rows, axes)).accuracy).toBe(1);
  });

  it("counts any of several right answers, and sums their probability", () => {
    const years = tasks.greaterThan(tasks.wordTokenizer(), { n: 2, years: [97, 98], centuries: [17] });
    const size = 1 + Math.max(...years.answerTokens.flat(), ...years.wrongAnswerTokens.flat());
    const rows = years.answerTokens.map((ids) => [
      Array.from({ length: size }, (_, id) => (id === ids.at(-1) ? 1 : 0)),
    ]);
    const score = years.score(tensor(rows, axes));
    const total = Math.E + size - 1;
    const gap = years.answerTokens.map((ids, i) => Math.E + ids.length - 1 - (years.wrongAnswerTokens[i]?.length ?? 0));
    expect(score.accuracy).toBe(1);
    expect(score.probDiff).toBeCloseTo(((gap[0] ?? 0) + (gap[1] ?? 0)) / 2 / total, 12);
  });
});
