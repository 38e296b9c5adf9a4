export { type AggregateCircuit, type AggregateEdge, type AggregateOptions, aggregatePaths } from "./aggregate.js";
export {
  type DeEmbedding,
  type DeEmbeddingOptions,
  deEmbedding,
  type FeatureConnection,
  type FeatureConnectionOptions,
  type FeatureConnections,
  featureConnections,
  type HeadReach,
  readingHeads,
  type Through,
  type TokenWeight,
} from "./connections.js";
export type { FeatureAddress, HeadAddress } from "./directions.js";
export { type EdgeHeadOptions, type EdgeHeads, type EdgePart, edgeHeads, type HeadRead } from "./edge-heads.js";
export { type MeanInputOptions, meanInputTimesGradient } from "./mean-input-gradient.js";
export { type PathEdge, PathGraph, type PathNode, pathsToGraph } from "./path-graph.js";
export {
  type PathProvenance,
  type PathTarget,
  sourceName,
  type TranscoderPath,
  type TranscoderPathOptions,
  TranscoderPaths,
  type TranscoderPathsParts,
  transcoderPaths,
} from "./paths.js";
export type { PathPrefix, Remainder } from "./search.js";
export type { Contribution, Source } from "./stream-parts.js";
