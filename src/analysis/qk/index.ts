/** Attention scores, taken apart. */
import type { Model } from "../../model/index.js";
import { type QkOptions, qkAttribution } from "./attribution.js";
import type { QkAttribution } from "./result.js";

export type { QkOptions } from "./attribution.js";
export { QkAttribution, type ScorePart, type ScorePlace } from "./result.js";

/** Attention scores, taken apart. */
export interface Qk {
  /**
   * Returns one attention score as a sum over parts of the query's stream × parts of the key's: heads, MLPs, embeddings
   * and biases. Scales of norms are those of the run; rotations and norms of heads are the model's own.
   *
   * @throws InputError for a place outside the prompt or the mask, and for edited models; NumericError when the parts do
   * not sum to the score within 1e-4 of the largest.
   * @see Elhage et al. 2021, "A Mathematical Framework for Transformer Circuits"
   */
  attribution(model: Model, prompt: string | readonly number[], options: QkOptions): Promise<QkAttribution>;
}

/** Attention scores, taken apart. */
export const qk: Qk = { attribution: qkAttribution };
