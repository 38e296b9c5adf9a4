/** The redundancy report. */
export type {
  Claim,
  Cut,
  FrontierSummary,
  NeuronCuts,
  PartScore,
  ReportContent,
  ScoreSummary,
  TaskAccuracy,
} from "./content.js";
export type { ReportOptions } from "./options.js";
export { type Redundancy, redundancy } from "./redundancy.js";
export { prepareFolder, RedundancyReport, type SavedReport } from "./report.js";
export type { ReportSection } from "./views.js";
export type { ReportTexts } from "./windows.js";
