/**
 * What a lens measures, as one graph.
 *
 * 1. Each row's stream, through its translator where there is one, is read as the model reads its final stream: final
 *    norm with the row's own statistics, unembedding, soft cap.
 * 2. Log-probabilities are compared with those of the final stream at the same positions.
 * 3. Top-k tokens and a handful of numbers come out; logits stay inside.
 *
 * nostalgebraist 2020, "interpreting GPT: the logit lens".
 */
import { type Graph, type GraphBuilder, Ops, type Value } from "../../graph/index.js";
import { type Model, readout } from "../../model/index.js";

/** What decides the shape of the graph. */
export interface LensQuestion {
  readonly topK: number;
  /** Whether rows have a translator `x ↦ x + x W + b`. */
  readonly isTuned: boolean;
}

/** Adds `x + x W + b` for each row: `[row, place, dModel]`. */
export function translated(ops: Ops, x: Value, weight: Value, bias: Value): Value {
  return ops.add(x, ops.add(ops.matmul(x, weight), bias));
}

function streams(ops: Ops, model: Model, isTuned: boolean): Value {
  const { dModel } = model.config;
  const { precision } = model.view;
  const g = ops.builder;
  const x = g.input("streams", precision, ["row", "place", dModel]);
  if (!isTuned) return x;
  const weight = g.input("weight", precision, ["row", dModel, dModel]);
  return translated(ops, x, weight, g.input("bias", precision, ["row", 1, dModel]));
}

/** `Σ p (log p − log q)` over the vocabulary. */
export function divergence(ops: Ops, logP: Value, logQ: Value): Value {
  return ops.reduceSum(ops.mul(ops.exp(logP), ops.sub(logP, logQ)), [2], false);
}

/** How many of the second list's ids are in the first, `[row, place]`. */
function shared(ops: Ops, ids: Value, others: Value, precision: "float32" | "float64"): Value {
  const same = ops.equal(ops.unsqueeze(ids, [3]), ops.unsqueeze(others, [2]));
  return ops.reduceSum(ops.cast(same, precision), [2, 3], false);
}

/** Log-probability and rank of the target at each place; target ids below 0 mean what the final layer predicts. */
function target(ops: Ops, logProbs: Value, best: Value, precision: "float32" | "float64"): Record<string, Value> {
  const given = ops.builder.input("targets", "int64", [1, "place", 1]);
  const ids = ops.where(ops.less(given, 0), best, given);
  const zeros = ops.cast(ops.mul(ops.reduceMax(logProbs, [2]), 0), "int64");
  const own = ops.gatherElements(logProbs, ops.add(ids, zeros), 2);
  const before = ops.cast(ops.greater(logProbs, own), precision);
  return {
    target: ops.squeeze(ids, [2]),
    targetLogProb: ops.squeeze(own, [2]),
    rank: ops.reduceSum(before, [2], false),
  };
}

/** Builds the graph: inputs `streams`, `final`, `targets` (`weight`, `bias`), outputs one for each statistic. */
export function lensGraph(builder: GraphBuilder, model: Model, { topK, isTuned }: LensQuestion): Graph {
  const ops = new Ops(builder);
  const { precision } = model.view;
  const final = builder.input("final", precision, [1, "place", model.config.dModel]);
  const logP = ops.logSoftmax(readout(ops, model, final), 2);
  const logQ = ops.logSoftmax(readout(ops, model, streams(ops, model, isTuned)), 2);
  const [top, best] = [ops.topk(logQ, topK, { axis: 2 }), ops.topk(logP, topK, { axis: 2 })];
  return builder.build({
    topLogProbs: top.values,
    topIds: top.indices,
    kl: divergence(ops, logP, logQ),
    reverseKl: divergence(ops, logQ, logP),
    entropy: ops.neg(ops.reduceSum(ops.mul(ops.exp(logQ), logQ), [2], false)),
    overlap: shared(ops, top.indices, best.indices, precision),
    ...target(ops, logQ, ops.slice(best.indices, 2, 0, 1), precision),
  });
}
