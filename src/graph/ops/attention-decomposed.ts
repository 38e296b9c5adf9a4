/**
 * Attention in elementary ops: for float64, for derivatives, and for looking inside.
 *
 * 1. `scores = scale q k^T` (heads grouped when there are fewer key heads).
 * 2. `capped = softcap tanh(scores / softcap)`.
 * 3. `masked = capped + mask`, -infinity where attention is forbidden.
 * 4. `pattern = softmax(masked)`, 0 in a row where everything is forbidden (as in the fused kernel).
 * 5. `output = pattern v`.
 */
import { dimEquals } from "../dims.js";
import type { Dim, Value } from "../ir.js";
import { type AttentionInputs, attentionScale } from "./attention-inputs.js";
import type { ReductionOps } from "./reduction.js";

/** Every step of attention; all `[batch, head, pos, past+keyPos]` but the last three. */
export interface AttentionSteps {
  readonly scores: Value;
  readonly capped: Value;
  readonly masked: Value;
  readonly pattern: Value;
  /** In the layout of `q`. */
  readonly output: Value;
  /** `[batch, kvHead, past+keyPos, dHead]`. */
  readonly presentKey: Value;
  /** `[batch, kvHead, past+keyPos, dHeadV]`. */
  readonly presentValue: Value;
}

/** `[batch, pos, head*width]` to `[batch, head, pos, width]`. */
function splitHeads(ops: ReductionOps, x: Value, heads: number | undefined): Value {
  if (x.shape.length === 4 || heads === undefined) return x;
  const [batch = 1, pos = 1, flat = 1] = x.shape;
  const width = typeof flat === "number" ? flat / heads : -1;
  return ops.transpose(ops.reshape(x, [batch, pos, heads, width]), [0, 2, 1, 3]);
}

/** `[batch, head, pos, width]` to `[batch, pos, head*width]`. */
function mergeHeads(ops: ReductionOps, x: Value): Value {
  const [batch = 1, heads = 1, pos = 1, width = 1] = x.shape;
  const flat = typeof heads === "number" && typeof width === "number" ? heads * width : -1;
  return ops.reshape(ops.transpose(x, [0, 2, 1, 3]), [batch, pos, flat]);
}

function withPast(ops: ReductionOps, past: Value | undefined, now: Value): Value {
  return past === undefined ? now : ops.concat([past, now], 2);
}

/** `a @ b` where `a` has a multiple of the heads of `b`; query head `h` uses key head `floor(h / group)`. */
function groupedMatmul(ops: ReductionOps, a: Value, b: Value): Value {
  const [batch = 1, heads = 1, rows = 1, inner = 1] = a.shape;
  const [, groups = 1, , columns = 1] = b.shape;
  if (dimEquals(heads, groups) || typeof heads !== "number" || typeof groups !== "number") return ops.matmul(a, b);
  const folded = ops.reshape(a, [batch, groups, heads / groups, rows, inner]);
  const product = ops.matmul(folded, ops.unsqueeze(b, [2]));
  return ops.reshape(product, [batch, heads, rows, columns], a, b);
}

/** Where query position `i` may look at key `j`: `j <= i + past`. `[pos, past+keyPos]`. */
function causalMask(ops: ReductionOps, q: Value, keys: Value, past: Value | undefined): Value {
  const zero = ops.scalar(0, "int64");
  const offset = past === undefined ? zero : ops.dimOf(past, 2);
  const rows = ops.add(ops.range(zero, ops.dimOf(q, 2)), offset);
  const columns = ops.range(zero, ops.dimOf(keys, 2));
  return ops.lessOrEqual(ops.unsqueeze(columns, [0]), ops.unsqueeze(rows, [1]));
}

function applyMasks(ops: ReductionOps, capped: Value, inputs: AttentionInputs, causal: Value | undefined): Value {
  const { mask } = inputs;
  const seen = causal === undefined ? capped : ops.where(causal, capped, -Infinity);
  if (mask === undefined) return seen;
  return mask.dtype === "bool" ? ops.where(mask, seen, -Infinity) : ops.add(seen, mask);
}

/** Softmax of the last axis with 0 for a row of -infinity only; such a row gives no NaN in the backward pass either. */
export function maskedSoftmax(ops: ReductionOps, masked: Value): Value {
  const dead = ops.equal(ops.reduceMax(masked, [-1]), -Infinity);
  return ops.where(dead, 0, ops.softmax(ops.where(dead, 0, masked)));
}

/** Adds attention in elementary ops and returns every step; see `AttentionInputs` for what each input means. */
export function decomposeAttention(ops: ReductionOps, inputs: AttentionInputs): AttentionSteps {
  const { qHeads, kvHeads, softcap = 0, pastKey, pastValue, isCausal } = inputs;
  const q = splitHeads(ops, inputs.q, qHeads);
  const presentKey = withPast(ops, pastKey, splitHeads(ops, inputs.k, kvHeads));
  const presentValue = withPast(ops, pastValue, splitHeads(ops, inputs.v, kvHeads));
  const scores = groupedMatmul(ops, ops.mul(q, attentionScale(inputs)), ops.transpose(presentKey, [0, 1, 3, 2]));
  const capped = softcap > 0 ? ops.mul(ops.tanh(ops.div(scores, softcap)), softcap) : scores;
  const causal = isCausal === true ? causalMask(ops, q, presentKey, pastKey) : undefined;
  const masked = applyMasks(ops, capped, inputs, causal);
  const pattern = masked === capped ? ops.softmax(masked) : maskedSoftmax(ops, masked);
  const mixed = groupedMatmul(ops, pattern, presentValue);
  const flat: readonly Dim[] = inputs.q.shape;
  const output = flat.length === 4 ? mixed : mergeHeads(ops, mixed);
  return { scores, capped, masked, pattern, output, presentKey, presentValue };
}
