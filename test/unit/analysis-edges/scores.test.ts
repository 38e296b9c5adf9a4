/** Edge scores against finite differences and against edits that add a write to one input. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { edges, metric } from "../../../src/analysis/index.js";
import { type Edit, edit, loadModel, type Metric, type Model } from "../../../src/model/index.js";
import type { Tensor } from "../../../src/tensor/index.js";
import { fixture } from "../../helpers/fixtures.js";
import { numbers, prompts } from "../analysis-patching/support.js";

type Pair = readonly [number[][], number[][]];

/** The change of a sender's write, `[batch, pos, dModel]`. */
async function writeChange(model: Model, [from, into]: Pair, sender: string, diff: Metric): Promise<Tensor> {
  const [, kind = "", layer = "", head] = /^([am])(\d+)(?:\.h(\d+))?$/.exec(sender) ?? [];
  const hook =
    kind === "" ? `hook_${sender}` : kind === "m" ? `blocks.${layer}.hook_mlp_out` : `blocks.${layer}.attn.hook_result`;
  const read = async (rows: number[][]): Promise<Tensor> => {
    const { cache } = await model.run(rows, { capture: hook, metric: diff });
    const value: Tensor = cache.get(hook);
    return head === undefined ? value : (value.at({ head: Number(head) }) as Tensor);
  };
  return (await read(from)).sub(await read(into));
}

/** An edit that adds a tensor to what one receiver reads. */
function addTo(model: Model, receiver: string, value: Tensor): Edit {
  const [, kind = "", layer = "", head = "", input = ""] =
    /^([am])(\d+)(?:\.(?:h|kv)(\d+)\.([qkv]))?$/.exec(receiver) ?? [];
  if (kind === "") return edit.add(`blocks.${model.config.nLayers - 1}.hook_resid_post`, value);
  if (kind === "m") return edit.add(`blocks.${layer}.hook_mlp_in`, value);
  const hook = `blocks.${layer}.hook_${input}_input`;
  return edit.add(hook, value.insertAxis("head", { position: 2 }) as Tensor, { head: Number(head) });
}

function mean(values: readonly number[]): number {
  return values.reduce((a, b) => a + b, 0) / values.length;
}

const checked = [
  ["embed", "a0.h0.q"],
  ["a0.h1", "a1.h1.q"],
  ["a0.h0", "m1"],
  ["m0", "logits"],
  ["a1.h2", "logits"],
] as const;

describe.each(["gpt2", "llama-gqa-bias"])("edges of %s", (name) => {
  let single: Model;
  let model: Model;
  let pair: Pair;
  let diff: Metric;
  beforeAll(async () => {
    single = await loadModel(fixture("architectures", name));
    model = single.withPrecision("float64");
    pair = [prompts(model, 1, [2, 4]), prompts(model, 2, [2, 4])];
    diff = metric.logitDiff({ answerTokens: [[1], [2]], wrongAnswerTokens: [[3], [4]] });
  });
  afterAll(() => single.close());

  it("by EAP have the slope of the metric along the change of the write", async () => {
    const scores = await edges.scores(model, { from: pair[0], into: pair[1], metric: diff, method: "eap" });
    for (const [from, to] of checked) {
      const change = await writeChange(model, pair, from, diff);
      const at = async (step: number): Promise<number> =>
        mean(numbers((await model.with(addTo(model, to, change.mul(step))).run(pair[1], { metric: diff })).metric));
      const slope = ((await at(1e-4)) - (await at(-1e-4))) / 2e-4;
      expect(scores.get(from, to), `${from} → ${to}`).toBeCloseTo(slope, 6);
    }
  });

  it("by EAP-IG have the mean slope on the way from the prompt's embeddings to the other's", async () => {
    const steps = 3;
    const scores = await edges.scores(model, { from: pair[0], into: pair[1], metric: diff, method: "eap-ig", steps });
    const entry = "blocks.0.hook_resid_pre";
    const stream = async (rows: number[][]): Promise<Tensor> =>
      (await model.run(rows, { capture: entry, metric: diff })).cache.get(entry);
    const [other, own] = [await stream(pair[0]), await stream(pair[1])];
    for (const [from, to] of checked) {
      const change = await writeChange(model, pair, from, diff);
      let slope = 0;
      // The three points of Gauss and Legendre, as tables have them.
      const reach = Math.sqrt(3 / 5) / 2;
      for (const [point, weight] of [
        [0.5 - reach, 5 / 18],
        [0.5, 8 / 18],
        [0.5 + reach, 5 / 18],
      ] as const) {
        const residual = own.add(other.sub(own).mul(point));
        const at = async (size: number): Promise<number> => {
          const edited = model.with(addTo(model, to, change.mul(size)));
          return mean(numbers((await edited.run({ residual }, { startAtLayer: 0, metric: diff })).metric));
        };
        slope += (((await at(1e-4)) - (await at(-1e-4))) / 2e-4) * weight;
      }
      expect(scores.get(from, to), `${from} → ${to}`).toBeCloseTo(slope, 6);
    }
  });

  it("measured exactly are what adding the whole change to one input does", async () => {
    const list = checked.map(([from, to]) => ({ from, to }));
    const exact = await edges.exact(single, { from: pair[0], into: pair[1], metric: diff, edges: list });
    const base = mean(numbers((await model.run(pair[1], { metric: diff })).metric));
    for (const { from, to } of list) {
      const change = await writeChange(model, pair, from, diff);
      const moved = mean(numbers((await model.with(addTo(model, to, change)).run(pair[1], { metric: diff })).metric));
      expect(exact.get(from, to), `${from} → ${to}`).toBeCloseTo(moved - base, 5);
    }
  });

  it("score parts by attribution patching as the slope along the change of their write", async () => {
    const scores = await edges.nodes(model, { from: pair[0], into: pair[1], metric: diff, method: "eap" });
    const change = await writeChange(model, pair, "a0.h1", diff);
    const at = async (step: number): Promise<number> => {
      const value = change.mul(step).insertAxis("head", { position: 2 }) as Tensor;
      const edited = model.with(edit.add("blocks.0.attn.hook_result", value, { head: 1 }));
      return mean(numbers((await edited.run(pair[1], { metric: diff })).metric));
    };
    expect(scores.get("a0.h1")).toBeCloseTo(((await at(1e-4)) - (await at(-1e-4))) / 2e-4, 6);
    expect(String(scores)).toMatch(/parts by eap over 2 prompts/);
    expect(scores.toView().spec.view).toBe("bars");
    expect(() => scores.get("a9.h0")).toThrow(/"a9.h0"; expected one of/);
  });

  it("say how well they track exact effects", async () => {
    const options = { from: pair[0], into: pair[1], metric: diff } as const;
    const scores = await edges.scores(single, { ...options, steps: 5 });
    const agreement = await edges.agreement(single, scores, { ...options, sample: 20 });
    expect(agreement.edges).toHaveLength(20);
    const [a, b] = [[...agreement.approximate], [...agreement.exact]];
    const [ma, mb] = [mean(a), mean(b)];
    const top = mean(a.map((x, i) => (x - ma) * ((b[i] ?? 0) - mb)));
    const spread = Math.sqrt(mean(a.map((x) => (x - ma) ** 2)) * mean(b.map((x) => (x - mb) ** 2)));
    expect(agreement.pearson).toBeCloseTo(top / spread, 9);
    expect(agreement.sameSign).toBeGreaterThan(0.5);
    expect(String(agreement)).toMatch(/eap-ig against the exact effect of 20 edges/);
    expect(agreement.toView().spec.view).toBe("scatter");
    const same = await edges.agreement(single, await edges.exact(single, options), { ...options, sample: 5 });
    expect(same.spearman).toBeCloseTo(1, 9);
    await expect(edges.agreement(single, scores, { ...options, sample: 1 })).rejects.toThrow(/at least 3/);
  });
});

describe("prompts of several lengths", () => {
  it("are scored as each is on its own", async () => {
    const single = await loadModel(fixture("architectures", "gpt2"));
    const model = single.withPrecision("float64");
    const [from, into] = [
      [
        [1, 2, 3, 4],
        [4, 3],
      ],
      [
        [1, 5, 3, 4],
        [6, 3],
      ],
    ];
    const whole = { answerTokens: [[1], [2]], wrongAnswerTokens: [[3], [4]] };
    const all = await edges.scores(model, { from, into, metric: metric.logitDiff(whole), steps: 2 });
    const parts = await Promise.all(
      [0, 1].map((i) => {
        const own = {
          answerTokens: [whole.answerTokens[i] ?? []],
          wrongAnswerTokens: [whole.wrongAnswerTokens[i] ?? []],
        };
        const options = { from: [from[i] ?? []], into: [into[i] ?? []], metric: metric.logitDiff(own), steps: 2 };
        return edges.scores(model, options);
      }),
    );
    all.scores.forEach((score, edge) => {
      expect(score).toBeCloseTo(mean(parts.map(({ scores }) => scores[edge] ?? Number.NaN)), 9);
    });
    await single.close();
  });
});

describe("parts scored on the way between prompts", () => {
  it.each(["gpt2", "pythia"])(
    "of %s: embeddings sum to the change of the metric, within 1 per cent at 64 steps",
    async (name) => {
      const model = await loadModel(fixture("architectures", name));
      const exact = model.withPrecision("float64");
      const options = { from: prompts(model, 1, [2, 4]), into: prompts(model, 2, [2, 4]) };
      const diff = metric.logitDiff({ answerTokens: [[1], [2]], wrongAnswerTokens: [[3], [4]] });
      const errors: number[] = [];
      for (const steps of [2, 64]) {
        const scores = await edges.nodes(exact, { ...options, metric: diff, steps });
        const sum =
          scores.get("embed") + (model.config.positionalEmbedding === "standard" ? scores.get("pos_embed") : 0);
        const change = scores.fromMetric - scores.intoMetric;
        errors.push(Math.abs(sum - change) / Math.abs(change));
      }
      expect(errors[1]).toBeLessThan(0.01);
      expect(errors[1]).toBeLessThan(errors[0] ?? 0);
      await model.close();
    },
  );

  /** How far embeddings' scores are from summing to the change, relative to it, and the change. */
  async function errorOf(model: Model, seeds: readonly [number, number], steps: number): Promise<readonly number[]> {
    const options = { from: prompts(model, seeds[0], [2, 4]), into: prompts(model, seeds[1], [2, 4]) };
    const diff = metric.logitDiff({ answerTokens: [[1], [2]], wrongAnswerTokens: [[3], [4]] });
    const scores = await edges.nodes(model, { ...options, metric: diff, steps });
    const change = scores.fromMetric - scores.intoMetric;
    return [Math.abs(scores.get("embed") / change - 1), change];
  }

  // Its weights are random and large. Between prompts 1 and 2 a head of layer 1 turns from one key to another within 4 %
  // of the way (weights 0.81 and 0.17 at 0.68; 0.11 and 0.87 at 0.71), and the two prompts' changes, +0.33 and -0.24,
  // nearly cancel: 64 points, 0.025 apart, miss the turn by 0.019 logits, which is 41 % of 0.046. Every gradient is right:
  // the error falls to nothing as soon as points are closer than the turn is short. Measured: 0.62 at 32, 0.41 at 64,
  // 0.0091 at 128, 7e-8 at 256.
  it("of llama-gqa-bias: embeddings sum to the change of the metric exactly, once steps are finer than its sharpest turn", async () => {
    const single = await loadModel(fixture("architectures", "llama-gqa-bias"));
    const model = single.withPrecision("float64");
    const [coarse = 0, change] = await errorOf(model, [1, 2], 64);
    expect(change).toBeCloseTo(0.0461, 3);
    expect(coarse).toBeGreaterThan(0.1);
    const [fine] = await errorOf(model, [1, 2], 256);
    expect(fine).toBeLessThan(1e-6);
    await single.close();
  });

  // The seven of fourteen drawn pairs (seeds 100 to 113 and 200 to 213) whose metric moves by more than a logit. Of the
  // seven that move less, four are above 1 % at 64 and below 4e-5 at 256.
  it.each([1, 4, 6, 9, 11, 12, 13])(
    "of llama-gqa-bias: the same within 1 per cent at 64 steps where the metric moves by a logit, prompts %i",
    async (seed) => {
      const single = await loadModel(fixture("architectures", "llama-gqa-bias"));
      const [error, change = 0] = await errorOf(single.withPrecision("float64"), [100 + seed, 200 + seed], 64);
      expect(Math.abs(change)).toBeGreaterThan(1);
      expect(error).toBeLessThan(0.01);
      await single.close();
    },
  );
});

describe("a model made linear", () => {
  it("has edges whose EAP and EAP-IG scores are their exact effects", async () => {
    const model = await loadModel(fixture("architectures", "tl-no-norm"));
    const [from, into] = [prompts(model, 1, [1, 5]), prompts(model, 2, [1, 5])];
    const diff = metric.logitDiff({ answerTokens: [[1]], wrongAnswerTokens: [[3]] });
    const frozen = ["**.hook_pattern", "**.hook_mlp_out"];
    const { cache } = await model.run(into, { capture: frozen, metric: diff });
    const linear = model.with(edit.freeze(frozen, cache));
    const { nLayers, nKeyValueHeads, nHeads } = model.config;
    const own = nHeads === nKeyValueHeads ? "h" : "kv";
    const values = Array.from(
      { length: nLayers * nKeyValueHeads },
      (_, i) => `a${Math.floor(i / nKeyValueHeads)}.${own}${i % nKeyValueHeads}.v`,
    );
    const receivers = [...values, "logits"];
    const options = { from, into, metric: diff } as const;
    const exact = await edges.exact(linear, {
      ...options,
      edges: (await edges.scores(linear, { ...options, receivers })).edges,
    });
    for (const method of ["eap", "eap-ig"] as const) {
      const scores = await edges.scores(linear, { ...options, receivers, method, steps: 2 });
      expect(scores.edges.length).toBeGreaterThan(10);
      scores.scores.forEach((score, i) => {
        const { from: sender, to } = scores.edges[i] ?? { from: "", to: "" };
        // A frozen MLP writes what it wrote, whatever it is told.
        if (sender.startsWith("m")) return;
        expect(score, `${method} ${sender} → ${to}`).toBeCloseTo(exact.scores[i] ?? Number.NaN, 4);
      });
    }
    await model.close();
  });
});

describe("edge scores", () => {
  it("refuse what they cannot do", async () => {
    const gemma = await loadModel(fixture("architectures", "gemma2"));
    const options = {
      from: [[1, 2]],
      into: [[1, 3]],
      metric: metric.logitDiff({ answerTokens: [[1]], wrongAnswerTokens: [[2]] }),
    };
    await expect(edges.scores(gemma, options)).rejects.toThrow(/norms behind its sublayers/);
    await gemma.close();
    const model = await loadModel(fixture("architectures", "tl-attn-only"));
    await expect(edges.scores(model, { ...options, steps: 0 })).rejects.toThrow(/steps: got 0/);
    await expect(edges.scores(model, { ...options, receivers: ["m0"] })).rejects.toThrow(/receivers: got "m0"/);
    await expect(edges.exact(model, { ...options, edges: [] })).rejects.toThrow(/got no edges/);
    const backwards = edges.exact(model, { ...options, edges: [{ from: "a1.h0", to: "a0.h0.q" }] });
    await expect(backwards).rejects.toThrow(/a1.h0 → a0.h0.q; expected an edge from a part to a later input/);
    const scores = await edges.scores(model, { ...options, method: "eap" });
    expect(() => scores.get("a0.h0", "m7")).toThrow(/a0.h0 → m7; expected an edge/);
    expect(() => scores.circuit({})).toThrow(/both or none of top and threshold/);
    expect(String(scores)).toMatch(/edges by eap over 1 prompts/);
    expect(scores.toView().spec.view).toBe("heatmap");
    await model.close();
  });
});
