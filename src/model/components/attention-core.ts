/**
 * Queries, keys and values to z: one fused kernel unless someone looks inside.
 *
 * 1. scores = cap(q·kᵀ / attnScale) + mask, `[batch, head, queryPos, keyPos]`;
 * 2. pattern = softmax(scores), a fully masked row is 0;
 * 3. z = pattern · v, `[batch, queryPos, head, dHead]`.
 */
import type { Value } from "../../graph/index.js";
import { type BuildContext, floatConstant } from "./context.js";
import { joinHeads, splitHeads } from "./linear.js";
import { attentionMask, type MaskSpec } from "./mask.js";

/** Queries `[batch, pos, head, dHead]`; keys and values `[batch, key, kvHead, dHead]`, cached ones included. */
export interface QueryKeyValue {
  readonly q: Value;
  readonly k: Value;
  readonly v: Value;
}

const scoreAxes = ["batch", "head", "queryPos", "keyPos"];

/** `[batch, key, kvHead, dHead] → [batch, kvHead, 1, key, dHead]`, ready to be shared by the group's queries. */
function grouped(ctx: BuildContext, x: Value): Value {
  return ctx.ops.unsqueeze(ctx.ops.transpose(x, [0, 2, 1, 3]), [2]);
}

/** `q·kᵀ / attnScale`, scaled inside the product as the fused kernel does, so that both have the same bits. */
function scaledProduct(ctx: BuildContext, q: Value, k: Value): Value {
  return ctx.ops.fusedMatmul(q, k, { transB: true, alpha: 1 / ctx.config.attnScale });
}

/** Raw scores `[batch, head, queryPos, keyPos]`, scaled; grouped heads share their key. */
function rawScores(ctx: BuildContext, { q, k }: QueryKeyValue): Value {
  const { ops } = ctx;
  const groups = Number(k.shape[2]);
  const heads = Number(q.shape[2]);
  const qh = ops.transpose(q, [0, 2, 1, 3]);
  if (groups === heads) return scaledProduct(ctx, qh, ops.transpose(k, [0, 2, 1, 3]));
  const [batch = "batch", , pos = "pos", dHead = 0] = qh.shape;
  const byGroup = ops.reshape(qh, [batch, groups, heads / groups, pos, dHead]);
  return ops.reshape(scaledProduct(ctx, byGroup, grouped(ctx, k)), [batch, heads, pos, k.shape[1] ?? "key"]);
}

/** `pattern · v`, `[batch, queryPos, head, dHead]`. */
function mixValues(ctx: BuildContext, pattern: Value, v: Value): Value {
  const { ops } = ctx;
  const [batch = "batch", heads = 0, pos = "pos", key = "key"] = pattern.shape;
  const groups = Number(v.shape[2]);
  if (groups === heads) return ops.transpose(ops.matmul(pattern, ops.transpose(v, [0, 2, 1, 3])), [0, 2, 1, 3]);
  const byGroup = ops.reshape(pattern, [batch, groups, Number(heads) / groups, pos, key]);
  const z = ops.reshape(ops.matmul(byGroup, grouped(ctx, v)), [batch, heads, pos, v.shape[3] ?? 0]);
  return ops.transpose(z, [0, 2, 1, 3]);
}

function softCap(ctx: BuildContext, scores: Value): Value {
  const cap = ctx.config.attnScoresSoftCap;
  if (cap === undefined) return scores;
  const { ops } = ctx;
  return ops.mul(ops.tanh(ops.div(scores, floatConstant(ctx, cap))), floatConstant(ctx, cap));
}

/** Softmax over keys; a row whose every key is masked becomes 0 (TransformerLens's NaN → 0). */
function softmaxRows(ctx: BuildContext, scores: Value): Value {
  const { ops } = ctx;
  const pattern = ops.softmax(scores, 3);
  if (ctx.inputs.keyIsReal === undefined) return pattern;
  return ops.where(ops.isNaN(pattern), floatConstant(ctx, 0), pattern);
}

/** The steps one by one, with `hook_attn_scores` and `hook_pattern` on the path. */
function decomposed(ctx: BuildContext, prefix: string, qkv: QueryKeyValue, mask: Value | undefined): Value {
  const capped = softCap(ctx, rawScores(ctx, qkv));
  const masked = mask === undefined ? capped : ctx.ops.add(capped, mask);
  const scores = ctx.hook(`${prefix}.hook_attn_scores`, masked, scoreAxes);
  const pattern = ctx.hook(`${prefix}.hook_pattern`, softmaxRows(ctx, scores), scoreAxes);
  return mixValues(ctx, pattern, qkv.v);
}

/** One kernel for scores, softmax and mixing; the pattern is an extra output when it is only read. */
function fused(ctx: BuildContext, prefix: string, qkv: QueryKeyValue, mask: Value | undefined): Value {
  const heads = Number(qkv.q.shape[2]);
  const pattern = `${prefix}.hook_pattern`;
  const wantsPattern = ctx.isWanted(pattern);
  const { output, qk } = ctx.ops.attention({
    q: joinHeads(ctx, qkv.q),
    k: joinHeads(ctx, qkv.k),
    v: joinHeads(ctx, qkv.v),
    ...(mask === undefined ? {} : { mask }),
    isCausal: false,
    scale: 1 / ctx.config.attnScale,
    qHeads: heads,
    kvHeads: Number(qkv.k.shape[2]),
    ...(wantsPattern ? { qkMatmulOutputMode: 3 } : {}),
  });
  if (wantsPattern && qk !== undefined) ctx.offer(pattern, scoreAxes, () => qk);
  return splitHeads(ctx, output, heads);
}

/** Whether the fused kernel can serve: no soft cap, nobody edits inside, nobody reads the scores. */
function canFuse(ctx: BuildContext, prefix: string): boolean {
  if (ctx.config.attnScoresSoftCap !== undefined) return false;
  return !ctx.isWanted(`${prefix}.hook_attn_scores`) && !ctx.isEdited(`${prefix}.hook_pattern`);
}

/** Attention from queries, keys and values to z `[batch, pos, head, dHead]`, before `hook_z`. */
export function attend(ctx: BuildContext, prefix: string, qkv: QueryKeyValue, spec: MaskSpec): Value {
  const mask = attentionMask(ctx, qkv.q, qkv.k, spec);
  return canFuse(ctx, prefix) ? fused(ctx, prefix, qkv, mask) : decomposed(ctx, prefix, qkv, mask);
}
