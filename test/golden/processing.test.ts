/** TransformerLens's weight processing as views: probabilities stay, weights and activations become what TransformerLens makes them. */
import { describe, expect, it } from "vitest";
import { loadModel, type Model } from "../../src/model/index.js";
import type { Tensor } from "../../src/tensor/index.js";
import { deviation, expectClose } from "../helpers/close.js";
import { architectureNames, fixture } from "../helpers/fixtures.js";

const all = { foldLn: true, centerWritingWeights: true, centerUnembed: true, foldValueBiases: true };
const tokens = [[3, 1, 4, 1, 5, 9]];

async function logProbs(model: Model): Promise<Tensor> {
  return (await model.withPrecision("float64").run(tokens)).logits.logSoftmax("dVocabOut");
}

describe.each(architectureNames)("%s", (name) => {
  it("keeps log-probabilities under every processing that it allows, and refuses the rest with a reason", async () => {
    const model = await loadModel(fixture("architectures", name));
    const { normalization, outputLogitsSoftCap, finalNormalization } = model.config;
    const base = await logProbs(model);
    const isLayerNorm = [normalization, finalNormalization].every((kind) => kind === "LN" || kind === "LNPre");
    const allowed = {
      foldLn: normalization !== null,
      centerWritingWeights: isLayerNorm,
      centerUnembed: outputLogitsSoftCap === undefined,
      foldValueBiases: true,
    };
    for (const key of Object.keys(all) as (keyof typeof all)[]) {
      if (allowed[key]) expectClose(await logProbs(model.processed({ [key]: true })), base, 1e-9, key);
      else expect(() => model.processed({ [key]: true })).toThrow(/log-probabilities/);
    }
    expectClose(await logProbs(model.processed(allowed)), base, 1e-9, "all together");
    await model.close();
  });

  it("agrees with its own weights: z W_O summed over heads plus b_O is attn_out in every view", async () => {
    const model = await loadModel(fixture("architectures", name));
    const views = [model, model.processed({ foldValueBiases: true })];
    if (model.config.normalization !== null) views.push(model.processed({ foldLn: true, foldValueBiases: true }));
    for (const view of views) {
      if (view.config.postNorms) continue;
      const run = await view.withPrecision("float64").run(tokens, { capture: ["z", "attn_out", "resid_pre"] });
      for (let layer = 0; layer < view.config.nLayers; layer++) {
        const z = run.cache.get("z", layer) as Tensor;
        const block = await view.weights.block(layer);
        const written = z.flatten(["head", "dHead"], "out");
        const wO = (block["W_O"] as Tensor).flatten(["head", "dHead"], "out");
        const sum = (written.matmul(wO.cast("float64") as Tensor, "out") as Tensor).add(
          block["b_O"] as Tensor,
        ) as Tensor;
        expectClose(sum, run.cache.get("attn_out", layer), 1e-6, `layer ${layer}`);
      }
    }
    await model.close();
  });
});

describe("folded weights", () => {
  it("project hook_normalized to the same queries and values as the unfolded model", async () => {
    for (const name of ["gpt2", "pythia", "gemma2", "llama-gqa-bias", "tl-vocab-out"]) {
      const model = await loadModel(fixture("architectures", name));
      const folded = model.processed({ foldLn: true, foldValueBiases: true });
      const run = await folded
        .withPrecision("float64")
        .run(tokens, { capture: ["q", "v", "blocks.*.ln1.hook_normalized", "blocks.*.ln2.hook_normalized", "pre"] });
      const x = run.cache.get("blocks.1.ln1.hook_normalized");
      const block = await folded.weights.block(1);
      const q = (x.matmul((block["W_Q"] as Tensor).cast("float64") as Tensor, "dModel") as Tensor)
        .add(block["b_Q"] as Tensor)
        .transpose(["batch", "pos", "head", "dHead"]) as Tensor;
      expect(deviation(q, run.cache.get("q", 1) as Tensor), `${name} q`).toBeLessThan(1e-6);
      const v = x
        .matmul((block["W_V"] as Tensor).cast("float64") as Tensor, "dModel")
        .transpose(["batch", "pos", "head", "dHead"]) as Tensor;
      const groups = model.config.nKeyValueHeads;
      const perGroup = v.at({
        head: Array.from({ length: groups }, (_, g) => (g * model.config.nHeads) / groups),
      }) as Tensor;
      expect(deviation(perGroup, run.cache.get("v", 1) as Tensor), `${name} v`).toBeLessThan(1e-6);
      await model.close();
    }
  });
});
