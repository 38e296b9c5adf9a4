/** Path patching against runs of the whole model with edits, for sequential, parallel, grouped and attention-only models. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { edges, metric, type PathOptions } from "../../../src/analysis/index.js";
import { edit, loadModel, type Metric, type Model } from "../../../src/model/index.js";
import type { Tensor } from "../../../src/tensor/index.js";
import { fixture } from "../../helpers/fixtures.js";
import { distance, numbers, prompts } from "../analysis-patching/support.js";
import { bruteForce } from "./support.js";

const cases: readonly (readonly [sender: string, receivers: readonly string[]])[] = [
  ["a0.h1", ["logits"]],
  ["m0", ["logits"]],
  ["embed", ["logits"]],
  ["a0.h1", ["a1.h2.q"]],
  ["a0.h0", ["m0"]],
  ["a0.h1", ["m1"]],
  ["m0", ["a1.h0.q", "a1.h2.q", "m1"]],
  ["a0.h2", ["a1.h1.q", "m0", "logits"]],
  ["embed", ["a0.h1.q", "a1.h1.q"]],
];
const betweens = [
  { attention: "frozen", mlps: "recomputed" },
  { attention: "frozen", mlps: "frozen" },
  { attention: "recomputed", mlps: "recomputed" },
] as const;

describe.each(["gpt2", "llama-gqa-bias", "pythia", "tl-attn-only"])("path patching of %s", (name) => {
  let model: Model;
  let pair: readonly [number[][], number[][]];
  let diff: Metric;
  beforeAll(async () => {
    model = await loadModel(fixture("architectures", name));
    pair = [prompts(model, 1, [2, 5]), prompts(model, 2, [2, 5])];
    diff = metric.logitDiff({ answerTokens: [[1], [2]], wrongAnswerTokens: [[3], [4]] });
  });
  afterAll(() => model.close());

  it.each(betweens)("is what edited runs give, within 1e-5: %j", async (between) => {
    for (const [sender, receivers] of cases) {
      const isMlp = [sender, ...receivers].some((node) => node.startsWith("m"));
      if (model.config.attnOnly && isMlp) continue;
      // In parallel blocks the MLP does not read the heads of its own layer.
      if (model.config.parallelAttnMlp && receivers.includes("m0") && sender.startsWith("a0")) continue;
      const options: PathOptions = {
        from: pair[0],
        into: pair[1],
        senders: [sender],
        receivers,
        between,
        metric: diff,
      };
      const result = await edges.paths(model, options);
      const expected = await bruteForce(model, pair, { sender, receivers, between }, diff);
      expect(distance(numbers(result.perPrompt), expected), `${sender} → ${receivers.join()}`).toBeLessThan(1e-5);
    }
  });

  it("patches all senders in one call as it patches each", async () => {
    const options = { from: pair[0], into: pair[1], receivers: ["a1.h1.q"], metric: diff } as const;
    const all = await edges.paths(model, options);
    expect(all.senders).toContain("a0.h2");
    const one = await edges.paths(model, { ...options, senders: ["a0.h2"] });
    const row = numbers(all.perPrompt.at({ sender: all.senders.indexOf("a0.h2") }) as Tensor);
    expect(distance(row, numbers(one.perPrompt))).toBeLessThan(2e-6);
    // What is not upstream of the receiver changes nothing.
    expect(all.change[all.senders.indexOf("a1.h0")]).toBe(0);
  });

  it("changes nothing when prompts are patched into themselves", async () => {
    const result = await edges.paths(model, {
      from: pair[1],
      into: pair[1],
      receivers: ["a1.h0.q", "logits"],
      metric: diff,
    });
    expect(Math.max(...result.change.map(Math.abs))).toBeLessThan(1e-5);
  });
});

describe("paths", () => {
  let model: Model;
  let options: PathOptions;
  beforeAll(async () => {
    model = await loadModel(fixture("architectures", "llama-gqa-bias"));
    const diff = metric.logitDiff({ answerTokens: [[1]], wrongAnswerTokens: [[3]] });
    options = { from: [[1, 2, 3]], into: [[1, 4, 3]], receivers: ["a1.kv0.k"], metric: diff };
  });
  afterAll(() => model.close());

  it("name grouped keys and values by their own heads", async () => {
    const result = await edges.paths(model, { ...options, senders: ["a0.h1"], receivers: ["a1.kv0.k", "a1.kv1.v"] });
    const between = { attention: "frozen", mlps: "recomputed" } as const;
    const pair: [number[][], number[][]] = [[[1, 2, 3]], [[1, 4, 3]]];
    const path = { sender: "a0.h1", receivers: ["a1.kv0.k", "a1.kv1.v"], between };
    const expected = await bruteForce(model, pair, path, options.metric);
    expect(distance(numbers(result.perPrompt), expected)).toBeLessThan(1e-5);
  });

  it("with change zero take away the sender's write", async () => {
    const result = await edges.paths(model, { ...options, senders: ["m1"], receivers: ["logits"], change: "zero" });
    const zeroed = await model.with(edit.zero("blocks.1.hook_mlp_out")).run([[1, 4, 3]], { metric: options.metric });
    expect(distance(numbers(result.perPrompt), numbers(zeroed.metric))).toBeLessThan(1e-5);
  });

  it("print and draw", async () => {
    const result = await edges.paths(model, { ...options, receivers: ["logits"] });
    expect(String(result)).toMatch(/Path patching to logits[^]*(a\d\.h\d|m\d|embed): /);
    expect(result.toView().spec.view).toBe("heatmap");
    const few = await edges.paths(model, { ...options, senders: ["m0"] });
    expect(few.toView().spec.view).toBe("bars");
  });

  it("refuse unknown nodes, no receivers, no source, and edits that name rows", async () => {
    await expect(edges.paths(model, { ...options, receivers: ["a1.h0.k"] })).rejects.toThrow(
      /"a1.h0.k", which is no node.*nearest: a1.kv0.k, .*a3.kv0.k/,
    );
    const nearest = async (receiver: string): Promise<string> => {
      const message = await edges.paths(model, { ...options, receivers: [receiver] }).then(() => "", String);
      return /nearest: (.*?)\. Senders/.exec(message)?.[1] ?? message;
    };
    // By meaning: the same kind and layer first, then the head, then the input.
    expect(await nearest("a1.h0")).toBe("a1.h0.q, a1.kv0.k, a1.kv0.v");
    expect(await nearest("a1.h9.q")).toMatch(/^a1.h3.q, a1.h2.q, /);
    expect(await nearest("L0H1Q")).toMatch(/^a0.h1.q, /);
    expect(await nearest("a9.h0.v")).toMatch(/^a1.kv0.v, /);
    expect(await nearest("m7")).toMatch(/^m1, m0, /);
    expect(await nearest("blocks.0.mlp")).toMatch(/^m0, m1, /);
    expect(await nearest("hook_logits")).toMatch(/^logits, /);
    await expect(edges.paths(model, { ...options, senders: ["b1"] })).rejects.toThrow(/senders: got "b1"/);
    await expect(edges.paths(model, { ...options, receivers: [] })).rejects.toThrow(/no receivers/);
    const { from: _, ...rest } = options;
    await expect(edges.paths(model, rest)).rejects.toThrow(/change "patch" without from/);
    const edited = model.with(edit.zero("blocks.0.hook_mlp_out", { row: 0 }));
    await expect(edges.paths(edited, options)).rejects.toThrow(/selects by row/);
  });
});
