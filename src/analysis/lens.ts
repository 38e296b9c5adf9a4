/** Reading predictions out of the residual stream. Declared; not built yet. */
import { type LongCallOptions, notBuilt } from "../core/index.js";
import type { ModelLike } from "../data/index.js";
import type { View } from "../viz/index.js";

/** Options of {@link Lens.logitLens}. */
export interface LogitLensOptions extends LongCallOptions {
  /** How many tokens to keep at each layer and position; default 5. */
  readonly topK?: number;
}

/** One candidate for the next token. */
export interface TokenChance {
  readonly token: string;
  readonly id: number;
  /** 0 to 1. */
  readonly probability: number;
}

/** The next-token prediction after every layer. */
export interface LogitLensResult {
  /** The prompt's tokens. */
  readonly tokens: readonly string[];
  /** Layer of each row: `i` reads the stream after block `i`, `-1` the embeddings. */
  readonly layers: readonly number[];
  /** `[layer][pos]`, best first. */
  readonly top: readonly (readonly (readonly TokenChance[])[])[];
  /** Returns layers against positions: the top token in each cell, coloured by its probability. */
  toView(): View;
}

/** Lenses. */
export interface Lens {
  /**
   * Returns what the model would predict if each layer's residual stream were unembedded as it is.
   *
   * @throws NotBuiltError in this version.
   * @see nostalgebraist 2020, "interpreting GPT: the logit lens"
   */
  logitLens(model: ModelLike, prompt: string, options?: LogitLensOptions): Promise<LogitLensResult>;
}

/** Reading predictions out of the residual stream. */
export const lens: Lens = {
  logitLens: () => Promise.reject(notBuilt("lens.logitLens", "the logit lens")),
};
