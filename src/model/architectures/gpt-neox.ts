/** GPT-NeoX and Pythia (Black et al. 2022): rotary, usually parallel, QKV fused as `[head, 3, dHead]`. */
import { completeConfig, type ModelConfig } from "../config.js";
import type { BlockWeights, Linear, WeightMap } from "../weights/weight-map.js";
import { activationFunction } from "./activation.js";
import { type Architecture, byModelType } from "./architecture.js";

const modelTypes = ["gpt_neox"];

function linear(name: string, inputs: number, outputs: number, hasBias = true): Linear {
  return {
    weight: `${name}.weight`,
    shape: [outputs, inputs],
    layout: "out-in",
    ...(hasBias ? { bias: `${name}.bias` } : {}),
  };
}

function blockWeights(prefix: string, { dModel, dMlp, nHeads }: ModelConfig, hasBias: boolean): BlockWeights {
  const fused = linear(`${prefix}.attention.query_key_value`, dModel, 3 * dModel, hasBias);
  const part = (index: number): Linear => ({ ...fused, part: { kind: "per-head", index, of: 3, heads: nHeads } });
  const normOf = (name: string): { weight: string; bias: string } => ({
    weight: `${prefix}.${name}.weight`,
    bias: `${prefix}.${name}.bias`,
  });
  return {
    ln1: normOf("input_layernorm"),
    ln2: normOf("post_attention_layernorm"),
    attn: { q: part(0), k: part(1), v: part(2), o: linear(`${prefix}.attention.dense`, dModel, dModel, hasBias) },
    mlp: {
      in: linear(`${prefix}.mlp.dense_h_to_4h`, dModel, dMlp),
      out: linear(`${prefix}.mlp.dense_4h_to_h`, dMlp, dModel),
    },
  };
}

/** GPT-NeoX and Pythia. */
export const gptNeox: Architecture = {
  name: "gpt_neox",
  modelTypes,
  matches: byModelType(modelTypes),
  readConfig: (reader) => {
    const dModel = reader.number("hidden_size");
    const nHeads = reader.number("num_attention_heads");
    const dHead = dModel / nHeads;
    const rope = reader.object("rope_parameters");
    const fraction = reader.optionalNumber("rotary_pct") ?? rope?.optionalNumber("partial_rotary_factor") ?? 0.25;
    const base = reader.optionalNumber("rotary_emb_base") ?? rope?.optionalNumber("rope_theta") ?? 10_000;
    return completeConfig({
      architecture: "gpt_neox",
      nLayers: reader.number("num_hidden_layers"),
      dModel,
      nHeads,
      dHead,
      dMlp: reader.number("intermediate_size"),
      dVocab: reader.number("vocab_size"),
      nCtx: reader.number("max_position_embeddings"),
      actFn: activationFunction(reader, "hidden_act", "gelu"),
      normalization: "LN",
      eps: reader.number("layer_norm_eps", 1e-5),
      positionalEmbedding: "rotary",
      rotary: { dim: Math.floor(dHead * fraction), base },
      parallelAttnMlp: reader.boolean("use_parallel_residual", true),
      tiedEmbeddings: reader.boolean("tie_word_embeddings", false),
      raw: reader.raw,
    });
  },
  weightMap: (config, has): WeightMap => {
    const hasBias = has("gpt_neox.layers.0.attention.dense.bias");
    const embed = "gpt_neox.embed_in.weight";
    return {
      embed,
      blocks: Array.from({ length: config.nLayers }, (_, i) => blockWeights(`gpt_neox.layers.${i}`, config, hasBias)),
      lnFinal: { weight: "gpt_neox.final_layer_norm.weight", bias: "gpt_neox.final_layer_norm.bias" },
      unembed: {
        weight: config.tiedEmbeddings ? embed : "embed_out.weight",
        shape: [config.dVocabOut, config.dModel],
        layout: "out-in",
      },
      ignored: [
        /\.attention\.(masked_)?bias$/,
        /rotary_emb\.inv_freq$/,
        ...(config.tiedEmbeddings ? [/^embed_out\./] : []),
      ],
    };
  },
};
