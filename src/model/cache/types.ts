/** Options and results of the activation cache's algebra. */
import type { LongCallOptions } from "../../core/index.js";
import type { Tensor } from "../../tensor/index.js";
import type { AxisSelection, PositionSelection } from "../edits/types.js";

/** A residual stream taken apart: one entry per component, with its label. */
export interface ResidStack {
  /**
   * `[component, batch, pos, dModel]`. An axis that an integer selected is absent; a projected stack ends in the
   * projection's own axes in place of `dModel`.
   */
  readonly stack: Tensor;
  /** One label per component, TransformerLens's words: `"embed"`, `"0_attn_out"`, `"L3H7"`. */
  readonly labels: readonly string[];
  /** The norm that was applied, such as `"ln_final"`; absent for plain contributions to the stream. */
  readonly norm?: string;
  /** The positions that were selected; later steps apply the same selection to what they read from the cache. */
  readonly posSlice?: PositionSelection | undefined;
}

/** A place where the residual stream is read. */
export interface SiteOptions {
  /**
   * The stream that enters this layer; absent, `null` or `nLayers` means the stream that enters the final norm.
   * Negative numbers are refused.
   */
  readonly layer?: number | null | undefined;
  /** The stream that the layer's MLP reads, in place of the one that its attention reads. */
  readonly mlpInput?: boolean;
}

/** What every stack can be asked for. */
export interface StackOptions extends SiteOptions {
  /** Applies the norm that reads this place, with its cached scale: linear, so that entries still sum to the whole. */
  readonly applyLn?: boolean;
  /**
   * Which positions: an integer drops the `pos` axis, `{ from, to }` keeps a range, a list gathers, absent keeps all.
   * Positions count real tokens of each row; `-1` and `"last"` are the last real one.
   */
  readonly posSlice?: PositionSelection | undefined;
}

/** Options of `accumulatedResid`. */
export interface AccumulatedResidOptions extends StackOptions {
  /** Adds `resid_mid` of every layer before the place. */
  readonly inclMid?: boolean;
  /** With `applyLn`: each entry's own mean and scale in place of the cached ones, as the logit lens needs it. */
  readonly recomputeLn?: boolean;
}

/** Options of `decomposeResid`. */
export interface DecomposeResidOptions extends StackOptions {
  /** `"attn"` or `"mlp"` leave the other sublayer out. Default `"all"`. */
  readonly mode?: "all" | "mlp" | "attn";
  /** Whether the embeddings are entries too. Default true. */
  readonly inclEmbeds?: boolean;
  /** Adds the entry `"remainder"`: the stream minus all other entries. */
  readonly inclRemainder?: boolean;
}

/** What a product with weights can be asked for. */
export interface ProjectionOptions extends LongCallOptions {
  /**
   * Directions `[dModel]` or `[dModel, …]` onto which every entry is projected, before anything of size `dModel` is
   * formed. Axes named `batch` or `pos` give each row or position its own directions.
   */
  readonly projectOutputOnto?: Tensor | undefined;
}

/** Options of `stackHeadResults`. */
export interface StackHeadsOptions extends StackOptions, ProjectionOptions {
  /** Adds the entry `"remainder"`: the stream minus all heads. */
  readonly inclRemainder?: boolean;
}

/** Options of `stackNeuronResults`. */
export interface StackNeuronsOptions extends StackHeadsOptions {
  /** Which neurons of each layer; all when absent. */
  readonly neuronSlice?: AxisSelection | undefined;
}

/** Options of `getFullResidDecomposition`. */
export interface FullDecompositionOptions extends StackOptions, ProjectionOptions {
  /** Whether each neuron is an entry, in place of each MLP. Default true, as in TransformerLens. */
  readonly expandNeurons?: boolean;
}

/** Options of `computeHeadResults`. */
export interface HeadResultsOptions extends ProjectionOptions {
  readonly posSlice?: PositionSelection | undefined;
}

/** Options of `getNeuronResults`. */
export interface NeuronResultsOptions extends HeadResultsOptions {
  /** Which neurons: an integer drops the `dMlp` axis; all when absent. */
  readonly neuronSlice?: AxisSelection | undefined;
}

/** Options of `accumulatedBias`. */
export interface AccumulatedBiasOptions extends SiteOptions {
  /** Whether MLP biases count. Default true. */
  readonly inclMlp?: boolean;
  readonly posSlice?: PositionSelection | undefined;
}

/** Options of `applyLnToStack`. */
export interface ApplyLnOptions extends SiteOptions {
  /** Positions that the stack was made for; default: those recorded in it. */
  readonly posSlice?: PositionSelection | undefined;
  /** Batch rows that the stack was cut down to. */
  readonly batchSlice?: AxisSelection | undefined;
  /** Each entry's own mean and scale in place of the cached ones. */
  readonly recomputeLn?: boolean;
}

/** Tokens by text or id: one for all rows, one per row (a list, axis `batch`), or a tensor of ids with axis names. */
export type TokenSelection = string | number | readonly (string | number)[] | Int32Array | Tensor;

/** Options of `logitAttrs`. */
export interface LogitAttrsOptions extends Pick<ApplyLnOptions, "posSlice" | "batchSlice"> {
  /** Tokens whose logits are attributed. */
  readonly tokens: TokenSelection;
  /** Tokens whose logits are subtracted. */
  readonly incorrectTokens?: TokenSelection | undefined;
  /** Only checked: axis names say whether a stack has a batch axis. */
  readonly hasBatchDim?: boolean;
}

/** The part of logits that no activation makes; every tensor has the axes of the tokens asked for. */
export interface LogitBias {
  /** From the final norm's bias; zeros where it has none or it is folded into the unembedding's. */
  readonly lnFinal: Tensor;
  /** From the unembedding's bias; zeros where it has none. */
  readonly unembed: Tensor;
  /** Their sum. */
  readonly total: Tensor;
}

/** What each component adds to a logit or a difference of two. */
export interface LogitAttrs {
  /** `[component, batch, pos]` without the axes that the stack lacks, then axes of the tokens' own. */
  readonly attrs: Tensor;
  readonly labels: readonly string[];
  /** `attrs` summed over a whole decomposition plus `bias.total` is the logit at `unembed.hook_out`. */
  readonly bias: LogitBias;
}
