/** Circuits of features: attribution graphs over transcoders. */
export { type AttributionGraphOptions, attributionGraph } from "./attribution/attribute.js";
export type { DirectionChoice, FeatureChoice, LogitChoice } from "./attribution/choice.js";
export {
  AttributionGraph,
  type Certificate,
  type GraphEdge,
  type GraphParts,
  type GraphProvenance,
  type GraphViewOptions,
} from "./attribution/graph.js";
export type { EdgeRow, GraphScores, PruneOptions } from "./attribution/influence.js";
export type { LogitTarget } from "./attribution/logits.js";
export { type GraphNode, nodeId } from "./attribution/nodes.js";
export * from "./files/index.js";
export * from "./heads/index.js";
export * from "./paths/index.js";
export * from "./report/index.js";
export * from "./verify/index.js";
