/** Models without parts, judged on the same sequences. */
export { type Choice, choiceAccuracy } from "./choices.js";
export { type Estimate, effectOf, type PartEffect } from "./effect.js";
export { evaluateParts, PartEvaluation } from "./evaluate.js";
export { type EvaluatorMemory, PartEvaluator, type SequenceNumbers } from "./evaluator.js";
export { type MeasuredSpeed, measureSpeed, type SpeedOptions, speedupDegradationRatio } from "./speed.js";
