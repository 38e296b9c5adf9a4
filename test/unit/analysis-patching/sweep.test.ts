/** Sweeps against the naive loop, on a model with grouped keys, RMS norms and a gated MLP. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { metric, type PatchAxis, type PatchSite, patching } from "../../../src/analysis/index.js";
import { edit, loadModel, type Metric, type Model } from "../../../src/model/index.js";
import type { Tensor } from "../../../src/tensor/index.js";
import { fixture } from "../../helpers/fixtures.js";
import { distance, naive, numbers, prompts } from "./support.js";

let model: Model;
let from: number[][];
let into: number[][];
let diff: Metric;
beforeAll(async () => {
  model = await loadModel(fixture("architectures", "llama-gqa-bias"));
  from = prompts(model, 1, [3, 7]);
  into = prompts(model, 2, [3, 7]);
  diff = metric.logitDiff({ answerTokens: [[1], [2], [3]], wrongAnswerTokens: [[4], [5], [6]] });
});
afterAll(() => model.close());

const cases: readonly (readonly [PatchSite, readonly PatchAxis[]])[] = [
  ["resid_pre", ["pos"]],
  ["resid_mid", ["pos"]],
  ["resid_post", ["pos"]],
  ["attn_out", ["pos"]],
  ["mlp_out", ["pos"]],
  ["mlp_in", ["pos"]],
  ["pre", ["pos"]],
  ["pre_linear", ["pos"]],
  ["post", ["pos"]],
  ["q_input", ["pos", "head"]],
  ["k_input", ["head"]],
  ["z", ["pos", "head"]],
  ["result", ["head"]],
  ["q", ["pos", "head"]],
  ["k", ["pos", "head"]],
  ["v", ["head"]],
  ["rot_q", ["head"]],
  ["rot_k", ["pos"]],
  ["pattern", ["head", "pos"]],
  ["attn_scores", ["head"]],
];

describe("a sweep", () => {
  it.each(cases)("of %s by %j is the naive loop within 1e-5", async (site, by) => {
    const result = await patching.sweep(model, { from, into, sites: [site], by, metric: diff });
    const effect = result.get(site);
    for (const index of [0, 3]) {
      const own = Object.fromEntries(by.map((axis) => [axis, axis === "head" ? Math.min(index, 1) : index + 2]));
      const patch = { site, layer: index % 2, ...own };
      const found = effect.perPrompt.at({ layer: patch.layer, ...own }) as Tensor;
      expect(
        distance(numbers(found), await naive(model, [from, into], patch, diff)),
        JSON.stringify(patch),
      ).toBeLessThan(1e-5);
    }
  });

  it.each(cases)("of %s by %j changes no bit when prompts are patched into themselves", async (site, by) => {
    const { sites } = await patching.sweep(model, { from: into, into, sites: [site], by, metric: diff });
    const most = Math.max(...numbers(sites[0]?.change ?? Number.NaN).map(Math.abs));
    // Split inputs are normed head by head, which rounds otherwise.
    if (site.endsWith("_input")) expect(most).toBeLessThan(2e-6);
    else expect(most).toBe(0);
  });

  it("by key position is the naive loop, and has a label for each index", async () => {
    const options = {
      from,
      into,
      sites: ["pattern"],
      by: ["head", "pos", "keyPos"],
      layers: [1],
      heads: [2],
      positions: [6],
    } as const;
    const { sites } = await patching.sweep(model, { ...options, metric: diff });
    const [effect] = sites;
    expect(effect?.axes).toEqual(["layer", "head", "pos", "keyPos"]);
    expect(effect?.raw.shape).toEqual([1, 1, 1, 7]);
    expect(effect?.labels["head"]).toEqual(["2"]);
    const patch = { site: "pattern", layer: 1, head: 2, pos: 6, keyPos: 4 } as const;
    const found = effect?.perPrompt.at({ layer: 0, head: 0, pos: 0, keyPos: 4 }) as Tensor;
    expect(distance(numbers(found), await naive(model, [from, into], patch, diff))).toBeLessThan(1e-5);
  });

  it("with axes [] patches whole layers", async () => {
    const { sites } = await patching.sweep(model, { from, into, sites: ["mlp_out"], by: [], metric: diff });
    expect(sites[0]?.raw.shape).toEqual([2]);
    const found = sites[0]?.perPrompt.at({ layer: 0 }) as Tensor;
    expect(
      distance(numbers(found), await naive(model, [from, into], { site: "mlp_out", layer: 0 }, diff)),
    ).toBeLessThan(1e-5);
  });

  it("normalises by the unpatched metrics: the whole stream of layer 0 restores everything", async () => {
    const result = await patching.sweep(model, { from, into, sites: ["resid_pre"], by: [], metric: diff });
    expect(numbers(result.get("resid_pre").effect)[0]).toBeCloseTo(1, 6);
    const clean = await model.run(from, { metric: diff });
    const corrupted = await model.run(into, { metric: diff });
    expect(distance([...result.cleanPerPrompt], numbers(clean.metric))).toBe(0);
    expect(distance([...result.corruptedPerPrompt], numbers(corrupted.metric))).toBe(0);
    const mean = (values: number[]): number => values.reduce((a, b) => a + b, 0) / values.length;
    expect(result.cleanMetric).toBeCloseTo(mean(numbers(clean.metric)), 12);
  });

  it("that noises takes the corrupted prompts as its source, and keeps 1 for the clean run", async () => {
    const options = { from: into, into: from, sites: ["resid_pre"], metric: diff, direction: "noising" } as const;
    const all = await patching.sweep(model, { ...options, by: [] });
    expect(numbers(all.get("resid_pre").effect)[0]).toBeCloseTo(0, 6);
    const denoised = await patching.sweep(model, { from, into, sites: ["resid_pre"], by: [], metric: diff });
    expect(all.cleanMetric).toBe(denoised.cleanMetric);
    expect(all.corruptedMetric).toBe(denoised.corruptedMetric);
    expect(String(all)).toContain("noising");
  });

  it("runs prompts of several lengths, each pair at its own, and leaves out positions that a prompt lacks", async () => {
    const long = [
      [1, 2, 3, 4, 5, 6, 7],
      [1, 2, 3, 4],
      [9, 8, 7, 6],
    ];
    const other = [
      [7, 2, 1, 4, 3, 6, 7],
      [5, 2, 8, 4],
      [1, 8, 3, 6],
    ];
    const { sites } = await patching.sweep(model, { from: long, into: other, sites: ["z"], by: ["pos"], metric: diff });
    const perPrompt = sites[0]?.perPrompt as Tensor;
    for (const [prompt, pos] of [
      [0, 6],
      [1, 3],
      [2, 0],
    ] as const) {
      const pair = [[long[prompt] ?? []], [other[prompt] ?? []]] as const;
      const one = metric.logitDiff({ answerTokens: [[prompt + 1]], wrongAnswerTokens: [[prompt + 4]] });
      const [expected] = await naive(model, [[...pair[0]], [...pair[1]]], { site: "z", layer: 1, pos }, one);
      const found = numbers(perPrompt.at({ prompt, layer: 1, pos }) as Tensor);
      expect(distance(found, [expected ?? Number.NaN])).toBeLessThan(1e-5);
    }
    expect(numbers(perPrompt.at({ prompt: 1, layer: 0, pos: 5 }) as Tensor)[0]).toBeNaN();
    expect(numbers((sites[0]?.raw as Tensor).at({ pos: 5 }) as Tensor).every(Number.isFinite)).toBe(true);
  });

  it("gives the same numbers in small pieces", async () => {
    const options = { from, into, sites: ["z", "resid_pre"], by: ["pos"], metric: diff } as const;
    const whole = await patching.sweep(model, options);
    const pieces = await patching.sweep(model, { ...options, memoryLimit: 40_000 });
    for (const site of ["z", "resid_pre"] as const)
      expect(distance(numbers(whole.get(site).raw), numbers(pieces.get(site).raw))).toBeLessThan(2e-6);
  });

  it("takes metrics of all positions", async () => {
    const loss = metric.loss();
    const { sites } = await patching.sweep(model, { from, into, sites: ["attn_out"], metric: loss });
    const found = numbers(sites[0]?.perPrompt.at({ layer: 1, pos: 2 }) as Tensor);
    expect(
      distance(found, await naive(model, [from, into], { site: "attn_out", layer: 1, pos: 2 }, loss)),
    ).toBeLessThan(1e-5);
  });

  it("sweeps an edited model: edits act before, at and behind the patch", async () => {
    const edited = model.with(
      edit.scale("blocks.0.hook_mlp_out", 2),
      edit.zero("blocks.1.attn.hook_z", { head: 1 }),
      edit.add("blocks.1.hook_resid_post", 0.5, { pos: "last" }),
    );
    for (const patch of [
      { site: "resid_pre", layer: 1, pos: 3 },
      { site: "attn_out", layer: 0, pos: 6 },
      { site: "mlp_out", layer: 0, pos: 1 },
      { site: "z", layer: 1, pos: 6, head: 0 },
      { site: "result", layer: 1, pos: 6, head: 2 },
    ] as const) {
      const list = await patching.patches(edited, { from, into, patches: [patch], metric: diff });
      expect(
        distance(numbers(list.perPrompt), await naive(edited, [from, into], patch, diff)),
        patch.site,
      ).toBeLessThan(1e-5);
    }
  });

  it("computes in float64 when the model does", async () => {
    const exact = model.withPrecision("float64");
    const patch = { site: "q", layer: 1, head: 1, pos: 5 } as const;
    const list = await patching.patches(exact, { from, into, patches: [patch], metric: diff });
    expect(distance(numbers(list.perPrompt), await naive(exact, [from, into], patch, diff))).toBeLessThan(1e-12);
  });

  it("reports progress, and stops when it is told to", async () => {
    const done: number[] = [];
    const options = { from, into, sites: ["z"], metric: diff } as const;
    await patching.sweep(model, { ...options, onProgress: (event) => done.push(event.done) });
    expect(done.at(-1)).toBe(3 * 2 * model.config.nHeads);
    const stopped = patching.sweep(model, { ...options, signal: AbortSignal.abort() });
    await expect(stopped).rejects.toMatchObject({ code: "ABORTED" });
  });

  it("prints its strongest patches and draws one heatmap for each site", async () => {
    const result = await patching.sweep(model, { from, into, sites: ["resid_pre", "z"], metric: diff });
    expect(String(result)).toMatch(/Activation patching \(denoising\)[^]*resid_pre by layer, pos: layer/);
    const { spec } = result.toView();
    expect(spec.view).toBe("panels");
    expect(result.get("z").toView().spec.view).toBe("heatmap");
    expect(result.provenance).toMatchObject({ metric: diff.name, prompts: 3, edits: [] });
  });
});

describe("TransformerLens's functions", () => {
  const shapes = [
    ["getActPatchResidPre", [2, 7]],
    ["getActPatchResidMid", [2, 7]],
    ["getActPatchAttnOut", [2, 7]],
    ["getActPatchMlpOut", [2, 7]],
    ["getActPatchAttnHeadOutByPos", [2, 7, 4]],
    ["getActPatchAttnHeadQByPos", [2, 7, 4]],
    ["getActPatchAttnHeadKByPos", [2, 7, 2]],
    ["getActPatchAttnHeadVByPos", [2, 7, 2]],
    ["getActPatchAttnHeadPatternByPos", [2, 4, 7]],
    ["getActPatchAttnHeadOutAllPos", [2, 4]],
    ["getActPatchAttnHeadQAllPos", [2, 4]],
    ["getActPatchAttnHeadKAllPos", [2, 2]],
    ["getActPatchAttnHeadVAllPos", [2, 2]],
    ["getActPatchAttnHeadPatternAllPos", [2, 4]],
    ["getActPatchBlockEvery", [3, 2, 7]],
  ] as const;
  it.each(shapes)("%s has shape %j", async (name, shape) => {
    const raw = await patching[name](model, { from, into, metric: diff });
    expect(raw.shape).toEqual(shape);
    expect(numbers(raw).every(Number.isFinite)).toBe(true);
  });

  it("bundles are refused for grouped keys and values", async () => {
    const call = patching.getActPatchAttnHeadAllPosEvery(model, { from, into, metric: diff });
    await expect(call).rejects.toThrow(/4 heads with 2 keys and values/);
    const byPos = patching.getActPatchAttnHeadByPosEvery(model, { from, into, metric: diff });
    await expect(byPos).rejects.toThrow(/one by one/);
  });
});
