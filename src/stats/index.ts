/** Statistics of predictions and samples: bootstrap, area under the curve, calibration. */

export { type RankedItems, rankItems, weightedAuroc } from "./auroc.js";
export { type BootstrapOptions, bootstrapIntervals, type Interval } from "./bootstrap.js";
export { brierScore, expectedCalibrationError, type ReliabilityBin } from "./calibration.js";
export { pearson, ranks } from "./correlation.js";
