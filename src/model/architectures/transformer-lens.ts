/** TransformerLens's own checkpoints: `HookedTransformerConfig` words and TransformerLens weight names. */
import { UnsupportedError } from "../../core/index.js";
import { type ConfigFields, completeConfig, type ModelConfig, type Normalization } from "../config.js";
import type { ConfigReader } from "../config-reader.js";
import type { BlockWeights, Linear, NormWeights, WeightMap } from "../weights/weight-map.js";
import { activationFunction } from "./activation.js";
import type { Architecture } from "./architecture.js";

type Has = (name: string) => boolean;

const normalizations: readonly Normalization[] = ["LN", "LNPre", "RMS", "RMSPre", null];

function choice<T extends string | null>(reader: ConfigReader, key: string, choices: readonly T[], fallback: T): T {
  const value = reader.raw[key] === undefined ? fallback : reader.raw[key];
  const found = choices.find((one) => one === value);
  if (found !== undefined) return found;
  throw new UnsupportedError({
    where: `config.json: "${key}"`,
    got: JSON.stringify(value),
    expected: `one of ${choices.map((one) => JSON.stringify(one)).join(", ")}`,
    fix: "Convert the checkpoint, or ask for this variant in an issue.",
  });
}

function finalNormalization(normalization: Normalization, finalRms: boolean): Normalization {
  if (!finalRms || normalization === null) return normalization;
  return normalization.endsWith("Pre") ? "RMSPre" : "RMS";
}

function positions(reader: ConfigReader, dHead: number): Pick<ConfigFields, "positionalEmbedding" | "rotary"> {
  const kind = choice(reader, "positional_embedding_type", ["standard", "rotary", "none"], "standard");
  if (kind !== "rotary") return { positionalEmbedding: kind };
  const dim = reader.optionalNumber("rotary_dim") ?? dHead;
  return { positionalEmbedding: kind, rotary: { dim, base: reader.number("rotary_base", 10_000) } };
}

function scale(reader: ConfigReader, dHead: number): number {
  if (!reader.boolean("use_attn_scale", true)) return 1;
  const given = reader.optionalNumber("attn_scale");
  return given === undefined || given <= 0 ? Math.sqrt(dHead) : given;
}

function readConfig(reader: ConfigReader): ModelConfig {
  refuseSwitches(reader);
  const dModel = reader.number("d_model");
  const dHead = reader.number("d_head");
  const attnOnly = reader.boolean("attn_only", false);
  const nHeads = reader.optionalNumber("n_heads") ?? Math.floor(dModel / dHead);
  const normalization = choice(reader, "normalization_type", normalizations, "LN");
  const dVocab = reader.number("d_vocab");
  return completeConfig({
    architecture: "transformer-lens",
    nLayers: reader.number("n_layers"),
    dModel,
    nHeads,
    nKeyValueHeads: reader.optionalNumber("n_key_value_heads") ?? nHeads,
    dHead,
    dMlp: attnOnly ? 0 : (reader.optionalNumber("d_mlp") ?? 4 * dModel),
    dVocab,
    dVocabOut: outputVocabulary(reader, dVocab),
    nCtx: reader.number("n_ctx"),
    actFn: attnOnly ? "relu" : activationFunction(reader, "act_fn"),
    normalization,
    finalNormalization: finalNormalization(normalization, reader.boolean("final_rms", false)),
    eps: reader.number("eps", 1e-5),
    attnOnly,
    gatedMlp: reader.boolean("gated_mlp", false),
    parallelAttnMlp: reader.boolean("parallel_attn_mlp", false),
    attentionDirection: choice(reader, "attention_dir", ["causal", "bidirectional"], "causal"),
    ...positions(reader, dHead),
    attnScale: scale(reader, dHead),
    ...softCaps(reader),
    raw: reader.raw,
  });
}

/** Switches of `HookedTransformerConfig` that change the computation in ways that limpid does not have. */
const unsupportedSwitches: readonly string[] = [
  "rotary_adjacent_pairs",
  "use_local_attn",
  "scale_attn_by_inverse_layer_idx",
  "use_normalization_before_and_after",
  "use_qk_norm",
  "relative_attention_bias",
  "num_experts",
  "use_NTK_by_parts_rope",
];

/** A switch that is set but not supported would give wrong numbers silently. */
function refuseSwitches(reader: ConfigReader): void {
  const set = unsupportedSwitches.filter(
    (key) => reader.raw[key] !== undefined && reader.raw[key] !== null && reader.raw[key] !== false,
  );
  if (set.length === 0) return;
  throw new UnsupportedError({
    where: "config.json",
    got: set.map((key) => `"${key}": ${JSON.stringify(reader.raw[key])}`).join(", "),
    expected: "TransformerLens switches that limpid computes",
    fix: "Load the Hugging Face checkpoint instead, or ask for this variant in an issue.",
  });
}

/** Soft caps are on when positive. */
function softCaps(reader: ConfigReader): Pick<Partial<ModelConfig>, "attnScoresSoftCap" | "outputLogitsSoftCap"> {
  const [scores, logits] = [reader.number("attn_scores_soft_cap", -1), reader.number("output_logits_soft_cap", -1)];
  return {
    ...(scores > 0 ? { attnScoresSoftCap: scores } : {}),
    ...(logits > 0 ? { outputLogitsSoftCap: logits } : {}),
  };
}

/** `d_vocab_out` of −1 or absent means the input vocabulary. */
function outputVocabulary(reader: ConfigReader, dVocab: number): number {
  const out = reader.optionalNumber("d_vocab_out");
  return out === undefined || out < 0 ? dVocab : out;
}

function withBias(has: Has, linear: Omit<Linear, "bias">, bias: string): Linear {
  return has(bias) ? { ...linear, bias } : linear;
}

function attentionWeights(prefix: string, config: ModelConfig, has: Has): BlockWeights["attn"] {
  const { dModel, dHead, nHeads, nKeyValueHeads } = config;
  const input = (letter: "Q" | "K" | "V", heads: number): Linear => {
    // Grouped checkpoints name the stored key and value weights with a leading underscore.
    const name = has(`${prefix}._W_${letter}`) ? `_W_${letter}` : `W_${letter}`;
    const linear = { weight: `${prefix}.${name}`, shape: [heads, dModel, dHead], layout: "head-in-out" } as const;
    return withBias(has, linear, `${prefix}.${name.replace("W_", "b_")}`);
  };
  const output = { weight: `${prefix}.W_O`, shape: [nHeads, dHead, dModel], layout: "in-out" } as const;
  return {
    q: input("Q", nHeads),
    k: input("K", nKeyValueHeads),
    v: input("V", nKeyValueHeads),
    o: withBias(has, output, `${prefix}.b_O`),
  };
}

function mlpWeights(prefix: string, { dModel, dMlp, gatedMlp }: ModelConfig, has: Has): BlockWeights["mlp"] {
  const matrix = (name: string, shape: readonly number[]): Linear =>
    withBias(has, { weight: `${prefix}.W_${name}`, shape, layout: "in-out" }, `${prefix}.b_${name}`);
  const input = { weight: `${prefix}.W_in`, shape: [dModel, dMlp], layout: "in-out" } as const;
  const bias = `${prefix}.b_in`;
  if (!gatedMlp) return { in: withBias(has, input, bias), out: matrix("out", [dMlp, dModel]) };
  return {
    gate: matrix("gate", [dModel, dMlp]),
    in: input,
    out: matrix("out", [dMlp, dModel]),
    ...(has(bias) ? { postBias: bias } : {}),
  };
}

/** The weights of a norm by its kind: none at all, no parameters, a gain, a gain and a bias where stored. */
function normWeights(prefix: string, kind: Normalization, has: Has): NormWeights | undefined {
  if (kind === null) return undefined;
  if (kind.endsWith("Pre")) return {};
  return { weight: `${prefix}.w`, ...(has(`${prefix}.b`) ? { bias: `${prefix}.b` } : {}) };
}

function blockWeights(prefix: string, config: ModelConfig, has: Has): BlockWeights {
  const ln1 = normWeights(`${prefix}.ln1`, config.normalization, has);
  const attn = attentionWeights(`${prefix}.attn`, config, has);
  if (config.attnOnly) return { ...(ln1 === undefined ? {} : { ln1 }), attn };
  const ln2 = normWeights(`${prefix}.ln2`, config.normalization, has);
  const mlp = mlpWeights(`${prefix}.mlp`, config, has);
  return {
    ...(ln1 === undefined ? {} : { ln1 }),
    ...(ln2 === undefined ? {} : { ln2 }),
    attn,
    ...(mlp === undefined ? {} : { mlp }),
  };
}

/** Checkpoints saved by TransformerLens, or by anyone under its names. */
export const transformerLens: Architecture = {
  name: "transformer-lens",
  modelTypes: [],
  matches: (raw) =>
    typeof raw["n_layers"] === "number" && typeof raw["d_model"] === "number" && typeof raw["d_head"] === "number",
  readConfig,
  weightMap: (config, has): WeightMap => {
    const lnFinal = normWeights("ln_final", config.finalNormalization, has);
    const unembed = { weight: "unembed.W_U", shape: [config.dModel, config.dVocabOut], layout: "in-out" } as const;
    return {
      embed: "embed.W_E",
      ...(config.positionalEmbedding === "standard" ? { posEmbed: "pos_embed.W_pos" } : {}),
      blocks: Array.from({ length: config.nLayers }, (_, i) => blockWeights(`blocks.${i}`, config, has)),
      ...(lnFinal === undefined ? {} : { lnFinal }),
      unembed: withBias(has, unembed, "unembed.b_U"),
      ignored: [/\.attn\.(mask|IGNORE|rotary_sin|rotary_cos)$/],
    };
  },
};
