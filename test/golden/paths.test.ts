/** Path patching on trained models against runs of the whole model with edits. */
import { afterAll, describe, expect, it } from "vitest";
import { edges, metric } from "../../src/analysis/index.js";
import { loadModel, type Model } from "../../src/model/index.js";
import { dataFolder, fixture, oracle } from "../helpers/fixtures.js";
import { bruteForce } from "../unit/analysis-edges/support.js";
import { distance, numbers } from "../unit/analysis-patching/support.js";

const opened: Model[] = [];
afterAll(async () => {
  await Promise.all(opened.map((model) => model.close()));
});

async function open(source: string): Promise<Model> {
  const model = await loadModel(source);
  opened.push(model);
  return model;
}

const between = { attention: "frozen", mlps: "recomputed" } as const;

describe.skipIf(dataFolder === undefined)("path patching of trained models", () => {
  const cases = [
    { path: ["sort-gpt-nano", "hf"], from: [2, 1, 0, 1, 0, 2, 0], into: [2, 1, 1, 1, 0, 2, 0], right: 0, wrong: 1 },
    { path: ["routing-toy"], from: [0, 5, 2, 3, 9], into: [0, 1, 2, 3, 9], right: 5, wrong: 1 },
  ];
  it.each(cases)("of $path is what edited runs give for every sender", async ({ path, from, into, right, wrong }) => {
    const model = await open(oracle(...path));
    const pair: [number[][], number[][]] = [[from], [into]];
    const diff = metric.logitDiff({ answerTokens: [[right]], wrongAnswerTokens: [[wrong]] });
    for (const receivers of [["a1.h1.v"], ["a1.h0.q", "a1.h1.k"], ["logits"]]) {
      const result = await edges.paths(model, { from: pair[0], into: pair[1], receivers, metric: diff });
      for (const [i, sender] of result.senders.entries()) {
        if (sender === "pos_embed" || (receivers[0] !== "logits" && !/^a0|^m0|embed/.test(sender))) continue;
        const expected = await bruteForce(model, pair, { sender, receivers, between }, diff);
        const found = numbers(result.perPrompt).slice(i, i + 1);
        expect(distance(found, expected), `${sender} → ${receivers.join()}`).toBeLessThan(
          1e-5 * (1 + Math.abs(found[0] ?? 0)),
        );
      }
    }
  });
});

describe("the constructed induction model", () => {
  it("carries everything from the previous-token head through the induction head's key", async () => {
    const model = await open(fixture("constructed", "induction"));
    // … 3 7 … 3: the second 3 is followed by 7, unless the first one is followed by another token.
    const into = [[3, 7, 11, 3]];
    const from = [[5, 7, 11, 3]];
    const diff = metric.logitDiff({ answerTokens: [[7]], wrongAnswerTokens: [[11]] });
    const change = async (receiver: string): Promise<number> => {
      const { change: found } = await edges.paths(model, {
        from,
        into,
        senders: ["a0.h0"],
        receivers: [receiver],
        metric: diff,
      });
      return found[0] ?? Number.NaN;
    };
    expect(await change("a1.h1.k")).toBeLessThan(-10);
    expect(await change("a1.h1.q")).toBe(0);
    expect(await change("a1.h1.v")).toBe(0);
  });
});
