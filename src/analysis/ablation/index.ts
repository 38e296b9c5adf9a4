/** Ablation. */
import type { Model } from "../../model/index.js";
import type { Patch } from "../patching/patches.js";
import {
  type AblateOptions,
  type AblationSetsOptions,
  type AblationSweepOptions,
  ablate,
  ablationSets,
  ablationSweep,
} from "./ablation.js";
import type { AblationSets, AblationSweep } from "./result.js";

export type { AblateOptions, AblationOptions, AblationSetsOptions, AblationSweepOptions } from "./ablation.js";
export type { AblationKind } from "./donors.js";
export { type AblatedSet, type AblationProvenance, AblationSets, AblationSweep } from "./result.js";

/** Ablation: what a model does without some of its parts. */
export interface Ablation {
  /**
   * Returns the metric without one component at a time: a head, a layer's write, a position, a neuron.
   *
   * Single ablations mislead where parts stand in for each other; see `ablation.sets`.
   *
   * @throws InputError without prompts or components, or where no reference prompt can be drawn.
   */
  sweep(model: Model, options: AblationSweepOptions): Promise<AblationSweep>;
  /** Returns the metric without sets of components, each set removed together. */
  sets(model: Model, options: AblationSetsOptions): Promise<AblationSets>;
  /**
   * Returns the model without components: an edited model like any other.
   *
   * With `"meanByPosition"` it runs prompts of the reference prompts' greatest length only.
   */
  ablate(model: Model, components: readonly Patch[], options?: AblateOptions): Promise<Model>;
}

/** Ablation. */
export const ablation: Ablation = { sweep: ablationSweep, sets: ablationSets, ablate };
