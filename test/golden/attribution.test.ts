/** Direct attribution of every architecture: sums, entries against plain loops and interventions, circuits known by construction. */
import { afterAll, describe, expect, it } from "vitest";
import { type AttributionResult, type AttributionUnit, attribution } from "../../src/analysis/index.js";
import { createRandom } from "../../src/core/index.js";
import { at, edit, loadModel, type Model } from "../../src/model/index.js";
import { randn, type Tensor } from "../../src/tensor/index.js";
import { architectureNames, dataFolder, fixture, oracle } from "../helpers/fixtures.js";

const models = new Map<string, Promise<Model>>();
function open(...path: readonly string[]): Promise<Model> {
  const key = path.join("/");
  const known = models.get(key) ?? loadModel(fixture(...path));
  models.set(key, known);
  return known;
}
afterAll(async () => {
  for (const model of models.values()) await (await model).close();
});

const prompts = [
  [3, 1, 4, 1, 5],
  [9, 2, 6, 5, 3],
  [5, 8],
];
const units: readonly AttributionUnit[] = ["component", "layer", "head", "neuron"];

function unitsOf(model: Model): readonly AttributionUnit[] {
  return units.filter((unit) => unit !== "neuron" || !model.config.attnOnly);
}

function list(tensor: Tensor): number[] {
  return Array.from(tensor.contiguous().data, Number);
}

/** The logits that a model gives the last token of each prompt, before any soft cap. */
async function lastLogits(model: Model): Promise<number[][]> {
  return Promise.all(
    prompts.map(async (prompt) => {
      const { cache } = await model.run([prompt], { capture: "unembed.hook_out" });
      return list(cache.get("unembed.hook_out").at({ batch: 0, pos: -1 }));
    }),
  );
}

function checkSums(result: AttributionResult, expected: readonly number[], tolerance: number): void {
  const size = Math.max(1, ...expected.map(Math.abs));
  const sums = result.prompts.map((_, i) => result.list(i).reduce((sum, { value }) => sum + value, 0));
  for (const [i, want] of expected.entries()) {
    expect(Math.abs((sums[i] ?? Number.NaN) - want)).toBeLessThanOrEqual(tolerance * size);
    expect(Math.abs(result.total.at({ batch: i }).item() - want)).toBeLessThanOrEqual(tolerance * size);
  }
  expect(result.error).toBeLessThanOrEqual(tolerance * size);
  expect(list(result.sum)).toHaveLength(prompts.length);
}

describe.each([...architectureNames])("%s", (name) => {
  it("sums to logits and differences within 1e-4, by every unit", async () => {
    const model = await open("architectures", name);
    const logits = await lastLogits(model);
    const ids = [1, 7, 4];
    const wrong = [2, 2, 9];
    for (const by of unitsOf(model)) {
      const one = await attribution.direct(model, prompts, { of: 6, by });
      checkSums(
        one,
        logits.map((row) => row[6] ?? Number.NaN),
        1e-4,
      );
      const pair = await attribution.direct(model, prompts, { of: { tokens: ids, minus: wrong }, by });
      checkSums(
        pair,
        logits.map((row, i) => (row[ids[i] ?? 0] ?? 0) - (row[wrong[i] ?? 0] ?? 0)),
        1e-4,
      );
      expect(pair.isBeforeSoftCap).toBe(model.config.outputLogitsSoftCap !== undefined);
    }
  });

  it("sums to the norm's output along any direction, in float64 to rounding", async () => {
    const model = (await open("architectures", name)).withPrecision("float64");
    const direction = randn([prompts.length, model.config.dModel], ["batch", "dModel"], createRandom(4));
    for (const by of unitsOf(model)) {
      const result = await attribution.direct(model, prompts, { of: { direction, name: "mine" }, by });
      const expected = await Promise.all(
        prompts.map(async (prompt, i) => {
          const { cache } = await model.run([prompt], { capture: "unembed.hook_in" });
          const [x, d] = [
            list(cache.get("unembed.hook_in").at({ batch: 0, pos: -1 })),
            list(direction.at({ batch: i })),
          ];
          return x.reduce((sum, v, j) => sum + v * (d[j] ?? 0), 0);
        }),
      );
      checkSums(result, expected, 1e-9);
      expect(result.of).toBe("mine");
    }
  });
});

describe("views", () => {
  const processing = { foldLn: true, centerWritingWeights: true, centerUnembed: true, foldValueBiases: true };
  it.each(["gpt2", "pythia", "tl-lnpre"])("%s: sums hold when weights are folded and centred", async (name) => {
    const model = (await open("architectures", name)).processed(processing).withPrecision("float64");
    const logits = await lastLogits(model);
    const direction = randn([model.config.dModel], ["dModel"], createRandom(5));
    for (const by of unitsOf(model)) {
      checkSums(
        await attribution.direct(model, prompts, { of: 6, by }),
        logits.map((row) => row[6] ?? 0),
        1e-9,
      );
      expect((await attribution.direct(model, prompts, { of: { direction }, by })).error).toBeLessThan(1e-8);
    }
  });

  it("Llama folds its gains, too", async () => {
    const model = (await open("architectures", "llama-gqa-bias")).processed({ foldLn: true }).withPrecision("float64");
    const logits = await lastLogits(model);
    checkSums(
      await attribution.direct(model, prompts, { of: 6, by: "head" }),
      logits.map((row) => row[6] ?? 0),
      1e-9,
    );
  });
});

describe("entries", () => {
  it("are z W_O through the norm, in plain loops", async () => {
    const model = (await open("architectures", "gpt2")).withPrecision("float64");
    const { dModel, dHead, nHeads, dVocabOut } = model.config;
    const [prompt = []] = prompts;
    const result = await attribution.direct(model, prompt, { of: 6, by: "head" });
    const { cache } = await model.run([prompt], { capture: ["z", "ln_final.hook_scale"] });
    const scale = cache.get("ln_final.hook_scale").at({ batch: 0, pos: -1, dModel: 0 }).item();
    const gain = list((await model.weights.normGain("ln_final")) ?? (await model.weights.b_U()));
    const wU = list(await model.weights.W_U());
    for (const layer of [0, 1]) {
      const [z, wO] = [
        list(cache.get("z", layer).at({ batch: 0, pos: -1 })),
        list(await model.weights.layer("W_O", layer)),
      ];
      for (let head = 0; head < nHeads; head++) {
        const write = Array.from({ length: dModel }, (_, j) => {
          let sum = 0;
          for (let i = 0; i < dHead; i++)
            sum += (z[head * dHead + i] ?? 0) * (wO[(head * dHead + i) * dModel + j] ?? 0);
          return sum;
        });
        const mean = write.reduce((a, b) => a + b, 0) / dModel;
        const expected = write.reduce(
          (sum, x, j) => sum + (((x - mean) * (gain[j] ?? 0)) / scale) * (wU[j * dVocabOut + 6] ?? 0),
          0,
        );
        expect(result.get(`L${layer}H${head}`)[0]).toBeCloseTo(expected, 9);
      }
    }
  });

  it.each(["gpt2", "pythia", "llama-gqa-bias"])(
    "%s: a head's entry is what is lost when it alone is taken out and everything after it is held",
    async (name) => {
      const model = (await open("architectures", name)).withPrecision("float64");
      const [prompt = []] = prompts;
      const { cache } = await model.run([prompt], { capture: ["attn_out", "mlp_out", "ln_final.hook_scale"] });
      const result = await attribution.direct(model, prompt, { of: 6, by: "head" });
      const logit = async (one: Model): Promise<number> =>
        (await one.run([prompt], { logits: "last" })).logits.at({ batch: 0, pos: 0, dVocabOut: 6 }).item();
      const held = model.with(
        edit.freeze(at.attnOut(1), cache),
        edit.freeze(at.mlpOut("all"), cache),
        edit.freeze("ln_final.hook_scale", cache),
        edit.zero(at.z(0), { head: 1 }),
      );
      expect((await logit(model)) - (await logit(held))).toBeCloseTo(result.get("L0H1")[0] ?? Number.NaN, 9);
    },
  );

  it("of one unit sum to those of another", async () => {
    const model = (await open("architectures", "gemma2")).withPrecision("float64");
    const of = { tokens: 6, minus: 2 };
    const whole = await attribution.direct(model, prompts, { of });
    const heads = await attribution.direct(model, prompts, { of, by: "head" });
    const neurons = await attribution.direct(model, prompts, { of, by: "neuron" });
    const layers = await attribution.direct(model, prompts, { of, by: "layer" });
    for (const layer of [0, 1])
      for (const i of prompts.keys()) {
        const sum = (result: AttributionResult, label: RegExp): number =>
          result.list(i).reduce((total, entry) => (label.test(entry.label) ? total + entry.value : total), 0);
        const attn = whole.get(`${layer}_attn_out`)[i] ?? Number.NaN;
        const mlp = whole.get(`${layer}_mlp_out`)[i] ?? Number.NaN;
        expect(sum(heads, new RegExp(`^(L${layer}H|${layer}_b_O)`))).toBeCloseTo(attn, 9);
        expect(sum(neurons, new RegExp(`^(L${layer}N|${layer}_b_out)`))).toBeCloseTo(mlp, 9);
        expect(layers.get(`L${layer}`)[i]).toBeCloseTo(attn + mlp, 9);
      }
  });

  it("of output biases are the biases themselves, also where value biases are folded into them", async () => {
    const model = (await open("architectures", "gpt2")).withPrecision("float64");
    const folded = model.processed({ foldValueBiases: true });
    for (const view of [model, folded]) {
      const direction = randn([view.config.dModel], ["dModel"], createRandom(6));
      const result = await attribution.direct(view, prompts, { of: { direction }, by: "head" });
      const { cache } = await view.run(prompts.slice(0, 2), { capture: ["ln_final.hook_scale"] });
      const gain = (await view.weights.normGain("ln_final")) ?? direction;
      for (const layer of [0, 1]) {
        const bias = await view.weights.layer("b_O", layer);
        const centred = bias.cast("float64").sub(bias.mean()).mul(gain).mul(direction.cast("float64")).sum();
        for (const i of [0, 1]) {
          const scale = cache.get("ln_final.hook_scale").at({ batch: i, pos: -1, dModel: 0 }).item();
          expect(result.get(`${layer}_b_O`)[i]).toBeCloseTo(centred.item() / scale, 6);
        }
      }
    }
  });
});

describe("models whose circuits are known by construction", () => {
  const large = (result: AttributionResult, prompt?: number): string[] =>
    result
      .list(prompt)
      .filter(({ value }) => Math.abs(value) > 1e-4)
      .map(({ label }) => label);

  it("induction: the induction head alone writes the answer, 20 logits of it", async () => {
    const model = await open("constructed", "induction");
    const repeated = [
      [3, 7, 11, 2, 3, 7],
      [0, 9, 4, 0, 9],
    ];
    const result = await attribution.direct(model, repeated, { of: [11, 4], by: "head" });
    expect(large(result)).toEqual(["L1H1"]);
    for (const value of result.get("L1H1")) expect(value).toBeCloseTo(20, 4);
    expect(result.error).toBeLessThan(1e-4);
  });

  it("selector-copy: the copying head, and not the decoy that writes as much", async () => {
    const model = await open("constructed", "selector-copy");
    const inputs = [
      [0, 1, 2, 3, 8],
      [7, 6, 5, 4, 10],
    ];
    const result = await attribution.direct(model, inputs, { of: { tokens: [0, 5], minus: [1, 6] }, by: "head" });
    expect(large(result)).toEqual(["L1H0"]);
    for (const value of result.get("L1H0")) expect(value).toBeCloseTo(20, 4);
  });

  it("bigram-mlp: the MLP of layer 0, and in it the neuron of the token", async () => {
    const model = await open("constructed", "bigram-mlp");
    const of = { tokens: 13, minus: 20 };
    expect(large(await attribution.direct(model, [4], { of }))).toEqual(["0_mlp_out"]);
    const neurons = await attribution.direct(model, [4], { of, by: "neuron" });
    expect(large(neurons)).toEqual(["L0N4"]);
    expect(neurons.top(1)[0]).toMatchObject({ label: "L0N4", kind: "neuron", layer: 0, index: 4 });
  });
});

describe.skipIf(dataFolder === undefined)("trained models", () => {
  it("stories260k: every unit sums to the logit of the next word", async () => {
    const model = await loadModel(oracle("stories260k", "hf"));
    const text = ["Once upon a time, there was a little", "Lily and Tom went to the"];
    for (const by of units) {
      const result = await attribution.direct(model, text, { of: { tokens: 432, minus: 383 }, by });
      expect(result.error).toBeLessThan(1e-4);
    }
    await model.close();
  });

  it("routing-toy: the answer is written by layer 1's heads and what comes after them, not by what came before", async () => {
    const model = await loadModel(oracle("routing-toy"));
    const inputs = [
      [0, 1, 2, 3, 8],
      [4, 5, 6, 7, 9],
      [3, 0, 7, 2, 10],
      [1, 6, 4, 5, 11],
    ];
    const of = { tokens: inputs.map((row, i) => row[i] ?? 0), minus: inputs.map((row, i) => row[(i + 1) % 4] ?? 0) };
    const result = await attribution.direct(model, inputs, { of });
    expect(result.error).toBeLessThan(1e-4);
    const late = result.list().reduce((sum, { layer, value }) => sum + (layer === 1 ? value : 0), 0);
    expect(late / result.total.mean().item()).toBeGreaterThan(0.8);
    await model.close();
  });
});
