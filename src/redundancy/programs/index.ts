/** Which sublayers go, and in what order; other orders of layers. */
export { ConsecutiveBlocks, consecutiveBlocks } from "./consecutive.js";
export type { CutDistance } from "./distance.js";
export { type CutStep, FinerCut, type FinerCutOptions, finerCut } from "./finer-cut.js";
export { type LayerChain, LayerChains, type SearchLayersOptions, searchLayers } from "./search-layers.js";
