/** Masks over single weights, and the subnetworks that they leave. */

export { type AblateMaskOptions, ablateMask, MaskAblation } from "./analyses/ablation.js";
export { covarianceCosine, StreamCovariance, streamCovariance } from "./analyses/covariance.js";
export {
  type GrowthOptions,
  type GrowthStep,
  type GrowthTask,
  growSubnetwork,
  SubnetworkGrowth,
  type Unit,
} from "./analyses/growth.js";
export { MaskOverlap, maskOverlap, type OverlapOptions } from "./analyses/overlap.js";
export { rotationAngle, StreamRotation, streamRotation } from "./analyses/rotation.js";
export { StreamLens, streamLens } from "./analyses/stream-lens.js";
export {
  SurprisalCorrelation,
  type SurprisalOptions,
  surprisalCorrelation,
  surprisalTokens,
} from "./analyses/surprisal.js";
export {
  type CountBigramsOptions,
  countBigrams,
  openBigrams,
  saveBigrams,
  type TokenSequences,
} from "./bigram/count.js";
export type { PairCounts } from "./bigram/counts.js";
export { BigramTable, type Smoothing, type TargetDistribution } from "./bigram/table.js";
export { type RandomMaskOptions, type WeightMasks, weightMask } from "./mask/make.js";
export { type KeptCount, type MatrixCount, WeightMask, type WeightMaskParts } from "./mask/weight-mask.js";
export {
  BigramSubnetwork,
  type BigramSubnetworkOptions,
  bigramSubnetwork,
  type SavedSubnetwork,
} from "./report/subnetwork.js";
export type { Granularity } from "./train/gates.js";
export {
  type MaskJudge,
  SparsitySweep,
  type SparsitySweepOptions,
  type SweptMask,
  sweepSparsity,
} from "./train/sweep.js";
export { type MaskStop, MaskTraining, type TrainMaskOptions, trainMask } from "./train/train.js";
