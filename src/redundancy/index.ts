/** Which parts of a model could go. */
export * from "./cost/index.js";
export {
  type Choice,
  choiceAccuracy,
  type Estimate,
  evaluateParts,
  type MeasuredSpeed,
  measureSpeed,
  type PartEffect,
  PartEvaluation,
  type SequenceNumbers,
  type SpeedOptions,
  speedupDegradationRatio,
} from "./evaluate/index.js";
export * from "./export/index.js";
export { type Part, partName, type Score, sublayersOf, withoutParts } from "./parts.js";
export * from "./programs/index.js";
export * from "./report/index.js";
export * from "./scores/index.js";
