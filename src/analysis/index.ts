/** Analyses: lens, patching, metrics, probes. */
export * from "./ablation/index.js";
export * from "./attribution/index.js";
export * from "./edges/index.js";
export * from "./factored/index.js";
export * from "./gradients/index.js";
export * from "./heads/index.js";
export * from "./lens/index.js";
export {
  type AnswerOptions,
  type AnswerSource,
  type CustomMetricOptions,
  type Metrics,
  metric,
} from "./metric/index.js";
export * from "./patching/index.js";
export * from "./probe/index.js";
export * from "./qk/index.js";
export * from "./similarity/index.js";
export * from "./train-lm/index.js";
export * from "./training/index.js";
