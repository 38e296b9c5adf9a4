/** How good dictionaries are. */
export type { DictionaryData, DictionaryDataOptions } from "./data.js";
export { type EvaluationOptions, evaluateDictionary } from "./evaluate.js";
export type { DictionaryGeometry } from "./geometry.js";
export type { ReplacementLoss } from "./losses.js";
export { evaluateReconstruction, type ReconstructionMetrics } from "./reconstruction.js";
export { type FeatureMatch, FeatureRecovery, matchFeatures } from "./recovery.js";
export {
  type DeadFeatures,
  DictionaryEvaluation,
  DictionarySetEvaluation,
  type EvaluationProvenance,
} from "./result.js";
