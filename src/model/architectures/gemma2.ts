/**
 * Gemma 2 (Gemma Team 2024): norms before and after each sublayer with gain `1 + w`, soft caps on scores and logits,
 * every other layer with a sliding window, embedding times √dModel.
 */
import { completeConfig } from "../config.js";
import { activationFunction } from "./activation.js";
import { type Architecture, byModelType } from "./architecture.js";
import { familyConfig, familyWeights } from "./llama-family.js";

const modelTypes = ["gemma2"];

/** Gemma 2. Layers 0, 2, 4, … slide. */
export const gemma2: Architecture = {
  name: "gemma2",
  modelTypes,
  matches: byModelType(modelTypes),
  readConfig: (reader) => {
    const fields = familyConfig(reader, "gemma2");
    const window = reader.optionalNumber("sliding_window");
    const scoresCap = reader.optionalNumber("attn_logit_softcapping");
    const logitsCap = reader.optionalNumber("final_logit_softcapping");
    return completeConfig({
      ...fields,
      actFn: activationFunction(reader, "hidden_activation", "gelu_pytorch_tanh"),
      attnScale: Math.sqrt(reader.number("query_pre_attn_scalar", fields.dHead)),
      windows: Array.from({ length: fields.nLayers }, (_, layer) => (layer % 2 === 0 ? window : undefined)),
      ...(scoresCap === undefined ? {} : { attnScoresSoftCap: scoresCap }),
      ...(logitsCap === undefined ? {} : { outputLogitsSoftCap: logitsCap }),
      embedScale: Math.sqrt(fields.dModel),
      gainOffset: 1,
      postNorms: true,
      tiedEmbeddings: reader.boolean("tie_word_embeddings", true),
    });
  },
  weightMap: (config, has) =>
    familyWeights(config, has, {
      norms: {
        ln1: "input_layernorm",
        ln1Post: "post_attention_layernorm",
        ln2: "pre_feedforward_layernorm",
        ln2Post: "post_feedforward_layernorm",
      },
    }),
};
