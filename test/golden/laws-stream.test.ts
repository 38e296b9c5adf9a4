/** The laws of the residual stream, of layer programs and of long runs, over every architecture. */
import { describe, expect, it } from "vitest";
import type { Model } from "../../src/model/index.js";
import { capturePrefix } from "../../src/model/plan/build.js";
import { planSteps } from "../../src/model/plan/plan.js";
import { executeSteps } from "../../src/model/run/execute.js";
import { batchFeeds, neededFeeds } from "../../src/model/run/feeds.js";
import { prepareRun, runSizes } from "../../src/model/run/prepare.js";
import { Tensor } from "../../src/tensor/index.js";
import { expectClose } from "../helpers/close.js";
import { architectureNames } from "../helpers/fixtures.js";
import { expectSame, fixtureModels, floats, numbers } from "../property/model-support.js";

const model = fixtureModels();
const rows = [
  [3, 1, 4, 1, 5, 9],
  [2, 6, 5, 3, 5, 8],
];

/** Mean and variance by their definitions, then gain and bias: the final norm and the unembedding in float64. */
async function lens(of: Model, stream: Tensor): Promise<Tensor> {
  const { dModel, dVocabOut, eps, finalNormalization, outputLogitsSoftCap } = of.config;
  const isCentred = finalNormalization === "LN" || finalNormalization === "LNPre";
  const gain = await of.weights.normGain("ln_final").catch(() => undefined);
  const bias = await of.weights.normBias("ln_final").catch(() => undefined);
  const [wU, bU] = [numbers(await of.weights.W_U()), numbers(await of.weights.b_U())];
  const x = numbers(stream);
  const logits: number[] = [];
  for (let at = 0; at < x.length; at += dModel) {
    let vector = x.slice(at, at + dModel);
    if (finalNormalization !== null) {
      const mean = isCentred ? vector.reduce((a, b) => a + b, 0) / dModel : 0;
      const scale = Math.sqrt(vector.reduce((sum, v) => sum + (v - mean) ** 2, 0) / dModel + eps);
      const [w, b] = [gain && numbers(gain), bias && numbers(bias)];
      vector = vector.map((v, i) => ((v - mean) / scale) * (w?.[i] ?? 1) + (b?.[i] ?? 0));
    }
    for (let token = 0; token < dVocabOut; token++) {
      const sum = vector.reduce((total, v, i) => total + v * (wU[i * dVocabOut + token] ?? 0), bU[token] ?? 0);
      logits.push(outputLogitsSoftCap === undefined ? sum : outputLogitsSoftCap * Math.tanh(sum / outputLogitsSoftCap));
    }
  }
  return floats(logits, [...stream.shape.slice(0, 2), dVocabOut], ["batch", "pos", "dVocabOut"]);
}

describe.each(architectureNames)("%s", (name) => {
  it("has a stream that is the sum of what was written, and logits that are the last stream read out", async () => {
    const subject = await model(name);
    const { nLayers } = subject.config;
    const { cache, logits } = await subject.run(rows, {
      capture: /hook_(pos_)?embed$|hook_(attn|mlp)_out$|resid_post$/,
    });
    let sum = cache.get("embed").mul(1) as Tensor;
    if (cache.has("hook_pos_embed")) sum = sum.add(cache.get("pos_embed"));
    for (let layer = 0; layer < nLayers; layer++) {
      sum = sum.add(cache.get("attn_out", layer));
      if (cache.has(`blocks.${layer}.hook_mlp_out`)) sum = sum.add(cache.get("mlp_out", layer));
      expectClose(sum, cache.get("resid_post", layer), 1e-6, `layer ${layer}`);
    }
    expectClose(logits, await lens(subject, cache.get("resid_post", nLayers - 1)), 2e-5, "lens");
  });

  it("composes: stopping at a layer and starting there again is the whole run, bit for bit", async () => {
    const subject = await model(name);
    const attentionMask = [
      [1, 1, 1, 1, 1, 1],
      [0, 0, 1, 1, 1, 1],
    ];
    for (const mask of [undefined, attentionMask]) {
      const more = mask === undefined ? {} : { attentionMask: mask };
      const whole = await subject.run({ tokens: rows, ...more }, { capture: "pattern" });
      for (let layer = 0; layer < subject.config.nLayers; layer++) {
        const { residual } = await subject.run({ tokens: rows, ...more }, { stopAtLayer: layer });
        const rest = await subject.run({ residual: residual, ...more }, { startAtLayer: layer, capture: "pattern" });
        expectSame(rest.logits, whole.logits, `from layer ${layer}`);
        for (const [hook, value] of rest.cache.entries()) expectSame(value, whole.cache.get(hook), hook);
        expect(rest.receipt.layers).toEqual(whole.receipt.layers.slice(layer));
      }
      const end = await subject.run({ tokens: rows, ...more }, { stopAtLayer: subject.config.nLayers });
      const last = await subject.run({ tokens: rows, ...more }, { capture: "resid_post", logits: "none" });
      expectSame(end.residual, last.cache.get("resid_post", subject.config.nLayers - 1), "the last stream");
    }
  });

  it("runs layer lists: the usual one changes nothing, a repeated layer is the layer run again under its own names", async () => {
    const subject = await model(name);
    const usual = await subject.run(rows);
    expectSame((await subject.run(rows, { layers: [0, 1] })).logits, usual.logits, "layers 0, 1");
    const looped = await subject.run(rows, { layers: [0, 1, 1], capture: ["resid_post", "blocks.1~2.attn.hook_z"] });
    const { residual } = await subject.run(rows, { stopAtLayer: 2 });
    const second = await subject.run({ residual: residual }, { startAtLayer: 1, capture: ["resid_post", "z"] });
    expectSame(looped.logits, second.logits, "layers 0, 1, 1");
    expectSame(
      looped.cache.get("blocks.1~2.hook_resid_post") as Tensor,
      second.cache.get("resid_post", 1),
      "second time",
    );
    expectSame(looped.cache.get("blocks.1~2.attn.hook_z") as Tensor, second.cache.get("z", 1), "z of the second time");
    const other = await subject.run(rows, { layers: [1], capture: "resid_pre" });
    const skipped = await subject.run({ residual: other.cache.get("resid_pre", 1) }, { startAtLayer: 1 });
    expectSame(other.logits, skipped.logits, "layer 1 alone");
  });

  it("takes embeddings for tokens", async () => {
    const subject = await model(name);
    const { cache, logits } = await subject.run(rows, { capture: "embed" });
    const again = await subject.run({ embeddings: cache.get("embed") }, { capture: "resid_post" });
    expectSame(again.logits, logits, "embeddings as input");
    expect(again.tokens.shape).toEqual([2, 0]);
  });

  it("gives the same bits when a long run is cut into segments", async () => {
    const subject = await model(name);
    const { dVocab, dVocabOut } = subject.config;
    const options = { capture: ["resid_post", "z", "hook_embed"], loss: dVocab === dVocabOut };
    const whole = await subject.run(rows, options);
    const run = prepareRun(subject.view, rows, options);
    const steps = planSteps(run.built, runSizes(run.layout), 1);
    expect(steps.flatMap((step) => (step.kind === "graphs" ? step.segments : [])).length).toBe(subject.config.nLayers);
    const feeds = neededFeeds(run.built, batchFeeds(run.batch, run.request));
    const values = await executeSteps(subject.view.core.engine, steps, { feeds, calls: [] }, {});
    const same = (output: string, expected: Tensor): void => {
      const raw = values[output];
      if (raw === undefined) throw new Error(`no output ${output}`);
      expectSame(Tensor.of(raw.data, raw.shape), expected, output);
    };
    same("logits", whole.logits);
    for (const [hook, value] of whole.cache.entries()) same(`${capturePrefix}${hook}`, value);
  });
});
