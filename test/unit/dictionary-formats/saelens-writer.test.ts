import { readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { describe, expect, it } from "vitest";
import { foldDecoderBias, foldDecoderNorm, openDictionary, saveAsSaeLens } from "../../../src/dictionary/index.js";
import { loadSafetensors, openSafetensors } from "../../../src/io/index.js";
import { randomDictionary } from "../dictionary/random-dictionary.js";
import { refusal } from "../io/support.js";
import { format, freshPath } from "./support.js";

const read = (folder: string): Record<string, unknown> =>
  JSON.parse(readFileSync(join(folder, "cfg.json"), "utf8")) as Record<string, unknown>;
const tensors = async (folder: string): Promise<Record<string, readonly number[]>> => {
  const { tensors: found } = await openSafetensors(join(folder, "sae_weights.safetensors"));
  return Object.fromEntries([...found].map(([name, { shape, dtype }]) => [`${name} ${dtype}`, shape]));
};

describe("what SAELens 6 loads", () => {
  it("is an SAE's cfg.json field by field, and its tensors", async () => {
    const folder = freshPath();
    await saveAsSaeLens(await openDictionary(format("saelens", "standard")), folder);
    expect(readdirSync(folder).sort()).toEqual(["cfg.json", "sae_weights.safetensors"]);
    expect(read(folder)).toEqual({
      d_in: 5,
      d_sae: 11,
      dtype: "float32",
      device: "cpu",
      architecture: "standard",
      apply_b_dec_to_input: true,
      normalize_activations: "none",
      reshape_activations: "none",
      metadata: {
        sae_lens_version: "6.18.0",
        sae_lens_training_version: null,
        model_name: "gpt2-small",
        hook_name: "blocks.3.hook_resid_post",
        hook_head_index: null,
        context_size: 64,
        prepend_bos: false,
        seqpos_slice: [null],
        model_from_pretrained_kwargs: {},
        model_class_name: "HookedTransformer",
        neuronpedia_id: null,
        dataset_path: null,
        exclude_special_tokens: null,
        hf_hook_name: null,
      },
    });
    expect(await tensors(folder)).toEqual({
      "W_enc float32": [5, 11],
      "b_enc float32": [11],
      "W_dec float32": [11, 5],
      "b_dec float32": [5],
    });
  });

  it.each([
    ["topk-rescaled", { architecture: "topk", k: 3, rescale_acts_by_decoder_norm: true }],
    ["jumprelu", { architecture: "jumprelu" }],
    ["batchtopk", { architecture: "jumprelu" }],
    ["gated", { architecture: "gated" }],
    ["hook-z", { architecture: "standard", reshape_activations: "hook_z" }],
    ["standard-layer-norm", { normalize_activations: "layer_norm" }],
    ["skip-transcoder", { architecture: "skip_transcoder", d_out: 7, apply_b_dec_to_input: false }],
    ["transcoder", { architecture: "transcoder", d_out: 7 }],
    ["jumprelu-skip-transcoder", { architecture: "jumprelu_skip_transcoder", d_out: 7 }],
  ])("says of %s what it is", async (name, fields) => {
    const folder = freshPath();
    await saveAsSaeLens(await openDictionary(format("saelens", name)), folder);
    expect(read(folder)).toMatchObject(fields);
  });

  it("has the names of both hook points of a transcoder", async () => {
    const folder = freshPath();
    await saveAsSaeLens(await openDictionary(format("saelens", "skip-transcoder")), folder);
    expect(read(folder)["metadata"]).toMatchObject({
      hook_name: "blocks.2.ln2.hook_normalized",
      hook_name_out: "blocks.2.hook_mlp_out",
      hook_head_index_out: null,
    });
    expect(await tensors(folder)).toMatchObject({ "W_skip float32": [7, 5], "W_dec float32": [11, 7] });
  });

  it("has densities as logarithms to base 10, never of zero", async () => {
    const folder = freshPath();
    const zeros = new Float32Array(7);
    const density = Float32Array.of(0, 1, 0.1, 0.01, 0.5, 0.25, 1e-3);
    await saveAsSaeLens(
      randomDictionary().withStatistics({ density, meanActivation: zeros, maxActivation: zeros, tokens: 10 }),
      folder,
    );
    const { sparsity } = await loadSafetensors(join(folder, "sparsity.safetensors"));
    expect(sparsity?.shape).toEqual([7]);
    [-10, 0, -1, -2, -0.30103, -0.60206, -3].forEach((wanted, i) =>
      expect(Number(sparsity?.data[i])).toBeCloseTo(wanted, 4),
    );
  });

  it("does not take what it has no class for, and leaves nothing behind", async () => {
    const folder = freshPath();
    const topK = await openDictionary(format("circuit-tracer", "topk"), { path: "layer_0.safetensors" });
    expect((await refusal(saveAsSaeLens(topK, folder), "UNSUPPORTED")).got).toBe("a transcoder with topk");
    const normalized = randomDictionary({ writeHook: "blocks.0.hook_mlp_out", normalization: "layer_norm" });
    expect((await refusal(saveAsSaeLens(normalized, folder), "UNSUPPORTED")).message).toBe(
      "saveAsSaeLens: dictionary random: got a transcoder with input normalisation; expected what SAELens has: SAEs of any " +
        "activation, transcoders with ReLU or JumpReLU and no normalisation. Save it in limpid's own format with saveDictionary.",
    );
    expect(readdirSync(dirname(folder))).toEqual([]);
  });
});

describe("folding", () => {
  it("of decoder norms scales statistics with the activations, and leaves rows of zeros", async () => {
    const density = new Float32Array(7).fill(0.5);
    const ones = new Float32Array(7).fill(1);
    const given = randomDictionary().withStatistics({ density, meanActivation: ones, maxActivation: ones, tokens: 10 });
    const folded = await foldDecoderNorm(given);
    const norm = Math.hypot(...given.feature(2).direction);
    expect(folded.feature(2).meanActivation).toBeCloseTo(norm, 5);
    expect(folded.feature(2).density).toBe(0.5);
    expect(Math.hypot(...folded.feature(2).direction)).toBeCloseTo(1, 6);
  });

  it("of decoder norms is refused where it would change which features are kept", async () => {
    const topK = randomDictionary({ activation: { kind: "topk", k: 2, scalesByDecoderNorm: false } });
    expect((await refusal(foldDecoderNorm(topK), "UNSUPPORTED")).message).toBe(
      "foldDecoderNorm: dictionary random: got TopK that ranks features by their activations alone; expected any other " +
        "activation, or TopK with scalesByDecoderNorm. Leave it as it is; multiply activations by the decoder's norms where " +
        "you compare them.",
    );
  });

  it("of a bias that is not subtracted gives the same dictionary", async () => {
    const given = randomDictionary({ subtractsDecoderBias: false });
    expect(await foldDecoderBias(given)).toBe(given);
  });
});
