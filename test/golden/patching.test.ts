/** Patching on trained models: equal to the naive loop, exact on identity, and the known circuit of routing-toy. */
import { afterAll, describe, expect, it } from "vitest";
import { metric, patching } from "../../src/analysis/index.js";
import { tasks } from "../../src/data/index.js";
import { edit, loadModel, type Model } from "../../src/model/index.js";
import type { Tensor } from "../../src/tensor/index.js";
import { dataFolder, oracle } from "../helpers/fixtures.js";
import { distance, naive, numbers } from "../unit/analysis-patching/support.js";

const opened: Model[] = [];
afterAll(async () => {
  await Promise.all(opened.map((model) => model.close()));
});

async function open(source: string): Promise<Model> {
  const model = await loadModel(source);
  opened.push(model);
  return model;
}

describe("the embedded model", () => {
  it("gives the naive loop's numbers on IOI prompts of several lengths, and no change by identity patches", async () => {
    const model = await open("tiny");
    const pairs = tasks.ioi(model, { n: 4, seed: 3 });
    const diff = metric.logitDiff(pairs);
    const sites = ["resid_pre", "attn_out", "mlp_out", "z"] as const;
    const result = await patching.sweep(model, {
      from: pairs.clean,
      into: pairs.corrupted,
      sites,
      by: ["pos"],
      metric: diff,
    });
    const last = model.config.nLayers - 1;
    for (const [prompt, layer, pos] of [
      [0, 0, 2],
      [1, last, 5],
      [3, 1, 8],
    ] as const) {
      const own = metric.logitDiff({
        answerTokens: [pairs.answerTokens[prompt] ?? []],
        wrongAnswerTokens: [pairs.wrongAnswerTokens[prompt] ?? []],
      });
      const pair = [[[...(pairs.cleanTokens[prompt] ?? [])]], [[...(pairs.corruptedTokens[prompt] ?? [])]]] as const;
      for (const site of sites) {
        const expected = await naive(
          model,
          [pair[0].map((row) => [...row]), pair[1].map((row) => [...row])],
          { site, layer, pos },
          own,
        );
        const found = numbers(result.get(site).perPrompt.at({ prompt, layer, pos }) as Tensor);
        expect(distance(found, expected), `${site} ${layer} ${pos}`).toBeLessThan(1e-5);
      }
    }
    const same = await patching.sweep(model, {
      from: pairs.clean,
      into: pairs.clean,
      sites,
      by: ["pos"],
      metric: diff,
    });
    for (const { perPrompt } of same.sites)
      for (let prompt = 0; prompt < 4; prompt++) {
        const own = numbers(perPrompt.at({ prompt }) as Tensor).filter((value) => !Number.isNaN(value));
        expect(new Set(own)).toEqual(new Set([same.cleanPerPrompt[prompt]]));
      }
  });
});

describe.skipIf(dataFolder === undefined)("sort-gpt-nano", () => {
  it("gives the naive loop's numbers for every head, query, key, value and pattern", async () => {
    const model = await open(oracle("sort-gpt-nano", "hf"));
    const from = [
      [2, 1, 0, 1, 0, 2, 0],
      [0, 0, 1, 2, 2, 1, 0],
    ];
    const into = [
      [2, 1, 1, 1, 0, 2, 0],
      [1, 0, 1, 2, 2, 1, 0],
    ];
    const diff = metric.logitDiff({ answerTokens: [[0], [0]], wrongAnswerTokens: [[1], [1]] });
    const every = await patching.getActPatchAttnHeadAllPosEvery(model, { from, into, metric: diff });
    expect(every.axes).toEqual(["patchType", "layer", "head"]);
    for (const [type, site] of (["z", "q", "k", "v", "pattern"] as const).entries())
      for (let layer = 0; layer < 3; layer++)
        for (let head = 0; head < 3; head++) {
          const expected = await naive(model, [from, into], { site, layer, head }, diff);
          const mean = ((expected[0] ?? 0) + (expected[1] ?? 0)) / 2;
          expect(numbers(every.at({ patchType: type, layer, head }))[0], `${site} ${layer} ${head}`).toBeCloseTo(
            mean,
            5,
          );
        }
  });
});

describe.skipIf(dataFolder === undefined)("sort-gpt-nano by position", () => {
  it("gives the naive loop's numbers in TransformerLens's shapes", async () => {
    const model = await open(oracle("sort-gpt-nano", "hf"));
    const [from, into] = [[[2, 1, 0, 1, 0]], [[2, 0, 1, 1, 0]]];
    const diff = metric.logitDiff({ answerTokens: [[0]], wrongAnswerTokens: [[1]] });
    const every = await patching.getActPatchAttnHeadByPosEvery(model, { from, into, metric: diff });
    expect([every.axes, every.shape]).toEqual([
      ["patchType", "layer", "pos", "head"],
      [5, 3, 5, 3],
    ]);
    const places = await patching.getActPatchAttnHeadPatternDestSrcPos(model, { from, into, metric: diff });
    expect([places.axes, places.shape]).toEqual([
      ["layer", "head", "pos", "keyPos"],
      [3, 3, 5, 5],
    ]);
    for (const [type, site] of (["z", "q", "k", "v", "pattern"] as const).entries()) {
      const [expected = 0] = await naive(model, [from, into], { site, layer: 1, head: 2, pos: 3 }, diff);
      expect(numbers(every.at({ patchType: type, layer: 1, head: 2, pos: 3 }))[0], site).toBeCloseTo(expected, 5);
    }
    const patch = { site: "pattern", layer: 0, head: 1, pos: 4, keyPos: 1 } as const;
    const [expected = 0] = await naive(model, [from, into], patch, diff);
    expect(numbers(places.at({ layer: 0, head: 1, pos: 4, keyPos: 1 }))[0]).toBeCloseTo(expected, 5);
  });
});

describe.skipIf(dataFolder === undefined)("routing-toy", () => {
  it("carries the selected feature through layer 1: patching its slot's values there moves the answer", async () => {
    const model = await open(oracle("routing-toy"));
    const into = [[0, 1, 2, 3, 9]];
    const from = [[0, 5, 2, 3, 9]];
    const diff = metric.logitDiff({ answerTokens: [[5]], wrongAnswerTokens: [[1]] });
    const { raw } = (
      await patching.sweep(model, { from, into, sites: ["v"], by: ["pos"], layers: [1], metric: diff })
    ).get("v");
    const [unpatched] = numbers((await model.run(into, { metric: diff })).metric);
    const changes = numbers(raw).map((value) => value - (unpatched ?? 0));
    expect(changes[1]).toBeGreaterThan(5);
    for (const other of [0, 2, 3]) expect(Math.abs(changes[other] ?? 9)).toBeLessThan(0.2);
    expect(
      numbers((await model.with(edit.zero("blocks.1.attn.hook_z")).run(into, { metric: diff })).metric)[0],
    ).toBeGreaterThan(unpatched ?? 0);
  });
});
