/**
 * The back-walk against the model: for every target the parts sum to what the model computed, over architectures and
 * shapes of dictionaries, and each edge is what an intervention in the frozen model does.
 */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { freezePrompt } from "../../src/circuits/attribution/frozen.js";
import { linearModel } from "../../src/circuits/attribution/linear-model.js";
import { RowWalker, type WalkRow } from "../../src/circuits/attribution/rows.js";
import { featureTarget, logitTarget } from "../../src/circuits/attribution/targets.js";
import { DictionarySet } from "../../src/dictionary/index.js";
import { loadModel, type Model } from "../../src/model/index.js";
import { Engine } from "../../src/runtime/index.js";
import { fixture } from "../helpers/fixtures.js";
import { randomDictionary } from "../unit/dictionary/random-dictionary.js";

const architectures = [
  "gpt2",
  "pythia",
  "gpt-neox-sequential",
  "llama-gqa-bias",
  "gemma2",
  "qwen3",
  "tl-no-norm",
  "tl-lnpre",
];
const tokens = [3, 1, 4, 1, 5];
const places = ["ln2.hook_normalized", "mlp.hook_in", "hook_mlp_in"] as const;

describe.each(architectures)("%s", (name) => {
  let model: Model;
  const engine = Engine.create({ threads: 1 });
  beforeAll(async () => {
    model = await loadModel(fixture("architectures", name));
  });
  afterAll(async () => {
    await model.close();
    await engine.close();
  });

  test.each([
    ["float32", 1e-4],
    ["float64", 1e-9],
  ] as const)("the parts of every target sum to its value in %s", async (precision, tolerance) => {
    const linear = await linearModel(model);
    // Gemma stores its gains as w and uses 1 + w, which the weights view rounds to float32.
    const bound = name === "gemma2" ? Math.max(tolerance, 1e-6) : tolerance;
    const { dModel, nLayers } = model.config;
    for (const [index, place] of places.entries()) {
      if (place === "ln2.hook_normalized" && !model.hookNames().includes("blocks.0.ln2.hook_normalized")) continue;
      const set = new DictionarySet(
        "random",
        Array.from({ length: nLayers }, (_, layer) =>
          randomDictionary({
            dIn: dModel,
            nFeatures: 9,
            readHook: `blocks.${layer}.${place}`,
            writeHook: `blocks.${layer}.hook_mlp_out`,
            hasSkip: true,
            activation: index === 2 ? { kind: "topk", k: 3, scalesByDecoderNorm: false } : { kind: "relu" },
            seed: layer,
          }),
        ),
      );
      const frozen = await freezePrompt(model, tokens, set, { linear, precision, firstPosition: 1 });
      const walker = new RowWalker({ linear, frozen, precision, engine }, `${name}.${place}.${precision}`);
      const rows: WalkRow[] = [];
      for (let layer = 0; layer < nLayers; layer++) {
        const own = frozen.features.filter((one) => one.layer === layer);
        expect(own.length).toBeGreaterThan(0);
        rows.push(...(await walker.rows(own.map((one) => featureTarget(linear, frozen, one)))));
      }
      const W_U = await model.weights.W_U();
      const b_U = await model.weights.b_U();
      const exact = await model.withPrecision(precision).run([tokens], { prependBos: false, logits: "last" });
      const cap = model.config.outputLogitsSoftCap ?? 0;
      const targets = [0, 2].map((token) => {
        const direction = Array.from({ length: dModel }, (_, i) => W_U.at({ dModel: i, dVocabOut: token }).item());
        const logit = Number(exact.logits.data[token]);
        const value = cap === 0 ? logit : cap * Math.atanh(logit / cap);
        return logitTarget(linear, tokens.length - 1, { direction, constant: Number(b_U.data[token]), value });
      });
      rows.push(...(await walker.rows(targets)));
      await walker.close();
      const scale = rows.map((row) => Array.from(row.features).reduce((sum, x) => sum + Math.abs(x), 1));
      const worst = rows.map((row, i) => Math.abs(row.residual) / (scale[i] ?? 1));
      expect(Math.max(...worst)).toBeLessThan(bound);
    }
  });
});
