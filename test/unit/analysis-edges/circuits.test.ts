/** Circuits against closed cases, and against runs with edits where those can say the same. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { Circuit, type EdgeInput, type EdgeScores, edges, metric } from "../../../src/analysis/index.js";
import { edit, loadModel, type Model } from "../../../src/model/index.js";
import type { Tensor } from "../../../src/tensor/index.js";
import { fixture } from "../../helpers/fixtures.js";
import { numbers, prompts } from "../analysis-patching/support.js";

function mean(values: readonly number[]): number {
  return values.reduce((a, b) => a + b, 0) / values.length;
}

describe.each(["gpt2", "llama-gqa-bias", "pythia", "tl-attn-only"])("circuits of %s", (name) => {
  let model: Model;
  let input: EdgeInput;
  let scores: EdgeScores;
  beforeAll(async () => {
    model = await loadModel(fixture("architectures", name));
    const diff = metric.logitDiff({ answerTokens: [[1], [2], [3]], wrongAnswerTokens: [[3], [4], [5]] });
    const [from, into] = [prompts(model, 1, [3, 5]), prompts(model, 2, [3, 5])];
    input = {
      from: [...from.slice(0, 2), from[2]?.slice(0, 4) ?? []],
      into: [...into.slice(0, 2), into[2]?.slice(0, 4) ?? []],
      metric: diff,
    };
    scores = await edges.scores(model, { ...input, method: "eap" });
  });
  afterAll(() => model.close());

  const run = async (rows: readonly (readonly number[])[], edited = model): Promise<number> => {
    const values = await Promise.all(
      rows.map(async (row, i) => {
        const own = metric.logitDiff({ answerTokens: [[i + 1]], wrongAnswerTokens: [[i + 3]] });
        return numbers((await edited.run([[...row]], { metric: own })).metric)[0] ?? Number.NaN;
      }),
    );
    return mean(values);
  };

  it("of all edges are the model, of none the other prompts' run", async () => {
    const all = scores.circuit({ top: scores.edges.length });
    const found = await edges.evaluate(model, all, input);
    expect(found.faithfulness).toBeCloseTo(1, 4);
    expect(found.incompleteness).toBeCloseTo(0, 4);
    expect(found.whole).toBeCloseTo(await run(input.into as number[][]), 4);
    expect(found.empty).toBeCloseTo(await run(input.from as number[][]), 4);
  });

  it("of all edges but one sender's to the logits are direct-path patching", async () => {
    const sender = "a0.h1";
    const circuit = new Circuit(
      scores.edges.filter(({ from, to }) => from !== sender || to !== "logits"),
      scores.edges,
    );
    const found = await edges.evaluate(model, circuit, input);
    const between = { attention: "frozen", mlps: "frozen" } as const;
    const path = await edges.paths(model, { ...input, senders: [sender], receivers: ["logits"], between });
    expect(found.circuit).toBeCloseTo(mean(numbers(path.perPrompt)), 4);
  });

  it("of all edges but those of one head's are that head patched", async () => {
    const circuit = new Circuit(
      scores.edges.filter(({ from }) => from !== "a0.h0"),
      scores.edges,
    );
    const found = await edges.evaluate(model, circuit, input);
    const from = input.from as number[][];
    const expected = await Promise.all(
      (input.into as number[][]).map(async (row, i) => {
        const own = metric.logitDiff({ answerTokens: [[i + 1]], wrongAnswerTokens: [[i + 3]] });
        const { cache } = await model.run([from[i] ?? []], { capture: "blocks.0.attn.hook_z", metric: own });
        const patched = model.with(edit.patch("blocks.0.attn.hook_z", cache, { head: 0 }));
        return numbers((await patched.run([row], { metric: own })).metric)[0] ?? Number.NaN;
      }),
    );
    expect(found.circuit).toBeCloseTo(mean(expected), 4);
  });

  it("of a few edges carry what the same edges carry when put together by hand", async () => {
    // Only embed → a1.h0.v → logits and everything into a1.h0's pattern from the other prompt.
    const layer = model.config.nLayers - 1;
    const shared = model.config.nHeads === model.config.nKeyValueHeads ? "h" : "kv";
    const list = [
      { from: "embed", to: `a${layer}.${shared}0.v` },
      { from: `a${layer}.h0`, to: "logits" },
    ];
    const found = await edges.evaluate(model, new Circuit(list, scores.edges), input);
    const rows = input.into as number[][];
    const others = input.from as number[][];
    const expected = await Promise.all(
      rows.map(async (row, i) => {
        const own = metric.logitDiff({ answerTokens: [[i + 1]], wrongAnswerTokens: [[i + 3]] });
        const embedding = async (tokens: readonly number[]): Promise<Tensor> =>
          (await model.run([[...tokens]], { capture: "hook_embed", metric: own })).cache.get("hook_embed");
        const change = (await embedding(row))
          .sub(await embedding(others[i] ?? []))
          .insertAxis("head", { position: 2 }) as Tensor;
        const hook = `blocks.${layer}.hook_v_input`;
        const z = `blocks.${layer}.attn.hook_z`;
        const corrupted = await model.run([others[i] ?? []], {
          capture: [z, `blocks.${layer}.hook_mlp_out`].slice(0, model.config.attnOnly ? 1 : 2),
          metric: own,
        });
        // The head alone changes: whatever else the layer computes from it is put back.
        const heads = Array.from({ length: model.config.nHeads - 1 }, (_, h) => h + 1);
        const edited = model.with(
          edit.add(hook, change, { head: 0 }),
          edit.patch(z, corrupted.cache, { head: heads }),
          ...(model.config.attnOnly ? [] : [edit.patch(`blocks.${layer}.hook_mlp_out`, corrupted.cache)]),
        );
        return numbers((await edited.run([others[i] ?? []], { metric: own })).metric)[0] ?? Number.NaN;
      }),
    );
    expect(found.circuit).toBeCloseTo(mean(expected), 4);
  });

  it("are drawn at random as a control, and have a complement", () => {
    const circuit = scores.circuit({ top: 10 });
    expect(circuit.edges).toHaveLength(10);
    expect(circuit.complement().edges).toHaveLength(scores.edges.length - 10);
    expect(circuit.random(1).edges).toHaveLength(10);
    expect(circuit.random(1).edges).toEqual(circuit.random(1).edges);
    expect(circuit.random(1).edges).not.toEqual(circuit.random(2).edges);
    const least = Math.min(...circuit.edges.map(({ from, to }) => Math.abs(scores.get(from, to))));
    expect(scores.circuit({ threshold: least }).edges).toHaveLength(10);
    expect(circuit.nodes.length).toBeGreaterThan(1);
    expect(String(circuit)).toMatch(/Circuit of 10 of/);
    expect(circuit.toView().spec.view).toBe("table");
  });
});

describe("circuit evaluation", () => {
  let model: Model;
  let input: EdgeInput;
  beforeAll(async () => {
    model = await loadModel(fixture("architectures", "tl-attn-only"));
    input = {
      from: [[1, 2, 3]],
      into: [[4, 2, 3]],
      metric: metric.logitDiff({ answerTokens: [[1]], wrongAnswerTokens: [[3]] }),
    };
  });
  afterAll(() => model.close());

  it("draws curves by size with random controls", async () => {
    const scores = await edges.scores(model, input);
    const curve = await edges.curve(model, scores, { ...input, shares: [0.1, 0.5, 1], random: 2 });
    expect(curve.faithfulness[2]).toBeCloseTo(1, 4);
    expect(curve.random[2]).toBeCloseTo(1, 4);
    expect(curve.without[2]).toBeCloseTo(0, 4);
    const circuit = scores.circuit({ top: curve.edges[1] ?? 0 });
    const one = await edges.evaluate(model, circuit, input);
    expect(curve.faithfulness[1]).toBeCloseTo(one.faithfulness, 5);
    expect(curve.without[1]).toBeCloseTo(one.incompleteness, 5);
    expect(curve.randomDraws.map(({ length }) => length)).toEqual([2, 2, 2]);
    const second = await edges.evaluate(model, circuit.random(1), input);
    expect(curve.randomDraws[1]?.[1]).toBeCloseTo(second.faithfulness, 5);
    expect(curve.random[1]).toBeCloseTo(((curve.randomDraws[1]?.[0] ?? 0) + second.faithfulness) / 2, 5);
    expect([curve.whole, curve.empty]).toEqual([one.whole, one.empty]);
    expect(String(curve)).toMatch(/10.0 % \(\d+ edges\): .*; random -?\d.* \(-?\d.* to -?\d/);
    expect(curve.toView().spec.view).toBe("lines");
    expect(String(one)).toMatch(/faithfulness -?\d/);
    expect(one.toView().spec.view).toBe("table");
  });

  it("says whether the prompts of a curve chose its edges", async () => {
    const unseen = { ...input, from: [[1, 5, 3]], into: [[4, 5, 3]], shares: [0.5], random: 0 };
    for (const scores of [await edges.scores(model, input), await edges.exact(model, input)]) {
      expect([...scores.prompts]).toEqual(["4,2,3"]);
      const own = await edges.curve(model, scores, { ...input, shares: [0.5], random: 0 });
      expect([own.seen, String(own).includes("over 1 prompts, all of which chose the edges, too")]).toEqual([1, true]);
      const other = await edges.curve(model, scores, unseen);
      expect(other.seen).toBe(0);
      expect(String(other)).toMatch(/over 1 prompts, none of which chose the edges\n.*without it -?\d\.\d\d$/);
    }
  });

  it("leaves random circuits out of a curve when none are asked for", async () => {
    const scores = await edges.scores(model, input);
    const curve = await edges.curve(model, scores, { ...input, shares: [0.5], random: 0 });
    expect([curve.randomDraws, curve.random]).toEqual([[[]], [Number.NaN]]);
    expect(curve.toView().spec).toMatchObject({ series: [{ name: "circuit" }, { name: "without it" }] });
    await expect(edges.curve(model, scores, { ...input, random: 1.5 })).rejects.toThrow(
      "edges.curve: random: got 1.5; expected a whole number of circuits for each size, 0 for none.",
    );
  });

  it("refuses edited models, other models' edges, impossible shares and metrics that do not change", async () => {
    const scores = await edges.scores(model, input);
    const circuit = scores.circuit({ top: 3 });
    await expect(edges.evaluate(model.with(edit.zero("blocks.0.attn.hook_z")), circuit, input)).rejects.toThrow(
      /a model with edit.zero/,
    );
    const other = new Circuit([{ from: "m0", to: "logits" }], scores.edges);
    await expect(edges.evaluate(model, other, input)).rejects.toThrow(/m0 → logits, which this model does not have/);
    await expect(edges.curve(model, scores, { ...input, shares: [2] })).rejects.toThrow(/shares: got \[2\]/);
    const same = await edges.evaluate(model, circuit, { ...input, from: input.into });
    if (same.whole === same.empty) expect(() => same.faithfulness).toThrow(/two different numbers/);
    const flat = { ...input, metric: metric.custom("nothing", (x) => x.mean("dVocabOut").mul(0)) };
    await expect(edges.curve(model, scores, flat)).rejects.toThrow(
      "edges.curve: got a metric of 0 with all edges and with none; expected two different numbers to normalise between",
    );
  });
});
