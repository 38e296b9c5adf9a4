/** GPT-2 (Radford et al. 2019): learned positions, layer norm, fused QKV stored `[in, out]`. */
import { completeConfig, type ModelConfig } from "../config.js";
import type { BlockWeights, Linear, WeightMap } from "../weights/weight-map.js";
import { activationFunction } from "./activation.js";
import { type Architecture, byModelType } from "./architecture.js";

const modelTypes = ["gpt2"];

function conv1d(name: string, inputs: number, outputs: number): Linear {
  return { weight: `${name}.weight`, bias: `${name}.bias`, shape: [inputs, outputs], layout: "in-out" };
}

function blockWeights(prefix: string, { dModel, dMlp }: ModelConfig): BlockWeights {
  const fused = conv1d(`${prefix}.attn.c_attn`, dModel, 3 * dModel);
  const part = (index: number): Linear => ({
    ...fused,
    part: { kind: "blocks", from: index * dModel, size: dModel, total: 3 * dModel },
  });
  return {
    ln1: { weight: `${prefix}.ln_1.weight`, bias: `${prefix}.ln_1.bias` },
    ln2: { weight: `${prefix}.ln_2.weight`, bias: `${prefix}.ln_2.bias` },
    attn: { q: part(0), k: part(1), v: part(2), o: conv1d(`${prefix}.attn.c_proj`, dModel, dModel) },
    mlp: { in: conv1d(`${prefix}.mlp.c_fc`, dModel, dMlp), out: conv1d(`${prefix}.mlp.c_proj`, dMlp, dModel) },
  };
}

/** GPT-2, with or without the `transformer.` prefix, head tied or not. */
export const gpt2: Architecture = {
  name: "gpt2",
  modelTypes,
  matches: byModelType(modelTypes),
  readConfig: (reader) => {
    const dModel = reader.number("n_embd");
    const nHeads = reader.number("n_head");
    const nLayers = reader.number("n_layer");
    const dHead = dModel / nHeads;
    const byLayer = reader.boolean("scale_attn_by_inverse_layer_idx", false);
    if (byLayer) reader.string("scale_attn_by_inverse_layer_idx (not supported)");
    return completeConfig({
      architecture: "gpt2",
      nLayers,
      dModel,
      nHeads,
      dHead,
      dMlp: reader.optionalNumber("n_inner") ?? 4 * dModel,
      dVocab: reader.number("vocab_size"),
      nCtx: reader.optionalNumber("n_positions") ?? reader.number("n_ctx"),
      actFn: activationFunction(reader, "activation_function", "gelu_new"),
      normalization: "LN",
      eps: reader.number("layer_norm_epsilon", 1e-5),
      positionalEmbedding: "standard",
      attnScale: reader.boolean("scale_attn_weights", true) ? Math.sqrt(dHead) : 1,
      tiedEmbeddings: reader.boolean("tie_word_embeddings", true),
      raw: reader.raw,
    });
  },
  weightMap: (config, has): WeightMap => {
    const prefix = has("transformer.wte.weight") ? "transformer." : "";
    const embed = `${prefix}wte.weight`;
    return {
      embed,
      posEmbed: `${prefix}wpe.weight`,
      blocks: Array.from({ length: config.nLayers }, (_, i) => blockWeights(`${prefix}h.${i}`, config)),
      lnFinal: { weight: `${prefix}ln_f.weight`, bias: `${prefix}ln_f.bias` },
      unembed: {
        weight: config.tiedEmbeddings ? embed : "lm_head.weight",
        shape: [config.dVocabOut, config.dModel],
        layout: "out-in",
      },
      ignored: [/\.attn\.(masked_)?bias$/, ...(config.tiedEmbeddings ? [/^lm_head\.weight$/] : [])],
    };
  },
};
