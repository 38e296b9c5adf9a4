/** What direct attribution is asked. */
import type { LongCallOptions } from "../../core/index.js";
import type { PromptPairs, TaskPrompt } from "../../data/index.js";
import type { InputOptions } from "../../model/index.js";
import type { Tensor } from "../../tensor/index.js";

/** One token for all prompts, by text or id, or one for each. */
export type AttributedTokens = string | number | readonly (string | number)[];

/** A logit, or a difference of two. */
export interface AttributedLogits {
  readonly tokens: AttributedTokens;
  /** Tokens whose logits are subtracted. */
  readonly minus?: AttributedTokens;
}

/** Any direction: what is attributed is the final norm's output along it. */
export interface AttributedDirection {
  /** `[dModel]`, or `[batch, dModel]` with a row for each prompt. */
  readonly direction: Tensor;
  /** What views call it. */
  readonly name?: string;
}

/** What is taken apart: tokens' logits, a task's right answers less its wrong ones, or the stream along a direction. */
export type AttributionTarget =
  | AttributedTokens
  | AttributedLogits
  | AttributedDirection
  | Pick<PromptPairs<TaskPrompt>, "answers" | "answerTokens" | "wrongAnswers" | "wrongAnswerTokens">;

/**
 * What the parts are: `component` is each sublayer's write and each embedding, `layer` sums the writes of a layer, `head` and
 * `neuron` take attention and MLPs apart.
 */
export type AttributionUnit = "component" | "head" | "layer" | "neuron";

/** Options of `attribution.direct`. */
export interface DirectAttributionOptions extends LongCallOptions, Pick<InputOptions, "allowSpecial" | "prependBos"> {
  readonly of: AttributionTarget;
  /** Default `"component"`. */
  readonly by?: AttributionUnit;
  /** The position whose prediction is attributed; `"last"` (default) is the last token of each prompt, -2 the one before. */
  readonly pos?: "last" | number;
  /**
   * Adds the entry `"remainder"`: what edits of the stream itself put in or took out. Without it, a model with such edits is
   * refused.
   */
  readonly remainder?: boolean;
}

/** What an entry is. */
export type AttributionKind = "attn" | "bias" | "embed" | "head" | "layer" | "mlp" | "neuron" | "remainder";

/** One entry of an attribution. */
export interface AttributionEntry {
  /** TransformerLens's label: `"embed"`, `"3_mlp_out"`, `"L3H7"`, `"L3N42"`; biases are `"0_b_O"`, `"ln_final.b"`, `"unembed.b_U"`. */
  readonly label: string;
  readonly kind: AttributionKind;
  /** Absent for embeddings, the last biases and remainders. */
  readonly layer?: number;
  /** The head or neuron. */
  readonly index?: number;
}
