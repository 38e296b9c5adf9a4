/** What gradients of a run mean: stops, backward hooks, rows, weights, layouts of work. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { metric } from "../../../src/analysis/index.js";
import { ActivationCache, at, edit, loadModel, type Model, type RunGradientOptions } from "../../../src/model/index.js";
import { metricFeeds } from "../../../src/model/metric/feeds.js";
import { planSteps } from "../../../src/model/plan/plan.js";
import { executeSteps } from "../../../src/model/run/execute.js";
import { batchFeeds, neededFeeds } from "../../../src/model/run/feeds.js";
import { prepareRun, runSizes } from "../../../src/model/run/prepare.js";
import type { Tensor } from "../../../src/tensor/index.js";
import { fixture } from "../../helpers/fixtures.js";
import { wave } from "./support.js";

const rows = [
  [3, 1, 4, 1, 5],
  [2, 7, 1, 8, 2],
];
const answers = { answerTokens: [[5, 9], [7]], wrongAnswerTokens: [[6], [8]] };
const of = metric.logitDiff(answers);

let model: Model;
beforeAll(async () => {
  model = (await loadModel(fixture("architectures", "gpt2"))).withPrecision("float64");
});
afterAll(() => model.close());

/** Gradients of a run of all rows. */
async function gradientsOf(options: Omit<RunGradientOptions, "of">, own: Model = model) {
  return (await own.run(rows, { gradients: { of, ...options } })).gradients;
}

function distance(a: Tensor, b: Tensor): number {
  return a.maxAbsDiff(b);
}

describe("stopAt", () => {
  it("counts patterns and norm scales as constants, as freezing their own values does", async () => {
    const stopAt = ["pattern", "ln1.hook_scale", "ln2.hook_scale", "ln_final.hook_scale"];
    const points = ["blocks.*.attn.hook_pattern", "**.hook_scale"];
    const { cache } = await model.run(rows, { capture: points });
    const frozen = model.with(edit.freeze(points, cache));
    const wrt = ["hook_embed", "attn_out", "v"];
    const [stopped, replayed] = [await gradientsOf({ wrt, stopAt }), await gradientsOf({ wrt }, frozen)];
    for (const hook of stopped.keys())
      expect(distance(stopped.get(hook), replayed.get(hook)), hook).toBeLessThan(1e-12);
    const plain = await gradientsOf({ wrt });
    expect(distance(plain.get("hook_embed"), stopped.get("hook_embed"))).toBeGreaterThan(1e-3);
  });

  it("leaves the gradient at a stopped point itself as it is", async () => {
    const wrt = ["pattern", "hook_embed"];
    const [plain, stopped] = [await gradientsOf({ wrt }), await gradientsOf({ wrt, stopAt: at.pattern("all") })];
    expect(distance(plain.get("pattern", 1), stopped.get("pattern", 1))).toBeLessThan(1e-14);
    expect(distance(plain.get("hook_embed"), stopped.get("hook_embed"))).toBeGreaterThan(1e-3);
  });

  it("makes the norms of heads' own inputs linear", async () => {
    const { cache } = await model.run(rows, { capture: "blocks.1.ln1.hook_scale" });
    const own = await gradientsOf({ wrt: ["blocks.1.hook_q_input", "blocks.1.attn.hook_q"], stopAt: "ln1.hook_scale" });
    const [matrix, gain] = [await model.weights.layer("W_Q", 1), await model.weights.normGain("blocks.1.ln1")];
    const [w, n] = [matrix.toArray() as number[][][], gain?.toArray() as number[]];
    const scale = cache.get("blocks.1.ln1.hook_scale").toArray() as number[][][];
    const [g, found] = [own.get("q", 1), own.get("q_input", 1)].map((one) => one.toArray() as number[][][][]);
    const mean = (x: readonly number[]): number => x.reduce((a, b) => a + b, 0) / x.length;
    found?.forEach((row, b) => {
      row.forEach((heads, p) => {
        heads.forEach((line, h) => {
          const raw = line.map((_, d) => {
            const back = (g?.[b]?.[p]?.[h] ?? []).reduce((sum, x, e) => sum + x * (w[h]?.[d]?.[e] ?? 0), 0);
            return (back * (n[d] ?? 0)) / (scale[b]?.[p]?.[0] ?? 0);
          });
          line.forEach((x, d) => {
            expect(x).toBeCloseTo((raw[d] ?? 0) - mean(raw), 11);
          });
        });
      });
    });
  });

  it("changes no forward value", async () => {
    const options = { logits: "all" } as const;
    const plain = await model.run(rows, options);
    const run = await model.run(rows, { ...options, gradients: { of, wrt: "hook_embed", stopAt: "pattern" } });
    expect(distance(run.logits, plain.logits)).toBeLessThan(1e-13);
  });
});

describe("edits of gradients", () => {
  it("set a gradient to 0 as a stop at the same point does", async () => {
    const wrt = ["hook_embed", "resid_pre"];
    const edited = await gradientsOf({ wrt, edits: [edit.zero(at.attnOut(1)), edit.zero("ln_final.hook_scale")] });
    const stopped = await gradientsOf({ wrt, stopAt: [at.attnOut(1), "ln_final.hook_scale"] });
    for (const hook of wrt.slice(0, 1)) expect(distance(edited.get(hook), stopped.get(hook))).toBe(0);
    expect(distance(edited.get("resid_pre", 1), stopped.get("resid_pre", 1))).toBe(0);
  });

  it("report what they return, and hand it on", async () => {
    const wrt = ["blocks.1.hook_mlp_out", "blocks.0.hook_resid_post"];
    const plain = await gradientsOf({ wrt });
    const relu = await gradientsOf({ wrt, edits: [edit.map(at.mlpOut(1), (g) => g.relu().mul(2))] });
    const expected = plain.get("mlp_out", 1).maximum(0).mul(2) as Tensor;
    expect(distance(relu.get("mlp_out", 1), expected)).toBe(0);
    expect(distance(relu.get("resid_post", 0), plain.get("resid_post", 0))).toBeGreaterThan(1e-3);
  });

  it("act where they are told to, one after the other, and take values of the caller's", async () => {
    const wrt = "blocks.1.hook_mlp_out";
    const [plain, half] = [await gradientsOf({ wrt }), edit.scale(at.mlpOut(1), 0.5, { pos: -1, row: 1 })];
    const edited = await gradientsOf({ wrt, edits: [half, edit.add(at.mlpOut(1), 3, { pos: 0 })] });
    const [before, after] = [plain.get("mlp_out", 1), edited.get("mlp_out", 1)];
    const change = after.sub(before) as Tensor;
    for (const row of [0, 1])
      for (const pos of [0, 1, 2, 3, 4]) {
        const wanted = pos === 0 ? 3 : row === 1 && pos === 4 ? undefined : 0;
        const own = change.at({ batch: row, pos });
        const expected = wanted ?? before.at({ batch: row, pos }).mul(-0.5);
        expect((own.sub(expected as Tensor) as Tensor).abs().max() as Tensor).toSatisfy(
          (t: Tensor) => t.item() < 1e-14,
        );
      }
  });

  it("write the gradients of another run over these", async () => {
    const wrt = ["blocks.1.hook_attn_out", "blocks.1.hook_resid_pre"];
    const other = (await model.run([...rows].reverse(), { gradients: { of, wrt } })).gradients;
    const edited = await gradientsOf({ wrt, edits: [edit.patch(at.attnOut(1), other)] });
    expect(distance(edited.get("attn_out", 1), other.get("attn_out", 1))).toBe(0);
  });

  it("touch no padding", async () => {
    const input = {
      tokens: [
        [0, 0, 3, 1, 4],
        [2, 7, 1, 8, 2],
      ],
      attentionMask: [
        [0, 0, 1, 1, 1],
        [1, 1, 1, 1, 1],
      ],
    };
    const options = { of, wrt: "blocks.1.hook_mlp_out", edits: [edit.replace(at.mlpOut(1), 7, { pos: [0, 1] })] };
    const run = await model.run(input, { gradients: options });
    const own = run.gradients.get("mlp_out", 1).toArray() as number[][][];
    expect(own[0]?.map(([x]) => x === 7)).toEqual([false, false, true, true, false]);
    expect(own[1]?.map(([x]) => x === 7)).toEqual([true, true, false, false, false]);
    expect(
      own[0]
        ?.slice(0, 2)
        .flat()
        .every((x) => x === 0),
    ).toBe(true);
  });
});

describe("rows", () => {
  it("are independent: each has the gradient that it has alone", async () => {
    const wrt = ["hook_embed", "z"];
    const all = await gradientsOf({ wrt });
    for (const row of [0, 1]) {
      const alone = await model.run([rows[row] ?? []], { metricRows: [row], gradients: { of, wrt } });
      for (const hook of all.keys()) {
        const own = all.get(hook).at({ batch: [row] });
        expect(distance(own, alone.gradients.get(hook)), hook).toBeLessThan(1e-12);
      }
    }
  });

  it("are averaged on request", async () => {
    const [sum, mean] = [
      await gradientsOf({ wrt: "hook_embed" }),
      await gradientsOf({ wrt: "hook_embed", reduce: "mean" }),
    ];
    expect(distance(sum.get("hook_embed"), mean.get("hook_embed").mul(2) as Tensor)).toBeLessThan(1e-14);
  });
});

describe("the result", () => {
  it("has the shapes and axes of the activations", async () => {
    const wrt = ["embeddings", "resid_post", "pattern", "z", "post"];
    const run = await model.run(rows, { capture: ["hook_embed", ...wrt.slice(1)], gradients: { of, wrt } });
    expect(run.gradients.keys()).toEqual(run.cache.keys());
    for (const [name, value] of run.cache.entries()) {
      const own = run.gradients.get(name);
      expect([own.axes, own.shape, own.dtype]).toEqual([value.axes, value.shape, value.dtype]);
    }
    expect(run.gradients.get(at.z(1)).axes).toEqual(["batch", "pos", "head", "dHead"]);
    expect(run.gradients.cache.stackActivation("resid_post").axes).toEqual(["layer", "batch", "pos", "dModel"]);
  });

  it("prints itself, and its receipt says what was asked", async () => {
    const gradients = { of, wrt: ["embeddings", "b_O"], stopAt: "pattern", edits: [edit.scale("attn_out", 2)] };
    const run = await model.run(rows, { gradients });
    expect(String(run.gradients)).toBe(
      [
        "Gradients of the sum over rows of logitDiff (logits)",
        "  at 1 hook points: hook_embed",
        "  of 2 weights: blocks.0.attn.b_O, blocks.1.attn.b_O",
        "  stopped at blocks.0.attn.hook_pattern, blocks.1.attn.hook_pattern",
        "  edit.scale of the gradient at blocks.0.hook_attn_out, blocks.1.hook_attn_out",
      ].join("\n"),
    );
    expect(run.receipt.metric).toBe("logitDiff");
    expect(run.receipt.gradients).toEqual({
      wrt: ["hook_embed"],
      weights: ["blocks.0.attn.b_O", "blocks.1.attn.b_O"],
      stopAt: ["blocks.0.attn.hook_pattern", "blocks.1.attn.hook_pattern"],
      edits: [{ name: "scale", hooks: ["blocks.0.hook_attn_out", "blocks.1.hook_attn_out"] }],
      reduce: "sum",
    });
    expect(String(run)).toContain("metric logitDiff; 3 gradients");
  });

  it("draws itself as a table of lengths", async () => {
    const found = await gradientsOf({ wrt: ["blocks.1.attn.hook_z", "b_O"] });
    const text = found.toView().toText();
    const own = Array.from(found.get("z", 1).data as Float64Array);
    const length = Math.sqrt(own.reduce((sum, x) => sum + x * x, 0));
    expect(text).toContain("Gradients of logitDiff, logits");
    expect(text).toMatch(new RegExp(`blocks\\.1\\.attn\\.hook_z .*${Number(length.toPrecision(3))}`));
    expect(text).toContain("blocks.0.attn.b_O");
  });

  it("is saved and read back as a cache", async () => {
    const { cache } = await gradientsOf({ wrt: "z" });
    const folder = mkdtempSync(join(tmpdir(), "limpid-gradients-"));
    await cache.save(join(folder, "z.safetensors"));
    const read = await ActivationCache.load(join(folder, "z.safetensors"));
    for (const hook of cache.keys()) expect(read.get(hook).equals(cache.get(hook))).toBe(true);
    rmSync(folder, { recursive: true });
  });
});

describe("weights", () => {
  it("give way to hook points where a pattern means both", async () => {
    const found = await gradientsOf({ wrt: "blocks.*.ln2.*" });
    expect(found.weightNames()).toEqual([]);
    expect(found.keys()).toHaveLength(4);
  });

  it("are found by short names, stored names and globs, in the weight's own shape", async () => {
    const stored = ["transformer.h.0.attn.c_attn.weight", "h.0.attn.c_attn.weight"].find((name) =>
      model.view.core.tensors.has(name),
    );
    if (stored === undefined) throw new Error("the fixture has other names");
    const found = await gradientsOf({ wrt: ["W_Q", "blocks.*.mlp.W_in", stored, "**.ln_1.weight", "ln_final.w"] });
    const wq = await model.weights.layer("W_Q", 1);
    expect(found.weight("W_Q", 1).shape).toEqual(wq.shape);
    expect(found.weight("W_Q", 1).axes).toEqual(wq.axes);
    expect(found.weight("blocks.1.attn.W_Q").equals(found.weight("W_Q", 1))).toBe(true);
    expect(found.weight(stored).shape).toEqual([15, 45]);
    const block = found
      .weight(stored)
      .reshape([15, 45], ["in", "out"])
      .at({ out: { from: 0, to: 5 } });
    const head = found.weight("W_Q", 0).at({ head: 0 });
    expect(Array.from(block.data as Float64Array)).toEqual(Array.from(head.data as Float64Array));
    expect(found.weightNames()).toHaveLength(2 + 2 + 1 + 2 + 1);
  });

  it("are the products of what they read with the gradient of what they wrote", async () => {
    const { W_O } = await model.weights.block(0);
    const { cache } = await model.run(rows, { capture: "blocks.0.attn.hook_z" });
    const found = await gradientsOf({ wrt: ["blocks.0.attn.W_O", "blocks.0.hook_attn_out"] });
    const [z, g] = [cache.get("z", 0).toArray() as number[][][][], found.get("attn_out", 0).toArray() as number[][][]];
    const own = found.weight("blocks.0.attn.W_O").toArray() as number[][][];
    expect(found.weight("blocks.0.attn.W_O").shape).toEqual(W_O?.shape);
    own.forEach((head, h) => {
      head.forEach((line, e) => {
        line.forEach((value, d) => {
          let sum = 0;
          z.forEach((row, b) => {
            row.forEach((heads, p) => {
              sum += (heads[h]?.[e] ?? 0) * (g[b]?.[p]?.[d] ?? 0);
            });
          });
          expect(value).toBeCloseTo(sum, 12);
        });
      });
    });
  });
});

describe("work and memory", () => {
  it("one graph serves other answers of the same shape", () => {
    const gradients = (own: typeof answers) => ({ gradients: { of: metric.logitDiff(own), wrt: "z" } });
    const other = { answerTokens: [[1], [2]], wrongAnswerTokens: [[3], [4]] };
    const [a, b] = [answers, other].map((own) => prepareRun(model.view, rows, gradients(own)).built);
    expect(a).toBe(b);
    const c = prepareRun(model.view, rows, { gradients: { of: metric.answerLogit(other), wrt: "z" } }).built;
    expect(c).not.toBe(a);
  });

  it("explain says what comes back, what edits of gradients reach, and counts the backward work", () => {
    const gradients = {
      of,
      wrt: ["blocks.1.hook_resid_pre", "blocks.1.attn.b_O"],
      edits: [edit.scale(at.mlpOut(1), 2)],
    };
    const plan = model.explain(rows, { gradients });
    expect(plan.gradients).toEqual([
      {
        name: "blocks.1.hook_resid_pre",
        axes: ["batch", "pos", "dModel"],
        shape: [2, 5, 15],
        bytes: 1200,
      },
      { name: "transformer.h.1.attn.c_proj.bias", axes: [], shape: [15], bytes: 120 },
    ]);
    expect(plan.resultBytes).toBe(1200 + 120 + 16 + 3 * 8);
    expect(plan.edits).toEqual([
      {
        name: "scale of the gradient",
        hook: "blocks.1.hook_mlp_out",
        reaches: ["gradient of blocks.1.hook_resid_pre", "gradient of transformer.h.1.attn.c_proj.bias"],
      },
    ]);
    const forward = model.explain(rows, { metric: of });
    expect(plan.flops / forward.flops).toBeGreaterThan(1.5);
    expect(String(plan)).toContain("gradient of blocks.1.hook_resid_pre [2, 5, 15]");
  });

  it("long work is cut into segments on the way back too, with the same result", async () => {
    const run = prepareRun(model.view, rows, { gradients: { of, wrt: ["hook_embed", "z"] }, checks: false });
    const sizes = runSizes(run.layout);
    const whole = planSteps(run.built, sizes);
    const cut = planSteps(run.built, sizes, 20_000);
    const count = (steps: typeof whole): number =>
      steps.reduce((sum, step) => sum + (step.kind === "graphs" ? step.segments.length : 1), 0);
    expect(count(whole)).toBe(1);
    expect(count(cut)).toBe(3);
    const { layout, metricRows = [] } = run;
    const feeds = neededFeeds(run.built, {
      ...batchFeeds(run.batch, run.request),
      ...metricFeeds({ metric: of, rows: metricRows, layout, precision: "float64", vocabulary: 29 }),
    });
    const { engine } = model.view.core;
    const [a, b] = await Promise.all(
      [whole, cut].map((steps) => executeSteps(engine, steps, { feeds, calls: [] }, {})),
    );
    for (const { name } of run.built.graph.outputs) expect(a?.[name]?.data).toEqual(b?.[name]?.data);
  });

  it("a prepacked model has the same gradients", async () => {
    const folder = fixture("architectures", "gpt2");
    const [plain, packed] = [await loadModel(folder), await loadModel(folder, { prepack: true })];
    const [a, b] = await Promise.all(
      [plain, packed].map((own) => own.run(rows, { gradients: { of, wrt: ["hook_embed", "W_O"] } })),
    );
    expect(a?.gradients.get("hook_embed").allclose(b?.gradients.get("hook_embed") as Tensor)).toBe(true);
    expect(a?.gradients.weight("W_O", 1).allclose(b?.gradients.weight("W_O", 1) as Tensor)).toBe(true);
    await Promise.all([plain.close(), packed.close()]);
  });
});

describe("products with the Hessian", () => {
  it("agree in float32, through the fused kernels", async () => {
    const { cache } = await model.run(rows, { capture: "hook_embed" });
    const gradients = { of, wrt: "hook_embed", along: wave(cache.get("hook_embed")) };
    const [exact, single] = await Promise.all(
      [model, model.withPrecision("float32")].map((own) => own.run(rows, { gradients })),
    );
    const [a, b] = [exact, single].map((run) => run?.gradients.hessianVector("hook_embed") as Tensor);
    const size = Math.max(...Array.from((a as Tensor).data as Float64Array, Math.abs));
    expect(size).toBeGreaterThan(0.1);
    expect(distance(a as Tensor, b as Tensor)).toBeLessThan(1e-4 * Math.max(1, size));
  });

  it.each(["gpt2", "gemma2"])(
    "of %s agree with differences of gradients, at one point and at several",
    async (name) => {
      const own = (await loadModel(fixture("architectures", name))).withPrecision("float64");
      for (const wrt of [["blocks.0.hook_resid_pre"], ["blocks.0.hook_mlp_in", "blocks.1.attn.hook_q"]]) {
        const { cache } = await own.run(rows, { capture: wrt });
        const directions = new Map(cache.entries().map(([hook, value], i) => [hook, wave(value, i)]));
        const along = { get: (hook: string) => directions.get(hook) ?? wave(cache.get(hook)) };
        const { gradients } = await own.run(rows, { gradients: { of, wrt, along } });
        const eps = 1e-5;
        const moved = async (sign: number) => {
          const edits = wrt.map((hook) => edit.add(hook, along.get(hook).mul(sign * eps) as Tensor));
          return (await own.with(...edits).run(rows, { gradients: { of, wrt } })).gradients;
        };
        const [up, down] = [await moved(1), await moved(-1)];
        for (const hook of wrt) {
          const numeric = up
            .get(hook)
            .sub(down.get(hook))
            .div(2 * eps) as Tensor;
          const product = gradients.hessianVector(hook);
          expect([product.shape, product.axes]).toEqual([numeric.shape, numeric.axes]);
          expect(distance(product, numeric), hook).toBeLessThan(1e-7);
          expect((numeric.abs().max() as Tensor).item(), hook).toBeGreaterThan(1e-4);
        }
      }
      await own.close();
    },
  );
});
