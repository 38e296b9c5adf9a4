/** QK attribution: exact in every architecture, and against products of plain loops. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { qk } from "../../../src/analysis/index.js";
import { edit, loadModel, type Model } from "../../../src/model/index.js";
import type { Tensor } from "../../../src/tensor/index.js";
import { architectureNames, fixture } from "../../helpers/fixtures.js";
import { numbers, prompts } from "../analysis-patching/support.js";

describe.each(architectureNames)("a score of %s", (name) => {
  it("is the sum of its products within 1e-4, at every layer and two heads", async () => {
    const model = await loadModel(fixture("architectures", name));
    const [prompt = []] = prompts(model, 3, [1, 5]);
    for (let layer = 0; layer < model.config.nLayers; layer++)
      for (const [head, queryPos, keyPos] of [
        [0, 4, 3],
        [model.config.nHeads - 1, 3, 3],
      ] as const) {
        const found = await qk.attribution(model, prompt, { layer, head, queryPos, keyPos });
        expect(Math.abs(found.sum - found.score), `${layer} ${head}`).toBeLessThan(
          1e-4 * Math.max(1, Math.abs(found.score)),
        );
        const { cache } = await model.run([prompt], { capture: `blocks.${layer}.attn.hook_attn_scores` });
        const cap = model.config.attnScoresSoftCap;
        const [score = 0] = numbers(cache.get("attn_scores", layer).at({ batch: 0, head, queryPos, keyPos }) as Tensor);
        expect(cap === undefined ? found.sum : cap * Math.tanh(found.sum / cap)).toBeCloseTo(score, 3);
      }
    await model.close();
  });
});

describe("products of a score", () => {
  let model: Model;
  beforeAll(async () => {
    model = await loadModel(fixture("architectures", "gpt2"));
  });
  afterAll(() => model.close());

  it("are those of the weights, by plain loops", async () => {
    const prompt = [3, 1, 4, 1];
    const found = await qk.attribution(model, prompt, { layer: 1, head: 1, queryPos: 3, keyPos: 2 });
    const capture = ["blocks.1.ln1.hook_scale", "blocks.0.attn.hook_result", "hook_embed"];
    const { cache } = await model.run([prompt], { capture, logits: "all" });
    const weights = model.processed({ foldLn: true }).weights;
    const { W_Q, W_K } = await weights.block(1);
    const { dModel, dHead } = model.config;
    const vector = (part: Tensor, pos: number, matrix: Tensor | undefined): number[] => {
      const x = numbers(part.at({ batch: 0, pos }) as Tensor);
      const scale = numbers(cache.get("blocks.1.ln1.hook_scale").at({ batch: 0, pos }) as Tensor)[0] ?? 1;
      const mean = x.reduce((a, b) => a + b, 0) / dModel;
      const w = numbers((matrix as Tensor).at({ head: 1 }) as Tensor);
      return Array.from({ length: dHead }, (_, h) =>
        x.reduce((sum, value, d) => sum + ((value - mean) / scale) * (w[d * dHead + h] ?? 0), 0),
      );
    };
    const head = cache.get("result", 0).at({ head: 2 }) as Tensor;
    const q = vector(head, 3, W_Q);
    const k = vector(cache.get("hook_embed"), 2, W_K);
    const expected = q.reduce((sum, value, h) => sum + value * (k[h] ?? 0), 0) / Math.sqrt(dHead);
    expect(found.get("L0H2", "embed")).toBeCloseTo(expected, 5);
    expect(found.queries).toContain("b_Q");
    expect(found.keys).toContain("b_K");
  });

  it("print, draw and rank", async () => {
    const found = await qk.attribution(model, [3, 1, 4], { layer: 1, head: 0, queryPos: 2, keyPos: 0 });
    expect(found.top(3)).toHaveLength(3);
    expect(Math.abs(found.top(1)[0]?.value ?? 0)).toBe(Math.max(...numbers(found.values).map(Math.abs)));
    expect(String(found)).toMatch(/Score .* of L1H0 from 2 to 0/);
    expect(found.toView().spec.view).toBe("heatmap");
    expect(() => found.get("m9", "embed")).toThrow(/m9 × embed/);
  });

  it("are refused outside the prompt, behind the query, and in edited models", async () => {
    const place = { layer: 1, head: 0, queryPos: 2, keyPos: 0 };
    await expect(qk.attribution(model, [3, 1, 4], { ...place, queryPos: 3 })).rejects.toThrow(
      /queryPos 3; expected an integer from 0 to 2/,
    );
    await expect(qk.attribution(model, [3, 1, 4], { ...place, queryPos: 0, keyPos: 2 })).rejects.toThrow(
      /behind the query/,
    );
    const windowed = await loadModel(fixture("architectures", "mistral"));
    const far = qk.attribution(windowed, [3, 1, 4, 1, 5, 9, 2, 6], { layer: 0, head: 0, queryPos: 7, keyPos: 0 });
    await expect(far).rejects.toThrow(/outside the layer's window of \d+ tokens/);
    await windowed.close();
    const edited = model.with(edit.zero("blocks.0.hook_mlp_out"));
    await expect(qk.attribution(edited, [3, 1, 4], place)).rejects.toThrow(/a model with edit.zero/);
  });

  it("of the constructed induction head say why it looks where it does: token here × previous token there", async () => {
    const induction = await loadModel(fixture("constructed", "induction"));
    const found = await qk.attribution(induction, [3, 7, 11, 3], { layer: 1, head: 1, queryPos: 3, keyPos: 1 });
    expect(found.score).toBeCloseTo(100, 3);
    expect(found.get("embed", "L0H0")).toBeCloseTo(100, 3);
    await induction.close();
  });
});
