/** A model over data: statistics in one pass, or activations in shards. */
export type { CountedTokens, ExcludeOptions } from "./counted.js";
export { type CountedBatch, countedBatches } from "./counted-batches.js";
export type { CustomReducer } from "./custom.js";
export type { FeedOptions, OverInputs, PaddableDocuments, PadModel } from "./feed.js";
export type { Histogram, HistogramOptions, QuantileOptions } from "./histogram.js";
export { HookValues } from "./hook-values.js";
export type { ShardDType, ShardHook, ShardManifest, ShardRecord } from "./manifest.js";
export type { OverMemory } from "./memory.js";
export type { SpreadOptions } from "./moments.js";
export type { NormStatistics } from "./norms.js";
export { type ActivationShard, ActivationShards, type OpenShardsOptions, openShards } from "./open-shards.js";
export type {
  CheckpointOptions,
  OverOptions,
  OverProgress,
  OverProvenance,
  OverResult,
  OverSummary,
  Reduced,
  ReduceOption,
  ReduceOptions,
  ShardOptions,
  WriteOptions,
} from "./options.js";
export { overModel } from "./over.js";
export { type ReduceBuilders, reduce } from "./reduce.js";
export type { Accumulator, ActivationBatch, Reducer, SavedState } from "./reducer.js";
export type { Settings } from "./settings.js";
export type { TopExamples, TopkOptions } from "./topk.js";
export type { ReducedPoint, TokenVectors } from "./vectors.js";
