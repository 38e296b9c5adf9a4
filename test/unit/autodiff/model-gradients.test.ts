/** Gradients of real model graphs, at every hook point of every architecture, against PyTorch's. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { checkGradient, type Differentiable, gradients } from "../../../src/autodiff/index.js";
import { GraphBuilder, Ops, type Value } from "../../../src/graph/index.js";
import { loadSafetensors } from "../../../src/io/index.js";
import { loadModel, type Model } from "../../../src/model/index.js";
import { capturePrefix } from "../../../src/model/plan/full-graph.js";
import { batchFeeds, neededFeeds } from "../../../src/model/run/feeds.js";
import { prepareRun } from "../../../src/model/run/prepare.js";
import { Tensor } from "../../../src/tensor/index.js";
import { expectClose } from "../../helpers/close.js";
import { architectureNames, fixture } from "../../helpers/fixtures.js";

type Golden = Readonly<Record<string, Tensor>>;

/** Hook points that limpid computes on the side, only to be looked at: nothing depends on them. */
const onTheSide = /hook_(?:attn_in|[qkv]_input|result|tokens)$/;

/** Mean of -log p(label) over all steps, as the reference takes it. */
function stepLoss(ops: Ops, logits: Value, labels: Value): Value {
  const steps = ops.logSoftmax(ops.slice(logits, 1, 0, -1), 2);
  return ops.neg(ops.reduceMean(ops.gatherElements(steps, ops.unsqueeze(labels, [2]), 2), undefined, false));
}

interface Asked {
  readonly capture: string | readonly string[];
  readonly keep?: (name: string) => boolean;
}

/** Gradients of the loss at the captured hook points, by hook name. */
async function hookGradients(
  model: Model,
  tokens: Tensor,
  { capture, keep }: Asked,
): Promise<ReadonlyMap<string, Tensor>> {
  const { view } = model;
  const options = { capture: typeof capture === "string" ? capture : [...capture], checks: false };
  const { built, batch, request } = prepareRun(view, tokens, options);
  const builder = GraphBuilder.from(built.graph);
  const ops = new Ops(builder);
  const named = new Map(built.graph.outputs.map(({ name, value }) => [name, value]));
  const logits = named.get("logits");
  if (logits === undefined) throw new Error("the graph has no logits");
  const [rows = 0, length = 0] = tokens.shape;
  const labels = builder.input("next", "int64", ["batch", "pos-1"]);
  const loss = stepLoss(ops, logits, labels);
  const points = [...named].flatMap(([name, value]) => {
    const hook = name.slice(capturePrefix.length);
    return name.startsWith(capturePrefix) && !onTheSide.test(hook) ? [{ hook, value }] : [];
  });
  const kept = keep === undefined ? {} : { keep: points.filter(({ hook }) => keep(hook)).map(({ value }) => value) };
  const values = gradients(
    builder,
    loss,
    points.map(({ value }) => value),
    kept,
  );
  const graph = builder.build(
    Object.fromEntries([["loss", loss], ...points.map(({ hook }, index) => [hook, values[index] ?? loss] as const)]),
  );
  const size = Number(logits.shape.at(-1));
  const ids = Array.from(tokens.data as Iterable<bigint>, Number);
  const next = ids.filter((_, index) => index % length > 0).map((id) => BigInt(id % size));
  const feeds = {
    ...neededFeeds({ ...built, graph }, batchFeeds(batch, request)),
    next: { dtype: "int64", shape: [rows, length - 1], data: BigInt64Array.from(next) },
  } as const;
  const results = await view.core.engine.run(
    { segments: [graph], outputs: graph.outputs.map(({ name }) => name) },
    feeds,
  );
  return new Map(
    Object.entries(results).map(([name, { data, shape }]) => [
      name,
      Tensor.of(data as Float64Array, [...shape]) as Tensor,
    ]),
  );
}

/**
 * The reference's gradient at a hook point. In a parallel block both norms normalise the same stream: their values are
 * one value of the graph, whose gradient is the sum.
 */
function referenceAt({ config }: Model, golden: Golden, hook: string): Tensor | undefined {
  const own = golden[hook];
  if (!config.parallelAttnMlp || own === undefined || !/\.ln[12]\./.test(hook)) return own;
  const other = golden[hook.replace(/\.ln[12]\./, (part) => (part === ".ln1." ? ".ln2." : ".ln1."))];
  return other === undefined ? own : own.add(other);
}

const tolerances = { float32: 1e-4, float64: 1e-8 } as const;

/** Hook points at which the fused kernels stay fused. */
const outsideKernels = ["hook_embed", "resid_pre", "resid_post", "q", "k", "v", "z", "attn_out"];

describe.each(architectureNames)("%s", (name) => {
  const folder = fixture("architectures", name);
  let model: Model;
  let golden: Golden;
  let tokens: Tensor;
  beforeAll(async () => {
    model = await loadModel(folder);
    golden = await loadSafetensors(`${folder}/gradients.safetensors`);
    const { "none/tokens": ids } = await loadSafetensors(`${folder}/golden.safetensors`);
    if (ids === undefined) throw new Error("the golden file has no tokens");
    tokens = ids;
  });
  afterAll(() => model.close());

  it.each(["float32", "float64"] as const)("has PyTorch's gradient at every hook point in %s", async (precision) => {
    const found = await hookGradients(model.withPrecision(precision), tokens, { capture: "*" });
    const expected = Object.keys(golden).filter((hook) => !onTheSide.test(hook));
    expect([...found.keys()].filter((hook) => !hook.startsWith("unembed.")).sort()).toEqual(expected.sort());
    for (const hook of expected) {
      const [own, reference] = [found.get(hook), referenceAt(model, golden, hook)];
      if (own !== undefined && reference !== undefined) expectClose(own, reference, tolerances[precision], hook);
    }
  });

  it("has them through the fused kernels, and from recomputed activations", async () => {
    const capture = outsideKernels;
    for (const keep of [undefined, (hook: string) => hook.endsWith("hook_resid_pre")]) {
      const found = await hookGradients(model, tokens, { capture, ...(keep === undefined ? {} : { keep }) });
      expect(found.size).toBeGreaterThan(10);
      for (const [hook, own] of found) {
        const reference = golden[hook];
        if (reference !== undefined) expectClose(own, reference, tolerances.float32, hook);
      }
    }
  });
});

describe("second derivatives of whole models", () => {
  it.each(["gpt2", "gemma2"])("of %s agree with differences of gradients", async (name) => {
    const model = (await loadModel(fixture("architectures", name))).withPrecision("float64");
    const { view } = model;
    const prepared = prepareRun(view, [[3, 1, 4, 1, 5]], { capture: "hook_embed", checks: false });
    const { graph } = prepared.built;
    const builder = new GraphBuilder();
    const inputs = graph.inputs.map((value) => [value, builder.input(value.name, value.dtype, value.shape)] as const);
    const embedded = graph.outputs.find((output) => output.name === `${capturePrefix}hook_embed`)?.value;
    const labels = builder.input("next", "int64", ["batch", "pos-1"]);
    const width = model.config.dModel;
    const point = builder.input("point", "float64", ["batch", "pos", width]);
    const direction = builder.input("direction", "float64", ["batch", "pos", width]);
    const weight = builder.input("weight", "float64", ["batch", "pos", width]);
    const f: Differentiable = (ops, [x = point]) => {
      const replaced = embedded === undefined ? inputs : [...inputs, [embedded, x] as const];
      const { logits = x } = builder.inline(graph, new Map(replaced));
      return [stepLoss(ops, logits, labels)];
    };
    const slope: Differentiable = (ops, values) => gradients(builder, f(ops, values)[0] ?? point, values);
    const setting = {
      directions: [direction],
      // A sum over the stream's entries would be 0: every norm takes their mean off.
      weights: (ops: Ops, all: readonly Value[]) => all.map((y) => (y.shape.length === 0 ? ops.onesLike(y) : weight)),
    };
    const first = checkGradient(builder, f, [point], setting);
    const second = checkGradient(builder, slope, [point], { ...setting, forward: false });
    const checks = {
      ...first,
      second: second.numeric,
      secondReverse: second.reverse,
      secondSize: second.size,
    };
    const whole = builder.build(checks);
    const wave = (phase: number): Float64Array =>
      Float64Array.from({ length: 5 * width }, (_, i) => Math.sin(1.3 * i + phase));
    const feed = (phase: number) => ({ dtype: "float64", shape: [1, 5, width], data: wave(phase) }) as const;
    const next = { dtype: "int64", shape: [1, 4], data: BigInt64Array.of(1n, 4n, 1n, 5n) } as const;
    const feeds = {
      ...batchFeeds(prepared.batch, prepared.request),
      next,
      point: feed(1),
      direction: feed(2),
      weight: feed(3),
    };
    const fed = new Set(whole.inputs.map((value) => value.name));
    const own = Object.fromEntries(Object.entries(feeds).filter(([key]) => fed.has(key)));
    const results = await view.core.engine.run({ segments: [whole], outputs: Object.keys(checks) }, own);
    const at = (key: string): number => Number(results[key]?.data[0]);
    expect(Math.abs(at("numeric"))).toBeGreaterThan(1e-3);
    expect(Math.abs(at("numeric") - at("reverse"))).toBeLessThan(1e-7 * Math.max(1, at("size")));
    expect(Math.abs(at("forward") - at("reverse"))).toBeLessThan(1e-12 * Math.max(1, at("size")));
    expect(Math.abs(at("second"))).toBeGreaterThan(1e-3);
    expect(Math.abs(at("second") - at("secondReverse"))).toBeLessThan(1e-7 * Math.max(1, at("secondSize")));
    await model.close();
  });
});

describe("padding", () => {
  it.each(["gpt2", "gemma2", "llama-gqa-bias"])(
    "changes no gradient of %s, and rows without keys make no NaN",
    async (name) => {
      const model = (await loadModel(fixture("architectures", name))).withPrecision("float64");
      const [row, other] = [
        [3, 1, 4],
        [2, 7, 1, 8, 2],
      ];
      for (const capture of [["resid_pre"], ["resid_pre", "pattern", "attn_scores"]]) {
        const alone = await lastLogitGradients(model, { tokens: [row] }, capture);
        const padded = await lastLogitGradients(
          model,
          {
            tokens: [[0, 0, ...row], other],
            attentionMask: [
              [0, 0, 1, 1, 1],
              [1, 1, 1, 1, 1],
            ],
          },
          capture,
        );
        for (const [hook, gradient] of alone) {
          if (!hook.endsWith("resid_pre")) continue;
          const width = gradient.shape[2] ?? 0;
          const all = padded.get(hook);
          const own = Array.from(all?.data as Float64Array).slice(0, 5 * width);
          expect(
            own.slice(0, 2 * width).every((value) => value === 0),
            hook,
          ).toBe(true);
          own.slice(2 * width).forEach((value, index) => expect(value).toBeCloseTo(Number(gradient.data[index]), 11));
        }
      }
      await model.close();
    },
  );
});

/** Gradients of weighted logits at the last position of the first row. */
async function lastLogitGradients(
  model: Model,
  input: Parameters<typeof prepareRun>[1],
  capture: readonly string[],
): Promise<ReadonlyMap<string, Tensor>> {
  const { view } = model;
  const { built, batch, request, logitSlots } = prepareRun(view, input, {
    capture: [...capture],
    logits: "last",
    checks: false,
  });
  const builder = GraphBuilder.from(built.graph);
  const ops = new Ops(builder);
  const named = new Map(built.graph.outputs.map(({ name, value }) => [name, value]));
  const logits = named.get("logits");
  if (logits === undefined) throw new Error("the graph has no logits");
  const weights = ops.sin(ops.cast(ops.range(0, Number(logits.shape.at(-1))), "float64"));
  const loss = ops.reduceSum(ops.mul(ops.slice(logits, 0, 0, 1), weights), undefined, false);
  const points = [...named].filter(([name]) => name.startsWith(capturePrefix));
  const values = gradients(
    builder,
    loss,
    points.map(([, value]) => value),
  );
  const graph = builder.build(Object.fromEntries(points.map(([name], index) => [name, values[index] ?? loss])));
  const feeds = neededFeeds({ ...built, graph }, batchFeeds(batch, request, logitSlots));
  const results = await view.core.engine.run({ segments: [graph], outputs: points.map(([name]) => name) }, feeds);
  return new Map(
    Object.entries(results).map(([name, { data, shape }]) => [
      name,
      Tensor.of(data as Float64Array, [...shape]) as Tensor,
    ]),
  );
}
