/** Gradients that `model.run` returns, at every hook point and of the weights of every architecture, against PyTorch's. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { metric } from "../../src/analysis/index.js";
import { loadSafetensors } from "../../src/io/index.js";
import { weightTargets } from "../../src/model/gradient/weight-names.js";
import { loadModel, type Metric, type Model } from "../../src/model/index.js";
import { Tensor } from "../../src/tensor/index.js";
import { expectClose } from "../helpers/close.js";
import { architectureNames, fixture } from "../helpers/fixtures.js";

type Golden = Readonly<Record<string, Tensor>>;

const tolerances = { float32: 1e-4, float64: 1e-8 } as const;
type Precision = keyof typeof tolerances;
const precisions: readonly Precision[] = ["float32", "float64"];

const perHeadInput = /hook_(?:attn_in|[qkv]_input)$/;

/** Metrics do not depend on the architecture: elsewhere a few of them are enough. */
const withEveryMetric: readonly string[] = ["gpt2", "gemma2", "pythia", "tl-vocab-out"];

/** The reference's answers: see `scripts/reference/make_metric_gradients.py`. */
function answersOf(rows: number, size: number): { answerTokens: number[][]; wrongAnswerTokens: number[][] } {
  const all = Array.from({ length: rows }, (_, row) => row);
  return {
    answerTokens: all.map((row) => [(3 * row + 1) % size, (3 * row + 4) % size]),
    wrongAnswerTokens: all.map((row) => [(3 * row + 2) % size]),
  };
}

/** Every metric of the reference by its name there. */
async function metricsOf(model: Model, tokens: Tensor): Promise<ReadonlyMap<string, Metric>> {
  const { logits } = await model.withPrecision("float64").run(tokens);
  const answers = answersOf(tokens.shape[0] ?? 0, logits.shape[2] ?? 0);
  const exchanged = logits.at({ batch: [1, 0] });
  const all = { answers: "all" } as const;
  return new Map([
    ["answerLogit", metric.answerLogit(answers)],
    ["klAll", metric.klToReference(exchanged)],
    ["klLast", metric.klToReference(exchanged.at({ pos: -1 }))],
    ["logProb", metric.logProb(answers)],
    ["logProbOfAll", metric.logProb(answers, all)],
    ["logitDiff", metric.logitDiff(answers)],
    ["logitDiffOfAll", metric.logitDiff(answers, all)],
    ["probability", metric.probability(answers)],
    ["probabilityDiff", metric.probabilityDiff(answers)],
    ["loss", metric.loss()],
  ]);
}

/** The reference's summary of a gradient: two weighted sums and the largest size. */
function digest(gradient: Tensor): Tensor {
  const flat = Array.from(gradient.data as Iterable<number>);
  const sum = (weight: (i: number) => number): number => flat.reduce((total, x, i) => total + x * weight(i), 0);
  const largest = flat.reduce((max, x) => Math.max(max, Math.abs(x)), 0);
  const data = Float64Array.of(
    sum((i) => Math.sin(1.3 * i + 1)),
    sum((i) => Math.cos(2.7 * i)),
    largest,
  );
  return Tensor.of(data, [3], ["i"]);
}

describe.each(architectureNames)("%s", (name) => {
  const folder = fixture("architectures", name);
  let model: Model;
  let golden: Golden;
  let losses: Golden;
  let tokens: Tensor;
  let metrics: ReadonlyMap<string, Metric>;
  beforeAll(async () => {
    model = await loadModel(folder);
    golden = await loadSafetensors(`${folder}/metrics.safetensors`);
    losses = await loadSafetensors(`${folder}/gradients.safetensors`);
    const { "none/tokens": ids } = await loadSafetensors(`${folder}/golden.safetensors`);
    if (ids === undefined) throw new Error("the golden file has no tokens");
    tokens = ids;
    metrics = await metricsOf(model, tokens);
  });
  afterAll(() => model.close());

  /** Names in the golden file after a prefix. */
  const stored = (prefix: string): string[] =>
    Object.keys(golden).flatMap((key) => (key.startsWith(`${prefix}/`) ? [key.slice(prefix.length + 1)] : []));
  const hasLoss = (): boolean => `loss/value` in golden;
  const metricNamed = (key: string): Metric => {
    const found = metrics.get(key);
    if (found === undefined) throw new Error(`no metric ${key}`);
    return found;
  };

  it.each(precisions)("has PyTorch's value and gradient of metrics in %s", async (precision) => {
    for (const [key, of] of metrics) {
      const isOnce = ["klAll", "logProbOfAll", "probabilityDiff"].includes(key) || withEveryMetric.includes(name);
      if (!isOnce || (key === "loss" && !hasLoss())) continue;
      const run = await model.withPrecision(precision).run(tokens, { gradients: { of, wrt: "embeddings" } });
      const [value, gradient] = [golden[`${key}/value`], golden[`${key}/hook_embed`]];
      if (value === undefined || gradient === undefined) throw new Error(`no golden of ${key}`);
      expectClose(run.metric, value, tolerances[precision], `${key} value`);
      expectClose(run.gradients.get("hook_embed"), gradient, tolerances[precision], key);
    }
  });

  it.each(precisions)("has PyTorch's gradient at every hook point on the path in %s", async (precision) => {
    const of = metricNamed("logitDiff");
    const run = await model.withPrecision(precision).run(tokens, { gradients: { of, wrt: "*" } });
    const expected = stored("logitDiff").filter((hook) => hook !== "value" && !perHeadInput.test(hook));
    const beside = expected.filter((hook) => hook.endsWith("hook_result"));
    const found = run.gradients.keys().filter((hook) => !hook.startsWith("unembed."));
    expect([...found, ...beside].sort()).toEqual(expected.sort());
    for (const hook of expected) {
      const reference = golden[`logitDiff/${hook}`];
      if (reference === undefined || beside.includes(hook)) continue;
      const own = run.gradients.get(hook);
      expectClose(hook === "hook_embed" ? own : digest(own), reference, tolerances[precision] * 10, hook);
    }
    if (!hasLoss()) return;
    const gradients = { of: metric.loss(), wrt: "*", reduce: "mean" } as const;
    const other = await model.withPrecision(precision).run(tokens, { gradients });
    for (const hook of other.gradients.keys()) {
      const isDistinct = hook !== "hook_embed" && `loss/${hook}` in golden;
      const reference = isDistinct ? golden[`loss/${hook}`] : losses[hook];
      if (reference !== undefined) expectClose(other.gradients.get(hook), reference, tolerances[precision], hook);
      else expect(hook).toMatch(/^unembed\./);
    }
  });

  it.each(precisions)("has PyTorch's gradient at the points beside the path in %s", async (precision) => {
    const exact = model.withPrecision(precision);
    const plain = await exact.run(tokens, { logits: "last" });
    const results = { of: metricNamed("logitDiff"), wrt: "result" } as const;
    const run = await exact.run(tokens, { logits: "last", gradients: results });
    expectClose(run.logits, plain.logits, precision === "float32" ? 2e-5 : 1e-12, "logits beside hook_result");
    for (const hook of run.gradients.keys()) {
      const reference = golden[`logitDiff/${hook}`];
      if (reference === undefined) throw new Error(`no golden of ${hook}`);
      expectClose(digest(run.gradients.get(hook)), reference, tolerances[precision] * 10, hook);
    }
    if (!hasLoss()) return;
    const wrt = stored("loss").filter((hook) => perHeadInput.test(hook));
    expect(wrt.length).toBeGreaterThan(0);
    const loss = { of: metric.loss(), wrt, reduce: "mean" } as const;
    const split = await exact.run(tokens, { logits: "last", gradients: loss });
    expectClose(split.logits, plain.logits, precision === "float32" ? 2e-5 : 1e-12, "logits of the split path");
    for (const hook of wrt) {
      const reference = golden[`loss/${hook}`];
      if (reference !== undefined) expectClose(split.gradients.get(hook), reference, tolerances[precision], hook);
    }
  });

  it.each(precisions)("has PyTorch's gradients of weights in %s", async (precision) => {
    const known = new Set(model.weights.names());
    const isTied = model.view.core.map.embed === model.view.core.map.unembed.weight;
    const isScaled = model.config.embedScale !== 1;
    const names = stored("weights").filter((key) => {
      if (key === "embed.W_E" || key === "unembed.W_U") return !isTied && !(key === "embed.W_E" && isScaled);
      return hasWeight(model, key) && (known.has(key) || /\.[wb]$/.test(key));
    });
    const wrt = [...names, ...(isTied || isScaled ? [model.view.core.map.embed] : [])];
    const of = metricNamed("logitDiff");
    const run = await model.withPrecision(precision).run(tokens, { gradients: { of, wrt } });
    for (const key of names) {
      const reference = golden[`weights/${referenceName(model, key)}`];
      const own = run.gradients.weight(key);
      const turned = key === "unembed.W_U" ? own.transpose(["dVocabOut", "dModel"]) : own;
      if (reference !== undefined) expectClose(digest(turned), reference, tolerances[precision] * 10, key);
    }
    expect(names.length).toBeGreaterThanOrEqual(stored("weights").length / 2);
    if (!isTied) return;
    const own = digest(run.gradients.weight(model.view.core.map.embed));
    const [read, written] = [golden["weights/embed.W_E"], golden["weights/unembed.W_U"]];
    const sum = { from: 0, to: 2 };
    if (read !== undefined && written !== undefined)
      expectClose(
        own.at({ i: sum }),
        read
          .rename({ d0: "i" })
          .add(written.rename({ d0: "i" }))
          .at({ i: sum }) as Tensor,
        tolerances[precision] * 10,
        "tied embedding",
      );
  });
});

/** The reference keeps the bias inside a gated product, which Hugging Face stores, apart from the one behind it. */
function referenceName({ view }: Model, name: string): string {
  const [block] = view.core.map.blocks;
  const isInside = block?.mlp?.gate !== undefined && block.mlp.postBias === undefined;
  return isInside ? name.replace(/b_in$/, "b_linear") : name;
}

/** Whether a checkpoint stores this weight: some have no biases. */
function hasWeight({ view }: Model, name: string): boolean {
  return weightTargets(view, name).length > 0;
}
