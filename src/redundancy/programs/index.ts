/** Which sublayers go, and in what order; other orders of layers. */
export type { CutDistance } from "./distance.js";
export { type CutStep, FinerCut, type FinerCutOptions, finerCut } from "./finer-cut.js";
