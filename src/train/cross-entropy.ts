/** The loss of language models and classifiers, with a derivative that passes over the logits as seldom as possible. */
import { type CustomGradient, customGradient } from "../autodiff/index.js";
import { ShapeError } from "../core/index.js";
import { describeType, dimProduct, type Ops, sameShape, type Value } from "../graph/index.js";

/** A loss with what else it knows. */
export interface CrossEntropy {
  /** Mean of `perToken` over the labels that count, in nats; 0 when none does. */
  readonly loss: Value;
  /** `-log p(label)`, in the shape of the labels; 0 where the label is below 0. */
  readonly perToken: Value;
  /** Its derivative: pass it as `gradients: { custom: [rule] }` with the loss. Holds for `loss`, not for `perToken`. */
  readonly rule: CustomGradient;
}

function checkShapes(logits: Value, labels: Value): void {
  const isIds = labels.dtype === "int32" || labels.dtype === "int64";
  if (isIds && sameShape(logits.shape.slice(0, -1), labels.shape)) return;
  throw new ShapeError({
    where: "crossEntropy: labels",
    got: `${describeType(labels)} for logits ${describeType(logits)}`,
    expected: "int32 or int64 of the logits' shape without the last axis",
    fix: "Give one label for each row of logits.",
  });
}

/**
 * Adds the mean cross-entropy of logits `[…, classes]` against labels `[…]` to a graph.
 *
 * Labels below 0 do not count: padding, prompts, positions that nobody should learn.
 *
 * With weights `w = 1 / count` where the label counts and 0 elsewhere, the derivative is `w (softmax - onehot)`.
 *
 * @throws ShapeError when shapes do not fit.
 */
export function crossEntropy(ops: Ops, logits: Value, labels: Value): CrossEntropy {
  checkShapes(logits, labels);
  const rows = dimProduct(labels.shape);
  const ids = ops.reshape(labels, [rows, 1], labels);
  const counts = ops.greaterOrEqual(ids, 0);
  const label = ops.where(counts, ids, 0);
  const mask = ops.cast(counts, "float32");
  const logProbs = ops.logSoftmax(ops.reshape(logits, [rows, logits.shape.at(-1) ?? 1], logits), 1);
  const losses = ops.where(counts, ops.neg(ops.gatherElements(logProbs, label, 1)), 0);
  const total = ops.maximum(ops.reduceSum(mask, undefined, false), 1);
  const loss = ops.div(ops.reduceSum(losses, undefined, false), total);
  const rule = customGradient(loss, [logits], ({ gradient }) => {
    const weight = ops.mul(mask, ops.div(gradient, total));
    const dense = ops.mul(ops.exp(logProbs), weight);
    const whole = ops.scatterElements(dense, label, ops.neg(weight), { axis: 1, reduction: "add" });
    return [ops.reshape(whole, logits.shape, logits)];
  });
  return { loss, perToken: ops.reshape(losses, labels.shape, labels), rule };
}
