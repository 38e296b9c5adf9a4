/** Which key slots a query slot may look at. */
import type { Value } from "../../graph/index.js";
import { type BuildContext, floatConstant } from "./context.js";

/** What limits attention in one layer. */
export interface MaskSpec {
  /** Sliding window: a key is visible when `0 ≤ query − key < window`. */
  readonly window?: number;
}

/** Slot indices of queries `[pos, 1]` and keys `[1, key]`; queries are the last `pos` of the keys. */
function slots(ctx: BuildContext, query: Value, key: Value): { query: Value; key: Value } {
  const { ops } = ctx;
  const keys = ops.dimOf(key, 1);
  const first = ops.sub(keys, ops.dimOf(query, 1));
  return { query: ops.unsqueeze(ops.range(first, keys), [1]), key: ops.unsqueeze(ops.range(0, keys), [0]) };
}

/** Keys in sight by position, `[pos, key]`; everything (`[pos, 1]`) in a bidirectional model. */
function visible(ctx: BuildContext, query: Value, key: Value, spec: MaskSpec): Value {
  const { ops, config } = ctx;
  const slot = slots(ctx, query, key);
  if (config.attentionDirection === "bidirectional") return ops.greaterOrEqual(slot.query, 0);
  const causal = ops.lessOrEqual(slot.key, slot.query);
  if (spec.window === undefined) return causal;
  const distance = ops.sub(slot.query, slot.key);
  return ops.and(causal, ops.less(distance, spec.window));
}

/**
 * An additive mask, 0 where a key is visible and −∞ where it is not: `[1 or batch, 1, pos, key]`, or `undefined` when
 * every key is visible to every query. Layers with one window share one.
 *
 * @param query - Any value whose axis 1 is the query position.
 * @param key - Any value whose axis 1 is the key position, cached ones included.
 */
export function attentionMask(ctx: BuildContext, query: Value, key: Value, spec: MaskSpec): Value | undefined {
  const { ops, config, inputs } = ctx;
  const { keyIsReal } = inputs;
  if (config.attentionDirection === "bidirectional" && keyIsReal === undefined) return undefined;
  return ctx.once(`mask ${spec.window ?? "whole"}`, () => {
    const base = ops.unsqueeze(visible(ctx, query, key, spec), [0, 1]);
    const allowed = keyIsReal === undefined ? base : ops.and(base, ops.unsqueeze(keyIsReal, [1, 2]));
    return ops.where(allowed, floatConstant(ctx, 0), floatConstant(ctx, Number.NEGATIVE_INFINITY));
  });
}
