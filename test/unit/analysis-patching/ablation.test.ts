/** Ablations against edits made by hand, with means by plain loops. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { ablation, metric } from "../../../src/analysis/index.js";
import { edit, loadModel, type Metric, type Model } from "../../../src/model/index.js";
import { Tensor } from "../../../src/tensor/index.js";
import { fixture } from "../../helpers/fixtures.js";
import { distance, prompts as makePrompts, numbers } from "./support.js";

const z1 = "blocks.1.attn.hook_z";
let model: Model;
let prompts: number[][];
let diff: Metric;
beforeAll(async () => {
  model = await loadModel(fixture("architectures", "llama-gqa-bias"));
  prompts = makePrompts(model, 1, [3, 6]);
  diff = metric.logitDiff({ answerTokens: [[1], [2], [3]], wrongAnswerTokens: [[4], [5], [6]] });
});
afterAll(() => model.close());

/** `hook_z` of layer 1 by prompt, position and the rest. */
async function zValues(rows: number[][]): Promise<{ data: number[]; rest: readonly number[] }> {
  const { cache } = await model.run(rows, { capture: z1, logits: "none" });
  return { data: numbers(cache.get(z1)), rest: cache.get(z1).shape.slice(2) };
}

async function measured(ablated: Model): Promise<number[]> {
  return numbers((await ablated.run(prompts, { metric: diff })).metric);
}

describe("an ablation", () => {
  it("by zeros is edit.zero", async () => {
    const result = await ablation.sweep(model, { prompts, sites: ["z"], kind: "zero", metric: diff });
    const expected = await measured(model.with(edit.zero(z1, { head: 2 })));
    const found = numbers(result.get("z").perPrompt.at({ layer: 1, head: 2 }) as Tensor);
    expect(distance(found, expected)).toBeLessThan(1e-5);
    const whole = await measured(model);
    expect(result.metric).toBeCloseTo(whole.reduce((a, b) => a + b, 0) / 3, 6);
  });

  it("by means takes the mean over prompts and positions, or at each position", async () => {
    const { data, rest } = await zValues(prompts);
    const size = (rest[0] ?? 0) * (rest[1] ?? 0);
    const overall = Array.from({ length: size }, (_, i) => {
      let sum = 0;
      for (let token = 0; token < 18; token++) sum += data[token * size + i] ?? 0;
      return sum / 18;
    });
    const byPosition = Array.from({ length: 6 * size }, (_, i) => {
      let sum = 0;
      for (let prompt = 0; prompt < 3; prompt++) sum += data[prompt * 6 * size + i] ?? 0;
      return sum / 3;
    });
    const flat = Tensor.of(Float64Array.from(overall), rest, ["head", "dHead"]);
    const placed = Tensor.of(Float64Array.from(byPosition), [6, ...rest], ["pos", "head", "dHead"]);
    for (const [kind, means] of [
      ["mean", flat],
      ["meanByPosition", placed],
    ] as const) {
      const expected = await measured(model.with(edit.mean(z1, means, { head: 1 })));
      const swept = await ablation.sweep(model, { prompts, sites: ["z"], layers: [1], kind, metric: diff });
      const found = numbers(swept.get("z").perPrompt.at({ layer: 0, head: 1 }) as Tensor);
      expect(distance(found, expected), kind).toBeLessThan(1e-5);
      const component = { site: "z", layer: 1, head: 1 } as const;
      const sets = await ablation.sets(model, { prompts, sets: { one: [component] }, kind, metric: diff });
      expect(distance([...sets.get("one").perPrompt], expected), kind).toBeLessThan(1e-5);
      const ablated = await ablation.ablate(model, [component], { kind, reference: prompts });
      expect(distance(await measured(ablated), expected), kind).toBeLessThan(1e-5);
    }
  });

  it("by resampling writes another prompt's values, the same ones for a seed", async () => {
    const options = { prompts, sites: ["z"], layers: [1], kind: "resample", metric: diff, seed: 4 } as const;
    const found = await ablation.sweep(model, options);
    const again = await ablation.sweep(model, options);
    expect(numbers(again.get("z").raw)).toEqual(numbers(found.get("z").raw));
    const { cache } = await model.run(prompts, { capture: z1, logits: "none" });
    for (let prompt = 0; prompt < 3; prompt++) {
      const own = metric.logitDiff({ answerTokens: [[prompt + 1]], wrongAnswerTokens: [[prompt + 4]] });
      const candidates = await Promise.all(
        [0, 1, 2]
          .filter((other) => other !== prompt)
          .map(async (other) => {
            const values = (cache.get(z1) as Tensor).at({ batch: [other] });
            const edited = model.with(edit.replace(z1, values, { head: 0 }));
            return numbers((await edited.run([prompts[prompt] ?? []], { metric: own })).metric)[0] ?? 0;
          }),
      );
      const value = numbers(found.get("z").perPrompt.at({ prompt, layer: 0, head: 0 }))[0] ?? 0;
      expect(Math.min(...candidates.map((one) => Math.abs(one - value)))).toBeLessThan(1e-5);
    }
  });

  it("of a set removes its components together", async () => {
    const sets = {
      heads: [
        { site: "z", layer: 0, head: [0, 1] },
        { site: "z", layer: 1, head: 3 },
      ],
      neurons: [{ site: "post", layer: 1, neuron: [0, 5, 7] }],
      position: [{ site: "attn_out", layer: 0, pos: 2 }],
    } as const;
    const result = await ablation.sets(model, { prompts, sets, kind: "zero", metric: diff });
    const heads = model.with(edit.zero("blocks.0.attn.hook_z", { head: [0, 1] }), edit.zero(z1, { head: 3 }));
    expect(distance([...result.get("heads").perPrompt], await measured(heads))).toBeLessThan(1e-5);
    const neurons = model.with(edit.zero("blocks.1.mlp.hook_post", { neuron: [0, 5, 7] }));
    expect(distance([...result.get("neurons").perPrompt], await measured(neurons))).toBeLessThan(1e-5);
    const position = model.with(edit.zero("blocks.0.hook_attn_out", { pos: 2 }));
    expect(distance([...result.get("position").perPrompt], await measured(position))).toBeLessThan(1e-5);
    expect(result.get("heads").change).toBeCloseTo(result.get("heads").metric - result.metric, 12);
    expect(String(result)).toContain("without heads:");
    expect(result.toView().spec.view).toBe("table");
  });

  it("of sets resamples prompts of several lengths, a single one of its length too", async () => {
    const several = [
      [1, 2, 3, 4],
      [4, 3, 2, 1],
      [5, 6, 7],
    ];
    const sets = { heads: [{ site: "z", layer: 1, head: 1 }] } as const;
    const reference = [...several, [7, 6, 5]];
    const result = await ablation.sets(model, { prompts: several, reference, sets, kind: "resample", metric: diff });
    const { cache } = await model.run([[7, 6, 5]], { capture: z1, logits: "none" });
    const own = metric.logitDiff({ answerTokens: [[3]], wrongAnswerTokens: [[6]] });
    const patched = model.with(edit.patch(z1, cache, { head: 1 }));
    const expected = numbers((await patched.run([[5, 6, 7]], { metric: own })).metric);
    expect(distance([result.get("heads").perPrompt[2] ?? Number.NaN], expected)).toBeLessThan(1e-5);
  });

  it("prints and draws what it found", async () => {
    const result = await ablation.sweep(model, { prompts, sites: ["mlp_out"], by: [], kind: "zero", metric: diff });
    expect(String(result)).toMatch(/Ablation \(zero\)[^]*mlp_out by layer/);
    expect(result.toView().spec.view).toBe("panels");
    expect(result.provenance).toMatchObject({ kind: "zero", prompts: 3, reference: 3, seed: 0 });
  });
});

describe("ablation refuses", () => {
  const component = { site: "z", layer: 0 } as const;
  it("nothing to ablate, and names that are not there", async () => {
    await expect(ablation.sweep(model, { prompts, sites: [], metric: diff })).rejects.toThrow(/nothing to ablate/);
    await expect(ablation.sets(model, { prompts, sets: {}, metric: diff })).rejects.toThrow(/nothing to ablate/);
    await expect(ablation.ablate(model, [])).rejects.toThrow(/nothing to ablate/);
    const sets = await ablation.sets(model, { prompts, sets: { a: [component] }, metric: diff });
    expect(() => sets.get("b")).toThrow(/got "b"; expected one of a/);
    const swept = await ablation.sweep(model, { prompts, sites: ["z"], metric: diff });
    expect(() => swept.get("q")).toThrow(/got "q"; expected one of z/);
  });
  it("means without prompts to take them over, or with too short ones", async () => {
    await expect(ablation.ablate(model, [component])).rejects.toThrow(/without reference prompts/);
    const options = { prompts, reference: [[1, 2]], sites: ["z"], kind: "meanByPosition", metric: diff } as const;
    await expect(ablation.sweep(model, options)).rejects.toThrow(
      /prompt of 6 tokens and reference prompts of at most 2/,
    );
  });
  it("means of patterns", async () => {
    await expect(ablation.sweep(model, { prompts, sites: ["pattern"], metric: diff })).rejects.toThrow(
      /a mean of attention patterns/,
    );
  });
  it("resampling without another prompt of the same length", async () => {
    const options = { prompts, reference: [[1, 2]], sites: ["z"], kind: "resample", metric: diff } as const;
    await expect(ablation.sweep(model, options)).rejects.toThrow(/no other reference prompt of 6 tokens/);
  });
});
