/**
 * How far apart what two models predict is, place by place: the distances of FinerCut.
 *
 * - `kl`: `KL(full ‖ pruned)`, nats. The paper's code divides by batch, positions and vocabulary; here it is a mean over positions.
 * - `js`: Jensen and Shannon's, `½ KL(P ‖ M) + ½ KL(Q ‖ M)` with `M = ½ (P + Q)`, at most ln 2.
 * - `legacyJs`: what the paper's code computes by that name, `½ KL(M ‖ P) + ½ KL(M ‖ Q)`: not bounded.
 * - `angular`: the angle between the logits, radians.
 * - `norm`: the Frobenius norm of the difference of a sequence's logits.
 */
import { type Graph, GraphBuilder, Ops, type Value } from "../../graph/index.js";
import { type Model, readout } from "../../model/index.js";

/** A distance between predictions. */
export type CutDistance = "angular" | "js" | "kl" | "legacyJs" | "norm";

/** All of them. */
export const cutDistances: readonly CutDistance[] = ["angular", "js", "kl", "legacyJs", "norm"];

/** Whether a distance is one of logits; the others compare log-probabilities. */
function isOfLogits(distance: CutDistance): boolean {
  return distance === "angular" || distance === "norm";
}

function predicted(ops: Ops, model: Model, stream: Value, distance: CutDistance): Value {
  const logits = readout(ops, model, stream);
  return isOfLogits(distance) ? logits : ops.logSoftmax(logits, 2);
}

/** Builds what the full model is kept as: `stream` `[1, place, dModel]` to `reference` `[1, place, dVocabOut]`. */
export function referenceGraph(model: Model, distance: CutDistance): Graph {
  const ops = new Ops(new GraphBuilder());
  const stream = ops.builder.input("stream", model.view.precision, [1, "place", model.config.dModel]);
  return ops.builder.build({ reference: predicted(ops, model, stream, distance) });
}

function sum(ops: Ops, x: Value): Value {
  return ops.reduceSum(x, [2], false);
}

/** `Σ p (log p − log q)`; a token of probability 0 adds nothing. */
function divergence(ops: Ops, logP: Value, logQ: Value): Value {
  const p = ops.exp(logP);
  const zero = ops.scalar(0, p.dtype === "float64" ? "float64" : "float32");
  return sum(ops, ops.mul(p, ops.where(ops.greater(p, zero), ops.sub(logP, logQ), zero)));
}

/** `log ½ (p + q)`, without leaving logarithms. */
function logMiddle(ops: Ops, logP: Value, logQ: Value): Value {
  const isHigher = ops.greater(logP, logQ);
  const [high, low] = [ops.where(isHigher, logP, logQ), ops.where(isHigher, logQ, logP)];
  return ops.add(high, ops.sub(ops.log(ops.add(ops.exp(ops.sub(low, high)), 1)), Math.LN2));
}

const formulas: Readonly<Record<CutDistance, (ops: Ops, full: Value, own: Value) => Value>> = {
  kl: divergence,
  js: (ops, full, own) => {
    const middle = logMiddle(ops, full, own);
    return ops.mul(ops.add(divergence(ops, full, middle), divergence(ops, own, middle)), 0.5);
  },
  legacyJs: (ops, full, own) => {
    const middle = logMiddle(ops, full, own);
    return ops.mul(ops.add(divergence(ops, middle, full), divergence(ops, middle, own)), 0.5);
  },
  angular: (ops, full, own) => {
    const sizes = ops.sqrt(ops.mul(sum(ops, ops.mul(full, full)), sum(ops, ops.mul(own, own))));
    return ops.div(sum(ops, ops.mul(full, own)), sizes);
  },
  norm: (ops, full, own) => {
    const gap = ops.sub(full, own);
    return sum(ops, ops.mul(gap, gap));
  },
};

/** Builds the comparison: `reference`, and `stream` `[1, place, dModel]` of the pruned model, to `found` `[1, place]`. */
export function distanceGraph(model: Model, distance: CutDistance): Graph {
  const ops = new Ops(new GraphBuilder());
  const { precision } = model.view;
  const { dModel, dVocabOut } = model.config;
  const reference = ops.builder.input("reference", precision, [1, "place", dVocabOut]);
  const stream = ops.builder.input("stream", precision, [1, "place", dModel]);
  return ops.builder.build({
    found: formulas[distance](ops, reference, predicted(ops, model, stream, distance)),
  });
}

/** The distance of one sequence from what the graph found at its places. */
export function ofSequence(distance: CutDistance, found: ArrayLike<number>): number {
  let total = 0;
  for (let i = 0; i < found.length; i++) {
    const value = found[i] ?? 0;
    total += distance === "angular" ? Math.acos(Math.min(1, Math.max(-1, value))) : Math.max(0, value);
  }
  return distance === "norm" ? Math.sqrt(total) : total / found.length;
}
