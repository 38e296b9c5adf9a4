/** Paths and edges between heads, MLPs and logits. */
import type { Model } from "../../model/index.js";
import type { Circuit } from "./circuit.js";
import { type CurveOptions, type FaithfulnessCurve, faithfulnessCurve } from "./curve.js";
import type { EdgeScores, NodeScores } from "./edge-result.js";
import { type CircuitEvaluation, evaluateCircuit } from "./evaluate.js";
import {
  type EdgeAgreement,
  type EdgeAgreementOptions,
  type ExactOptions,
  edgeAgreement,
  exactEdges,
} from "./exact.js";
import type { PathResult } from "./path-result.js";
import { type EdgeInput, type PathOptions, paths } from "./paths.js";
import { type EdgeScoreOptions, edgeScores, type NodeScoreOptions, nodeScores } from "./scores.js";

export { Circuit } from "./circuit.js";
export { type CurveOptions, FaithfulnessCurve } from "./curve.js";
export { type CircuitChoice, type EdgeMethod, EdgeScores, NodeScores } from "./edge-result.js";
export { CircuitEvaluation } from "./evaluate.js";
export { EdgeAgreement, type EdgeAgreementOptions, type ExactOptions } from "./exact.js";
export type { Edge } from "./nodes.js";
export { PathResult } from "./path-result.js";
export type { Between } from "./path-rows.js";
export type { EdgeInput, PathOptions, SenderChange } from "./paths.js";
export type { EdgeScoreOptions, NodeScoreOptions } from "./scores.js";

/**
 * Paths and edges between heads, MLPs and logits.
 *
 * `into` holds the prompts that run, `from` the prompts whose writes take their place on patched edges. For circuits
 * `into` is the clean prompts and `from` the corrupted ones.
 */
export interface Edges {
  /**
   * Returns the metric after patching the paths from each sender to the receivers, exactly.
   *
   * @throws InputError for unknown parts, no receivers, no source; UnsupportedError for edited models.
   * @see Wang et al. 2022, "Interpretability in the Wild"
   */
  paths(model: Model, options: PathOptions): Promise<PathResult>;
  /**
   * Returns a score for every edge, to first order, from a few gradients.
   *
   * @see Syed et al. 2023, "Attribution Patching Outperforms Automated Circuit Discovery"; Hanna et al. 2024, "Have Faith in
   * Faithfulness"
   */
  scores(model: Model, options: EdgeScoreOptions): Promise<EdgeScores>;
  /**
   * Returns a score for every part as a whole: attribution patching. With `"eap-ig"` the embeddings' scores sum to the
   * change of the metric, with an error that falls with the steps.
   *
   * @see Nanda 2023, "Attribution Patching"; Sundararajan et al. 2017
   */
  nodes(model: Model, options: NodeScoreOptions): Promise<NodeScores>;
  /** Returns the exact effect of changing single edges, everything behind them computed again. */
  exact(model: Model, options: ExactOptions): Promise<EdgeScores>;
  /** Returns how well scores track the exact effects of a sample of edges. */
  agreement(model: Model, scores: EdgeScores, options: EdgeAgreementOptions): Promise<EdgeAgreement>;
  /** Returns how much of the behaviour a circuit carries, and how much is left without it. */
  evaluate(model: Model, circuit: Circuit, options: EdgeInput): Promise<CircuitEvaluation>;
  /** Returns faithfulness by size of circuit, with random circuits as a control. */
  curve(model: Model, scores: EdgeScores, options: CurveOptions): Promise<FaithfulnessCurve>;
}

/** Paths and edges between heads, MLPs and logits. */
export const edges: Edges = {
  paths,
  scores: edgeScores,
  nodes: nodeScores,
  exact: exactEdges,
  agreement: edgeAgreement,
  evaluate: evaluateCircuit,
  curve: faithfulnessCurve,
};
