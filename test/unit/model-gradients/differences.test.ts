/** Gradients against central differences through edits: what `edit.add` does to a metric. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { metric } from "../../../src/analysis/index.js";
import { at, type Edit, edit, loadModel, type Metric, type Model, type ModelInput } from "../../../src/model/index.js";
import type { Tensor } from "../../../src/tensor/index.js";
import { fixture } from "../../helpers/fixtures.js";
import { wave } from "./support.js";

const rows = [
  [3, 1, 4, 1, 5],
  [2, 7, 1, 8, 2],
];
const padded = {
  tokens: [
    [0, 0, 3, 1, 4],
    [2, 7, 1, 8, 2],
  ],
  attentionMask: [
    [0, 0, 1, 1, 1],
    [1, 1, 1, 1, 1],
  ],
};
const of = metric.probabilityDiff({ answerTokens: [[5, 9], [7]], wrongAnswerTokens: [[6], [8]] });
const sum = (values: Iterable<number>): number => Array.from(values).reduce((a, b) => a + b, 0);

/** How a model, a metric and an input are asked in one case. */
interface Question {
  readonly model: Model;
  readonly input: ModelInput;
  readonly of: Metric;
  readonly layers?: readonly number[];
}

/** The derivative of the metric's sum along `v` at a hook point, by central differences. */
async function difference(question: Question, hook: string, v: Tensor): Promise<number> {
  const eps = 1e-5;
  const { layers } = question;
  const options = { metric: question.of, ...(layers === undefined ? {} : { layers }) };
  const at = async (sign: number): Promise<number> => {
    const moved = question.model.with(edit.add(hook, v.mul(sign * eps) as Tensor));
    return sum((await moved.run(question.input, options)).metric.data);
  };
  return ((await at(1)) - (await at(-1))) / (2 * eps);
}

/** The same from the gradient. */
async function derivative(question: Question, hook: string, v?: Tensor): Promise<{ slope: number; v: Tensor }> {
  const { layers } = question;
  const run = await question.model.run(question.input, {
    gradients: { of: question.of, wrt: [hook] },
    ...(layers === undefined ? {} : { layers }),
  });
  const gradient: Tensor = run.gradients.get(hook);
  const along = v ?? wave(gradient);
  return { slope: ((gradient.mul(along) as Tensor).sum() as Tensor).item(), v: along };
}

async function expectAgreement(question: Question, hook: string): Promise<void> {
  const { slope, v } = await derivative(question, hook);
  const numeric = await difference(question, hook, v);
  expect(Math.abs(slope - numeric), hook).toBeLessThan(1e-8 * Math.max(1, Math.abs(numeric)));
  expect(Math.abs(numeric), hook).toBeGreaterThan(1e-7);
}

const points = [
  "hook_embed",
  "blocks.0.hook_attn_in",
  "blocks.0.hook_q_input",
  "blocks.0.hook_v_input",
  "blocks.0.ln1.hook_scale",
  "blocks.0.ln2.hook_normalized",
  "blocks.0.attn.hook_k",
  "blocks.0.attn.hook_pattern",
  "blocks.0.attn.hook_result",
  "blocks.0.hook_mlp_in",
  "blocks.1.hook_resid_pre",
  "blocks.1.mlp.hook_post",
  "ln_final.hook_scale",
];

describe.each(["gpt2", "pythia", "gemma2"])("%s in float64", (name) => {
  let model: Model;
  beforeAll(async () => {
    model = (await loadModel(fixture("architectures", name))).withPrecision("float64");
  });
  afterAll(() => model.close());

  it("has gradients that central differences through edits confirm, with and without padding", async () => {
    const known = new Set(model.hookNames());
    for (const hook of points.filter((one) => known.has(one))) {
      await expectAgreement({ model, input: rows, of }, hook);
      await expectAgreement({ model, input: padded, of }, hook);
    }
  });
});

describe("gradients of edited models", () => {
  let model: Model;
  beforeAll(async () => {
    model = (await loadModel(fixture("architectures", "gpt2"))).withPrecision("float64");
  });
  afterAll(() => model.close());

  const cases: readonly (readonly [string, Edit])[] = [
    ["zero", edit.zero(at.z(0), { head: 1 })],
    ["scale", edit.scale("blocks.0.hook_mlp_out", 0.5)],
    ["map", edit.map("blocks.1.hook_resid_pre", (x) => x.tanh().mul(x).add(x))],
    ["map at selected positions", edit.map("blocks.1.hook_resid_pre", (x) => x.mul(x), { pos: [1, -1] })],
    ["replace", edit.replace("blocks.0.attn.hook_q", 0.25, { pos: 0 })],
  ];
  it.each(cases)("agree with differences under edit.%s", async (_name, one) => {
    const question = { model: model.with(one), input: rows, of };
    for (const hook of ["hook_embed", "blocks.0.hook_attn_out", "blocks.1.hook_resid_mid"])
      await expectAgreement(question, hook);
  });

  it("agree with differences at the edited point itself, after the edit", async () => {
    const edited = model.with(edit.map("blocks.1.hook_resid_pre", (x) => x.mul(x)));
    await expectAgreement({ model: edited, input: rows, of }, "blocks.1.hook_resid_pre");
  });

  it("agree with differences under weight processing, folded biases and all", async () => {
    const all = { foldLn: true, centerWritingWeights: true, centerUnembed: true, foldValueBiases: true };
    const question = { model: model.processed(all), input: rows, of };
    for (const hook of ["hook_embed", "blocks.0.attn.hook_z", "blocks.0.hook_v_input", "blocks.1.attn.hook_result"])
      await expectAgreement(question, hook);
  });

  it("agree with differences where layers are repeated or left out", async () => {
    const question = { model, input: rows, of };
    await expectAgreement({ ...question, layers: [0, 0, 1] }, "blocks.0~2.hook_resid_pre");
    await expectAgreement({ ...question, layers: [1] }, "blocks.1.attn.hook_z");
  });

  it("start inside the model when the run does", async () => {
    const whole = await model.run(rows, { capture: "blocks.1.hook_resid_pre", gradients: { of, wrt: at.z(1) } });
    const residual = whole.cache.get("resid_pre", 1);
    const wrt = ["blocks.1.attn.hook_z", "blocks.1.hook_resid_pre"];
    const part = await model.run({ residual }, { startAtLayer: 1, gradients: { of, wrt } });
    expect(part.gradients.get("z", 1).maxAbsDiff(whole.gradients.get("z", 1))).toBeLessThan(1e-12);
    const all = await model.run(rows, { gradients: { of, wrt: "blocks.1.hook_resid_pre" } });
    expect(part.gradients.get("resid_pre", 1).maxAbsDiff(all.gradients.get("resid_pre", 1))).toBeLessThan(1e-12);
  });

  it("agree with differences of every kind of metric", async () => {
    const { logits } = await model.run([rows[1] ?? [], rows[0] ?? []]);
    const metrics: readonly Metric[] = [
      metric.loss(),
      metric.klToReference(logits),
      metric.klToReference(logits.at({ pos: [2] })),
      metric.custom("energy", (x) => x.at("dVocabOut", { from: 0, to: 7 }).norm("dVocabOut").mul(0.1)),
      metric.custom(
        "entropy",
        (x) => x.logSoftmax("dVocabOut").exp().mul(x.logSoftmax("dVocabOut")).sum("dVocabOut").neg().mean("pos"),
        {
          logits: "all",
        },
      ),
    ];
    for (const one of metrics)
      for (const input of [rows, padded]) await expectAgreement({ model, input, of: one }, "blocks.0.hook_resid_mid");
  });
});
