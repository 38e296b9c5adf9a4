/** Where each weight of a transformer lies in a checkpoint: plain data that an architecture file returns. */

/**
 * How a stored matrix is laid out: `out-in` is PyTorch's `Linear` `[out, in]`, `in-out` is GPT-2's `Conv1D`
 * `[in, out]`, `head-in-out` is TransformerLens's `[head, in, dHead]`.
 */
export type Layout = "out-in" | "in-out" | "head-in-out";

/**
 * The part of a fused matrix's outputs that belongs to one linear map.
 *
 * `blocks`: outputs `from … from + size` are its own. `per-head`: outputs are `[head, of, dHead]` and `index` is its own
 * (GPT-NeoX).
 */
export type Part =
  | { readonly kind: "blocks"; readonly from: number; readonly size: number; readonly total: number }
  | { readonly kind: "per-head"; readonly index: number; readonly of: number; readonly heads: number };

/** One linear map `x ↦ x W + b` as a checkpoint stores it. */
export interface Linear {
  /** Name of the stored matrix. */
  readonly weight: string;
  /** Its stored shape. */
  readonly shape: readonly number[];
  readonly layout: Layout;
  /** Name of the stored bias, when there is one. */
  readonly bias?: string;
  readonly part?: Part;
}

/** Gain and bias of a norm; both absent in the `Pre` variants. */
export interface NormWeights {
  readonly weight?: string;
  readonly bias?: string;
}

/** The linear maps of one attention sublayer. */
export interface AttentionWeights {
  readonly q: Linear;
  readonly k: Linear;
  readonly v: Linear;
  readonly o: Linear;
  readonly qNorm?: NormWeights;
  readonly kNorm?: NormWeights;
}

/** The linear maps of one MLP; `gate` only where it is gated. */
export interface MlpWeights {
  readonly gate?: Linear;
  readonly in: Linear;
  readonly out: Linear;
  /** Name of a bias `[dMlp]` added after the gated product, as TransformerLens's gated MLP has it. */
  readonly postBias?: string;
}

/** One block. Norms are absent where the model has none. */
export interface BlockWeights {
  readonly ln1?: NormWeights;
  readonly ln1Post?: NormWeights;
  readonly ln2?: NormWeights;
  readonly ln2Post?: NormWeights;
  readonly attn: AttentionWeights;
  readonly mlp?: MlpWeights;
}

/** Every weight of a model. */
export interface WeightMap {
  /** Token embedding, stored `[dVocab, dModel]`. */
  readonly embed: string;
  /** Learned positions, stored `[nCtx, dModel]`. */
  readonly posEmbed?: string;
  readonly blocks: readonly BlockWeights[];
  readonly lnFinal?: NormWeights;
  readonly unembed: Linear;
  /** Stored names that carry no parameter (masks, cached frequencies, a tied head stored twice). */
  readonly ignored: readonly RegExp[];
}
