/** What a transformer is, in one record: TransformerLens's `HookedTransformerConfig` in camelCase. */

/** Activation functions of an MLP. `gelu` is exact (erf); `geluNew` is the tanh approximation. */
export type ActivationFunction = "relu" | "gelu" | "geluNew" | "silu";

/** Normalisation: `Pre` variants have no gain and bias; `null` is no normalisation at all. */
export type Normalization = "LN" | "LNPre" | "RMS" | "RMSPre" | null;

/** How long contexts change the rotary frequencies. */
export type RopeScaling =
  | { readonly kind: "linear"; readonly factor: number }
  | {
      readonly kind: "llama3";
      readonly factor: number;
      readonly lowFreqFactor: number;
      readonly highFreqFactor: number;
      readonly originalContext: number;
    };

/** Rotary position embedding of queries and keys. */
export interface RotaryConfig {
  /** Number of leading dimensions of each head that rotate; the rest pass through. */
  readonly dim: number;
  readonly base: number;
  readonly scaling?: RopeScaling;
}

/** Sizes and switches of one model. Every field is known before a weight is read. */
export interface ModelConfig {
  /** The architecture's name, such as `"gpt2"`. */
  readonly architecture: string;
  readonly nLayers: number;
  readonly dModel: number;
  readonly nHeads: number;
  /** Key/value heads; equals `nHeads` without grouping. */
  readonly nKeyValueHeads: number;
  readonly dHead: number;
  /** MLP width; 0 for attention-only models. */
  readonly dMlp: number;
  /** Size of the input vocabulary. */
  readonly dVocab: number;
  /** Size of the output vocabulary. */
  readonly dVocabOut: number;
  /** Longest context, in tokens. */
  readonly nCtx: number;
  readonly actFn: ActivationFunction;
  readonly normalization: Normalization;
  /** Whether the norm before the unembedding is root-mean-square although the blocks use another. */
  readonly finalNormalization: Normalization;
  readonly eps: number;
  readonly attnOnly: boolean;
  readonly gatedMlp: boolean;
  /** Attention and MLP both read `resid_pre`; there is no `resid_mid`. */
  readonly parallelAttnMlp: boolean;
  readonly attentionDirection: "causal" | "bidirectional";
  readonly positionalEmbedding: "standard" | "rotary" | "none";
  readonly rotary?: RotaryConfig;
  /** Scores are divided by this: √dHead unless the architecture says otherwise. */
  readonly attnScale: number;
  /** Sliding window in tokens per layer, or `undefined` for full attention. */
  readonly windows: readonly (number | undefined)[];
  /** Scores become `cap·tanh(scores/cap)` before the mask. */
  readonly attnScoresSoftCap?: number;
  /** Logits become `cap·tanh(logits/cap)`. */
  readonly outputLogitsSoftCap?: number;
  /** The token embedding is multiplied by this (Gemma: √dModel). */
  readonly embedScale: number;
  /** Added to every stored gain (Gemma stores `w` of `1 + w`). */
  readonly gainOffset: 0 | 1;
  /** Norms after each sublayer, before it is added to the stream (Gemma 2). */
  readonly postNorms: boolean;
  /** Norms of each head's query and key before rotation (Qwen 3). */
  readonly qkNorm: boolean;
  /** The unembedding is the transposed token embedding. */
  readonly tiedEmbeddings: boolean;
  /** The configuration file as it was read. */
  readonly raw: Readonly<Record<string, unknown>>;
}

/** Defaults that hold unless an architecture says otherwise. */
const defaults = {
  finalNormalization: undefined,
  attnOnly: false,
  gatedMlp: false,
  parallelAttnMlp: false,
  attentionDirection: "causal",
  embedScale: 1,
  gainOffset: 0,
  postNorms: false,
  qkNorm: false,
  tiedEmbeddings: false,
} as const;

/** The fields that every architecture must give; the rest have defaults. */
export type ConfigFields = Omit<
  ModelConfig,
  keyof typeof defaults | "dVocabOut" | "attnScale" | "windows" | "nKeyValueHeads"
> &
  Partial<ModelConfig>;

/** Completes a configuration: output vocabulary, key/value heads, scale and windows follow from the rest. */
export function completeConfig(fields: ConfigFields): ModelConfig {
  const base = { ...defaults, ...fields };
  return {
    ...base,
    dVocabOut: fields.dVocabOut ?? fields.dVocab,
    nKeyValueHeads: fields.nKeyValueHeads ?? fields.nHeads,
    attnScale: fields.attnScale ?? Math.sqrt(fields.dHead),
    windows: fields.windows ?? Array.from({ length: fields.nLayers }, () => undefined),
    finalNormalization: fields.finalNormalization === undefined ? fields.normalization : fields.finalNormalization,
  };
}
