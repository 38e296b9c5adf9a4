/** What a sparse dictionary is, apart from its numbers. */

/** How it was trained. */
export type ArchitectureName = "standard" | "gated" | "topk" | "batch_topk" | "jumprelu" | "matryoshka_batch_topk";

/**
 * How pre-activations become activations when the dictionary is used.
 *
 * BatchTopK and its Matryoshka variant are trained with a budget for a whole batch and used as JumpReLU with the
 * threshold that the training measured, so that a token's features do not depend on its neighbours.
 */
export type Activation =
  | { readonly kind: "relu" }
  | {
      readonly kind: "topk";
      readonly k: number;
      /** Whether features are ranked by activation times decoder norm. */
      readonly scalesByDecoderNorm: boolean;
    }
  | { readonly kind: "jumprelu" }
  /** An MLP's own smooth function: never quite 0, and negative in places. Of neurons only; see `mlpNeurons`. */
  | { readonly kind: "smooth"; readonly name: "gelu" | "geluNew" | "silu" }
  | { readonly kind: "gated" };

/** What is done to each input vector, and undone on the output. */
export type InputNormalization = "none" | "constant_norm_rescale" | "layer_norm";

/** What it reads and what it writes. */
export type DictionaryKind = "sae" | "transcoder" | "skip_transcoder";

/** Everything about a dictionary but its weights. Immutable, plain data. */
export interface DictionaryConfig {
  readonly architecture: ArchitectureName;
  readonly activation: Activation;
  /** Width of what it reads. */
  readonly dIn: number;
  /** Width of what it writes. */
  readonly dOut: number;
  readonly nFeatures: number;
  /** Full name of the hook point that it reads, such as `blocks.3.ln2.hook_normalized`. */
  readonly readHook: string;
  /** Full name of the hook point that it reconstructs; the same as `readHook` for an SAE. */
  readonly writeHook: string;
  /** Whether `b_dec` is taken from the input before encoding (SAELens `apply_b_dec_to_input`). */
  readonly subtractsDecoderBias: boolean;
  readonly normalization: InputNormalization;
  /** Widths of the nested prefixes of a Matryoshka dictionary, rising, the last one `nFeatures`. */
  readonly prefixes?: readonly number[];
  /** The model that it was made for. */
  readonly model?: { readonly name: string; readonly identity?: string };
  /** Whether the texts that it was trained on began with BOS, and their length in tokens. */
  readonly prependBos?: boolean;
  readonly contextSize?: number;
  /** Where it came from: the format and path it was read from, or the settings it was trained with. */
  readonly origin?: Readonly<Record<string, unknown>>;
}

/**
 * Names of weights, SAELens's own, with rows as vectors: `W_enc [dIn, nFeatures]`, `b_enc [nFeatures]`,
 * `W_dec [nFeatures, dOut]`, `b_dec [dOut]`; `threshold [nFeatures]` (JumpReLU); `b_gate`, `b_mag`, `r_mag [nFeatures]`
 * in place of `b_enc` (gated); `W_skip [dOut, dIn]`, added as `x W_skipᵀ` (skip transcoders).
 */
export type DictionaryWeightName =
  | "W_enc"
  | "b_enc"
  | "W_dec"
  | "b_dec"
  | "threshold"
  | "b_gate"
  | "b_mag"
  | "r_mag"
  | "W_skip";

/** What is known about each feature on held-out text; each `[nFeatures]`. */
export interface FeatureStatistics {
  /** Fraction of tokens on which it fires. */
  readonly density: Float32Array;
  /** Mean activation where it fires; 0 where it never does. */
  readonly meanActivation: Float32Array;
  /** Largest activation seen. */
  readonly maxActivation: Float32Array;
  /** Tokens that were counted. */
  readonly tokens: number;
}

/** The shape of every weight that a configuration calls for. */
export function weightShapes(config: DictionaryConfig, hasSkip: boolean): ReadonlyMap<DictionaryWeightName, number[]> {
  const { dIn, dOut, nFeatures: width, activation } = config;
  const gated: [DictionaryWeightName, number[]][] = [
    ["b_gate", [width]],
    ["b_mag", [width]],
    ["r_mag", [width]],
  ];
  return new Map<DictionaryWeightName, number[]>([
    ["W_enc", [dIn, width]],
    ...(activation.kind === "gated" ? gated : ([["b_enc", [width]]] as [DictionaryWeightName, number[]][])),
    ["W_dec", [width, dOut]],
    ["b_dec", [dOut]],
    ...(activation.kind === "jumprelu" ? ([["threshold", [width]]] as [DictionaryWeightName, number[]][]) : []),
    ...(hasSkip ? ([["W_skip", [dOut, dIn]]] as [DictionaryWeightName, number[]][]) : []),
  ]);
}
