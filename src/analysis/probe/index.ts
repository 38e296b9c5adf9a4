/** Linear probes: fitted at every layer, judged on held-out folds, used to steer and to ablate. */
export { type Probe, probe } from "./probe.js";
export { type ProbeDirection, ProbeResult } from "./result.js";
export { type SteeringSweep, type SteeringSweepOptions, steering } from "./steering.js";
export { type SteeringPoint, type SteeringProvenance, SteeringSweepResult } from "./steering-result.js";
export type {
  FeatureProbeOptions,
  LabelledText,
  ProbeDirectionOptions,
  ProbeExample,
  ProbeExamples,
  ProbeFitOptions,
  ProbeMethod,
  ProbeOptions,
  ProbePlace,
  ProbePosition,
  ProbePrediction,
  ProbePredictOptions,
  ProbeProvenance,
  ProbeScore,
} from "./types.js";
