/** Analyses: lens, patching, metrics, probes. */
export { type Lens, type LogitLensOptions, type LogitLensResult, lens, type TokenChance } from "./lens.js";
export { type Metric, type Metrics, metric } from "./metric.js";
export {
  type Patching,
  type PatchSite,
  patching,
  type SiteEffect,
  type SweepOptions,
  type SweepResult,
} from "./patching.js";
export { type LabelledText, type Probe, type ProbeOptions, type ProbeResult, type ProbeScore, probe } from "./probe.js";
export * from "./train-lm/index.js";
