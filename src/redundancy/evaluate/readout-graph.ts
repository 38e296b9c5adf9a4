/**
 * Compares what two final streams predict, in one graph: logits stay inside, and only a few numbers a token come out.
 *
 * 1. Both streams are read as the model reads its final stream: final norm, unembedding, soft cap.
 * 2. Log-probabilities give the loss of the next token, `KL(full ‖ pruned)`, and whether the likeliest token is the same.
 */
import { type Graph, GraphBuilder, Ops } from "../../graph/index.js";
import { type Model, readout } from "../../model/index.js";

/** Builds the graph: inputs `full`, `pruned` `[1, place, dModel]`, `labels` `[1, place, 1]`; three outputs `[1, place]`. */
export function comparisonGraph(model: Model): Graph {
  const ops = new Ops(new GraphBuilder());
  const { precision } = model.view;
  const shape = [1, "place", model.config.dModel] as const;
  const full = ops.logSoftmax(readout(ops, model, ops.builder.input("full", precision, shape)), 2);
  const pruned = ops.logSoftmax(readout(ops, model, ops.builder.input("pruned", precision, shape)), 2);
  const labels = ops.builder.input("labels", "int64", [1, "place", 1]);
  const gap = ops.where(
    ops.greater(ops.exp(full), ops.scalar(0, precision)),
    ops.sub(full, pruned),
    ops.scalar(0, precision),
  );
  const best = ops.topk(full, 1, { axis: 2 });
  const own = ops.topk(pruned, 1, { axis: 2 });
  return ops.builder.build({
    loss: ops.neg(ops.squeeze(ops.gatherElements(pruned, labels, 2), [2])),
    kl: ops.reduceSum(ops.mul(ops.exp(full), gap), [2], false),
    same: ops.cast(ops.squeeze(ops.equal(best.indices, own.indices), [2]), precision),
  });
}
