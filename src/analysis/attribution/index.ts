/** Attribution: predictions as sums of what parts of the model wrote. */
import type { Model } from "../../model/index.js";
import type { Prompts } from "../prompts.js";
import { directAttribution } from "./direct.js";
import type { AttributionResult } from "./result.js";
import type { DirectAttributionOptions } from "./types.js";

export { type AttributedEntry, type AttributionProvenance, AttributionResult } from "./result.js";
export type {
  AttributedDirection,
  AttributedLogits,
  AttributedTokens,
  AttributionEntry,
  AttributionKind,
  AttributionTarget,
  AttributionUnit,
  DirectAttributionOptions,
} from "./types.js";
export type { AttributionViewOptions } from "./view.js";

/** Attribution. */
export interface Attribution {
  /**
   * Returns what each part of a model adds directly to a logit, a difference of logits, or any direction of the stream.
   *
   * Entries, biases among them, sum to what the model puts out: `result.sum`, `result.total`, `result.error`. Logits of a
   * model with a soft cap are taken before it. The final norm's scale is the run's own, so this says who wrote what is there,
   * not what would happen without it: later parts would read something else.
   *
   * @param prompts - One or several, of any lengths; nothing is padded.
   * @throws InputError when tokens and prompts differ in number; TokenError for an answer that is not one token;
   *   UnsupportedError for edits at the unembedding, and for edits of the stream without `remainder`; AbortedError.
   * @see Elhage et al. 2021, "A Mathematical Framework for Transformer Circuits"
   */
  direct(model: Model, prompts: Prompts, options: DirectAttributionOptions): Promise<AttributionResult>;
}

/** Attribution. */
export const attribution: Attribution = { direct: directAttribution };
