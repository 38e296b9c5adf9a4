/** Lenses: what each layer would predict. */

export type { Prompts } from "../prompts.js";
export { type Lens, lens, type TunedLenses } from "./lens.js";
export { type LensProvenance, LogitLensResult } from "./result.js";
export { TunedLens, type TunedLensTraining } from "./tuned-lens.js";
export type { TrainTunedLensOptions, TunedLensData } from "./tuned-train.js";
export type {
  LensPrompt,
  LensSite,
  LensStatistic,
  LensTarget,
  LensTensor,
  LogitLensOptions,
  ReadLensOptions,
  TokenChance,
} from "./types.js";
export type { LensViewOptions } from "./view.js";
