/** Edge methods on models whose circuits are known, and on trained models. */
import { readFileSync } from "node:fs";
import { afterAll, describe, expect, it } from "vitest";
import { type EdgeScores, edges, metric, qk } from "../../src/analysis/index.js";
import { tasks } from "../../src/data/index.js";
import { loadModel, type Model } from "../../src/model/index.js";
import { dataFolder, fixture, oracle } from "../helpers/fixtures.js";

const opened: Model[] = [];
afterAll(async () => {
  await Promise.all(opened.map((model) => model.close()));
});

async function open(source: string): Promise<Model> {
  const model = await loadModel(source);
  opened.push(model);
  return model;
}

interface BuiltEdge {
  readonly from: string;
  readonly to: string;
  readonly input: string;
}

/** The share of pairs of a true and a false edge in which the true one has the larger score; ties count half. */
function auroc({ edges: all, scores }: EdgeScores, built: ReadonlySet<string>): number {
  const size = Array.from(scores, Math.abs);
  const isTrue = all.map(({ from, to }) => built.has(`${from} ${to}`));
  expect(isTrue.filter(Boolean)).toHaveLength(built.size);
  let [won, pairs] = [0, 0];
  size.forEach((a, i) => {
    size.forEach((b, j) => {
      if (isTrue[i] !== true || isTrue[j] === true) return;
      pairs += 1;
      won += a > b ? 1 : a === b ? 0.5 : 0;
    });
  });
  return won / pairs;
}

const constructed = [
  [
    "induction",
    [
      [3, 7, 11, 2, 19, 3],
      [5, 4, 9, 8, 1, 9],
      [0, 1, 2, 6, 7, 1],
    ],
    [[7], [8], [2]],
    [[11], [4], [6]],
  ],
  [
    "selector-copy",
    [
      [0, 1, 2, 3, 8],
      [7, 2, 5, 6, 10],
      [4, 3, 2, 6, 11],
      [6, 1, 2, 0, 9],
    ],
    [[0], [5], [6], [1]],
    [[1], [7], [4], [2]],
  ],
  [
    "bigram-mlp",
    [
      [0, 31, 7, 5],
      [12, 5, 30, 1],
    ],
    [[9], [11]],
    [[3], [4]],
  ],
] as const;

describe.each(constructed)("the constructed model %s", (name, into, right, wrong) => {
  // Means over positions, not other prompts' values: positions are the same in all prompts, so a copied one shows nothing.
  it.each(["eap", "eap-ig", "exact"] as const)(
    "has its built-in edges found by %s: AUROC at least 0.99",
    async (method) => {
      // Its attention is so sure of itself that slopes are 1e-41: float64 holds them.
      const model = (await open(fixture("constructed", name))).withPrecision("float64");
      const { edges: list } = JSON.parse(readFileSync(fixture("constructed", name, "circuit.json"), "utf8")) as {
        edges: BuiltEdge[];
      };
      const built = new Set(
        list.map(({ from, to, input }) => `${from} ${["q", "k", "v"].includes(input) ? `${to}.${input}` : to}`),
      );
      const options = {
        into,
        change: "mean",
        metric: metric.logitDiff({ answerTokens: right, wrongAnswerTokens: wrong }),
      } as const;
      const scores =
        method === "exact"
          ? await edges.exact(model, options)
          : await edges.scores(model, { ...options, method, steps: 16 });
      expect(auroc(scores, built)).toBeGreaterThanOrEqual(0.99);
      const found = await edges.evaluate(model, scores.circuit({ top: built.size }), options);
      expect(found.faithfulness).toBeCloseTo(1, 6);
      expect(found.incompleteness).toBeLessThan(0.5);
    },
  );
});

describe("the embedded model", () => {
  it("has embeddings whose scores sum to the change of the metric within 1 % at 64 steps", async () => {
    const model = await open("tiny");
    const pairs = tasks.ioi(model, { n: 2, seed: 5 });
    const diff = metric.logitDiff(pairs);
    const scores = await edges.nodes(model, { from: pairs.corrupted, into: pairs.clean, metric: diff, steps: 64 });
    const change = scores.fromMetric - scores.intoMetric;
    expect(Math.abs(scores.get("embed") + scores.get("pos_embed") - change)).toBeLessThan(0.01 * Math.abs(change));
  });

  it("has IOI edges whose EAP-IG scores track their exact effects", async () => {
    const model = await open("tiny");
    const pairs = tasks.ioi(model, { n: 4, seed: 2 });
    const options = { from: pairs.corrupted, into: pairs.clean, metric: metric.logitDiff(pairs) };
    const scores = await edges.scores(model, { ...options, steps: 5 });
    const agreement = await edges.agreement(model, scores, { ...options, sample: 60 });
    expect(agreement.pearson).toBeGreaterThan(0.7);
    expect(agreement.sameSign).toBeGreaterThan(0.7);
    const curve = await edges.curve(model, scores, { ...options, shares: [0.3], random: 1 });
    expect(curve.faithfulness[0]).toBeGreaterThan(curve.random[0] ?? 0);
    expect(curve.without[0]).toBeLessThan(0.3);
  });
});

describe.skipIf(dataFolder === undefined)("trained models", () => {
  it.each([["stories260k", "hf"], ["sort-gpt-nano", "hf"], ["routing-toy"]])(
    "%s: scores are sums of their products within 1e-4",
    async (...path) => {
      const model = await open(oracle(...path));
      const prompt = Array.from({ length: 5 }, (_, i) => (i * 7 + 2) % Math.min(8, model.config.dVocab));
      for (let layer = 0; layer < model.config.nLayers; layer++) {
        const found = await qk.attribution(model, prompt, { layer, head: 1, queryPos: 4, keyPos: 2 });
        expect(Math.abs(found.sum - found.score)).toBeLessThan(1e-4 * Math.max(1, Math.abs(found.score)));
      }
    },
  );

  it("routing-toy: embeddings' scores sum to the change of the metric within 1 % at 64 steps", async () => {
    const model = (await open(oracle("routing-toy"))).withPrecision("float64");
    const diff = metric.logitDiff({ answerTokens: [[1]], wrongAnswerTokens: [[5]] });
    const scores = await edges.nodes(model, {
      from: [[0, 5, 2, 3, 9]],
      into: [[0, 1, 2, 3, 9]],
      metric: diff,
      steps: 64,
    });
    const change = scores.fromMetric - scores.intoMetric;
    expect(Math.abs(scores.get("embed") + scores.get("pos_embed") - change)).toBeLessThan(0.01 * Math.abs(change));
  });
});
