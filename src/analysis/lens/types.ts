/** What a lens is asked, and what it measures. */
import type { LongCallOptions } from "../../core/index.js";
import type { InputOptions } from "../../model/index.js";
import type { Tensor } from "../../tensor/index.js";

/**
 * Where a lens reads: the residual stream before, inside or after a block, or what a sublayer wrote, read alone.
 *
 * `resid_post` includes the embeddings, as layer -1.
 */
export type LensSite = "attn_out" | "mlp_out" | "resid_mid" | "resid_post" | "resid_pre";

/**
 * The token whose rank and probability are followed through the layers: `"prediction"` is what the final layer predicts,
 * `"next"` what comes next in the prompt (NaN at the last position), `{ token }` one by text or id, `{ tokens }` one for
 * each prompt.
 */
export type LensTarget =
  | "next"
  | "prediction"
  | { readonly token: string | number }
  | { readonly tokens: readonly (string | number)[] };

/** Options of every lens. */
export interface ReadLensOptions extends LongCallOptions, Pick<InputOptions, "allowSpecial" | "prependBos"> {
  /** How many tokens to keep at each layer and position, and how many the overlap counts; default 5. */
  readonly topK?: number;
  /** The token that is followed. Default `"prediction"`. */
  readonly target?: LensTarget;
  /** Bytes that logits of all layers may take at a time; positions are done in chunks. Default 256 MiB. */
  readonly memoryLimit?: number;
}

/** Options of `lens.logitLens`. */
export interface LogitLensOptions extends ReadLensOptions {
  /** Default `"resid_post"`. */
  readonly sites?: LensSite | readonly LensSite[];
}

/** One candidate for the next token. */
export interface TokenChance {
  readonly token: string;
  readonly id: number;
  /** 0 to 1. */
  readonly probability: number;
}

/** Numbers that a lens measures at every layer and position. */
export type LensStatistic = "entropy" | "kl" | "overlap" | "probability" | "rank" | "reverseKl" | "targetProbability";

/** One number for each row of a lens and each position. */
export type LensTensor = Tensor<"float64", readonly ["layer", "pos"]>;

/** One prompt under a lens; tensors are `[layer, pos]`, one entry of `layer` for each of the result's rows. */
export interface LensPrompt {
  /** The prompt's tokens as text. */
  readonly tokens: readonly string[];
  readonly ids: readonly number[];
  /** `[layer][pos]`, best first. */
  readonly top: readonly (readonly (readonly TokenChance[])[])[];
  /** `KL(final ‖ lens)` in nats: what believing the lens costs when the final layer is right. */
  readonly kl: LensTensor;
  /** `KL(lens ‖ final)` in nats. */
  readonly reverseKl: LensTensor;
  /** Entropy of the lens's prediction in nats. */
  readonly entropy: LensTensor;
  /** Probability of the lens's first token. */
  readonly probability: LensTensor;
  /** How many tokens the lens puts before the target: 0 is the first. */
  readonly rank: LensTensor;
  /** Probability of the target. */
  readonly targetProbability: LensTensor;
  /** Share of the final layer's top-k tokens that are among the lens's. */
  readonly overlap: LensTensor;
  /** The target at each position as text; empty where there is none. */
  readonly targets: readonly string[];
}
