/** Graphs in words. */
export { describeFeatures } from "./describe.js";
export { graphSummary, type SummaryOptions } from "./summary.js";
