/** Which parts of a model could go. */
export {
  type PartScore,
  type Redundancy,
  type RedundancyReport,
  type ReportOptions,
  redundancy,
  type SavedReport,
} from "./report.js";
