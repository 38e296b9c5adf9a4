/** Activation patching over all layers and positions or heads. Declared; not built yet. */
import { type LongCallOptions, notBuilt } from "../core/index.js";
import type { ModelLike } from "../data/index.js";
import type { View } from "../viz/index.js";
import type { Metric } from "./metric.js";

/** A kind of hook point to sweep, by its short name; each is patched by position, or by head where it has heads. */
export type PatchSite =
  | "attn_out"
  | "k"
  | "mlp_out"
  | "pattern"
  | "q"
  | "resid_mid"
  | "resid_post"
  | "resid_pre"
  | "v"
  | "z";

/** Options of {@link Patching.sweep}. */
export interface SweepOptions extends LongCallOptions {
  /** Prompts whose activations are copied. */
  readonly from: readonly string[];
  /** Prompts into whose run they are written; aligned with `from`. */
  readonly into: readonly string[];
  readonly sites: readonly PatchSite[];
  readonly metric: Metric;
}

/** The effect of patching one kind of site. */
export interface SiteEffect {
  readonly site: PatchSite;
  /** What the columns are. */
  readonly axis: "head" | "pos";
  /** `[layer][pos or head]`: 0 is the corrupted run, 1 the clean run, mean over prompts. */
  readonly effect: readonly (readonly number[])[];
}

/** How far each patch brings the clean behaviour back. */
export interface SweepResult {
  readonly sites: readonly SiteEffect[];
  /** The metric of the unpatched runs, mean over prompts. */
  readonly cleanMetric: number;
  readonly corruptedMetric: number;
  /** Returns one heatmap for each site, centred at 0. */
  toView(): View;
}

/** Patching. */
export interface Patching {
  /**
   * Returns the effect of writing one activation at a time from one run into another.
   *
   * @throws NotBuiltError in this version.
   * @see Meng et al. 2022, "Locating and Editing Factual Associations in GPT"; Wang et al. 2022
   */
  sweep(model: ModelLike, options: SweepOptions): Promise<SweepResult>;
}

/** Activation patching. */
export const patching: Patching = {
  sweep: () => Promise.reject(notBuilt("patching.sweep", "activation patching")),
};
