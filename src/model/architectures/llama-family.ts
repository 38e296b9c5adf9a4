/** What Llama, Mistral, Qwen and Gemma share: names, separate `Linear` projections, gated MLP, rotary positions. */
import { UnsupportedError } from "../../core/index.js";
import type { ConfigFields, ModelConfig, RopeScaling, RotaryConfig } from "../config.js";
import type { ConfigReader } from "../config-reader.js";
import type { BlockWeights, Linear, NormWeights, WeightMap } from "../weights/weight-map.js";
import { activationFunction } from "./activation.js";

/** Where a member of the family differs in its weights. */
export interface FamilyNames {
  /** The four norms of a block by role; `ln1Post` and `ln2Post` only where the model has them. */
  readonly norms: { readonly ln1: string; readonly ln2: string; readonly ln1Post?: string; readonly ln2Post?: string };
}

const usualNorms: FamilyNames = { norms: { ln1: "input_layernorm", ln2: "post_attention_layernorm" } };

function ropeScaling(reader: ConfigReader): RopeScaling | undefined {
  const scaling = reader.object("rope_scaling") ?? reader.object("rope_parameters");
  const kind = scaling?.raw["rope_type"] ?? scaling?.raw["type"];
  if (scaling === undefined || kind === undefined || kind === "default") return undefined;
  if (kind === "linear") return { kind, factor: scaling.number("factor") };
  if (kind === "llama3")
    return {
      kind,
      factor: scaling.number("factor"),
      lowFreqFactor: scaling.number("low_freq_factor"),
      highFreqFactor: scaling.number("high_freq_factor"),
      originalContext: scaling.number("original_max_position_embeddings"),
    };
  throw new UnsupportedError({
    where: 'config.json: "rope_scaling"',
    got: `the type ${JSON.stringify(kind)}`,
    expected: "default, linear or llama3",
    fix: "Ask for it in an issue.",
  });
}

function rotary(reader: ConfigReader, dHead: number): RotaryConfig {
  const scaling = ropeScaling(reader);
  const base =
    reader.optionalNumber("rope_theta") ?? reader.object("rope_parameters")?.optionalNumber("rope_theta") ?? 10_000;
  return { dim: dHead, base, ...(scaling === undefined ? {} : { scaling }) };
}

/** The configuration fields that the whole family reads alike. */
export function familyConfig(reader: ConfigReader, architecture: string): ConfigFields {
  const dModel = reader.number("hidden_size");
  const nHeads = reader.number("num_attention_heads");
  const dHead = reader.optionalNumber("head_dim") ?? dModel / nHeads;
  return {
    architecture,
    nLayers: reader.number("num_hidden_layers"),
    dModel,
    nHeads,
    nKeyValueHeads: reader.optionalNumber("num_key_value_heads") ?? nHeads,
    dHead,
    dMlp: reader.number("intermediate_size"),
    dVocab: reader.number("vocab_size"),
    nCtx: reader.number("max_position_embeddings"),
    actFn: activationFunction(reader, "hidden_act", "silu"),
    normalization: "RMS",
    eps: reader.number("rms_norm_eps", 1e-6),
    gatedMlp: true,
    positionalEmbedding: "rotary",
    rotary: rotary(reader, dHead),
    tiedEmbeddings: reader.boolean("tie_word_embeddings", false),
    raw: reader.raw,
  };
}

function linear(has: (name: string) => boolean, name: string, inputs: number, outputs: number): Linear {
  const bias = has(`${name}.bias`) ? { bias: `${name}.bias` } : {};
  return { weight: `${name}.weight`, shape: [outputs, inputs], layout: "out-in", ...bias };
}

function attentionWeights(prefix: string, config: ModelConfig, has: (name: string) => boolean): BlockWeights["attn"] {
  const { dModel, nHeads, nKeyValueHeads, dHead, qkNorm } = config;
  const headNorms = {
    qNorm: { weight: `${prefix}.q_norm.weight` },
    kNorm: { weight: `${prefix}.k_norm.weight` },
  };
  return {
    q: linear(has, `${prefix}.q_proj`, dModel, nHeads * dHead),
    k: linear(has, `${prefix}.k_proj`, dModel, nKeyValueHeads * dHead),
    v: linear(has, `${prefix}.v_proj`, dModel, nKeyValueHeads * dHead),
    o: linear(has, `${prefix}.o_proj`, nHeads * dHead, dModel),
    ...(qkNorm ? headNorms : {}),
  };
}

function blockWeights(
  prefix: string,
  config: ModelConfig,
  has: (name: string) => boolean,
  names: FamilyNames,
): BlockWeights {
  const { dModel, dMlp } = config;
  const norm = (name: string): NormWeights => ({ weight: `${prefix}.${name}.weight` });
  const { ln1, ln2, ln1Post, ln2Post } = names.norms;
  return {
    ln1: norm(ln1),
    ln2: norm(ln2),
    ...(ln1Post === undefined ? {} : { ln1Post: norm(ln1Post) }),
    ...(ln2Post === undefined ? {} : { ln2Post: norm(ln2Post) }),
    attn: attentionWeights(`${prefix}.self_attn`, config, has),
    mlp: {
      gate: linear(has, `${prefix}.mlp.gate_proj`, dModel, dMlp),
      in: linear(has, `${prefix}.mlp.up_proj`, dModel, dMlp),
      out: linear(has, `${prefix}.mlp.down_proj`, dMlp, dModel),
    },
  };
}

/** The family's weight map; biases are taken where the checkpoint has them. */
export function familyWeights(
  config: ModelConfig,
  has: (name: string) => boolean,
  names: FamilyNames = usualNorms,
): WeightMap {
  const embed = "model.embed_tokens.weight";
  return {
    embed,
    blocks: Array.from({ length: config.nLayers }, (_, i) => blockWeights(`model.layers.${i}`, config, has, names)),
    lnFinal: { weight: "model.norm.weight" },
    unembed: {
      weight: config.tiedEmbeddings ? embed : "lm_head.weight",
      shape: [config.dVocabOut, config.dModel],
      layout: "out-in",
    },
    ignored: [/rotary_emb\.inv_freq$/, ...(config.tiedEmbeddings ? [/^lm_head\.weight$/] : [])],
  };
}
