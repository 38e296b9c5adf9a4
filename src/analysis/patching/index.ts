/** Activation patching. */
import type { Model } from "../../model/index.js";
import { type PatchList, type PatchListOptions, patchList } from "./list.js";
import type { SweepResult } from "./result.js";
import { type SweepOptions, sweep } from "./sweep.js";
import { type ActPatches, actPatches } from "./variants.js";

export { PatchList, type PatchListOptions } from "./list.js";
export type { Patch } from "./patches.js";
export type { PatchInput } from "./prompts.js";
export {
  type PatchBaselines,
  type PatchDirection,
  type PatchProvenance,
  SiteEffect,
  type SiteEffectParts,
  SweepResult,
} from "./result.js";
export type { PatchAxis, PatchSite } from "./sites.js";
export type { PatchingOptions, SweepOptions } from "./sweep.js";
export type { ActPatch, ActPatches } from "./variants.js";

/** Patching: copies activations from one run into another and measures what changes. */
export interface Patching extends ActPatches {
  /**
   * Returns the metric of patching one activation at a time, at every layer and every position, head or both.
   *
   * Equal to one run of the whole model for each patch, in every bit in float32 where kernels allow it and within 1e-5
   * elsewhere; layers and positions before a patch are computed once for each prompt.
   *
   * @throws TokenError when the two prompts of a pair differ in length; InputError for prompts without partners, edits of
   * the model that name rows, unknown axes; UnsupportedError for a site that the model lacks.
   * @see Meng et al. 2022, "Locating and Editing Factual Associations in GPT"; Wang et al. 2022
   */
  sweep(model: Model, options: SweepOptions): Promise<SweepResult>;
  /** Returns the metric of any list of patches: TransformerLens's `generic_activation_patch`. */
  patches(model: Model, options: PatchListOptions): Promise<PatchList>;
}

/** Activation patching. */
export const patching: Patching = { ...actPatches, sweep, patches: patchList };
