/**
 * The rule of fused attention.
 *
 * The pattern `P` is made again (0 in rows where every key is masked). With `O = P V`, `S` the scores after
 * scale, cap and mask, and `dO` the gradient of the output:
 * 1. `dV = P^T dO`, `dP = dO V^T`;
 * 2. `dS = P (dP - sum(dP P))`, where the sum over keys equals `sum(dO O)` over the head's entries;
 * 3. `dS` passes the soft cap `c tanh(s / c)` by `1 - tanh^2`;
 * 4. `dQ = scale dS K`, `dK = scale dS^T Q`.
 * Query heads that share keys are folded into the rows of one matrix, which adds up their gradients.
 */
import { dimMul, type Ops, type Value } from "../../graph/index.js";
import { each, type Rule, type RuleContext } from "../rule.js";
import { reshapeLike, reshapeTo } from "../shapes.js";

/** `[batch, pos, head*width]` to `[batch, head, pos, width]`; four axes stay. */
function splitHeads(ops: Ops, x: Value, heads: number): Value {
  if (x.shape.length === 4) return x;
  const [batch = 1, pos = 1, flat = 1] = x.shape;
  const apart = reshapeTo(ops, x, [batch, pos, heads, Number(flat) / heads]);
  return ops.transpose(apart, [0, 2, 1, 3]);
}

/** Back to the layout of `like`. */
function mergeHeads(ops: Ops, x: Value, like: Value): Value {
  return like.shape.length === 4 ? reshapeLike(ops, x, like) : reshapeLike(ops, ops.transpose(x, [0, 2, 1, 3]), like);
}

/** `[batch, head, pos, width]` to `[batch, group, heads of the group * pos, width]`. */
function fold(ops: Ops, x: Value, groups: number): Value {
  const [batch = 1, heads = 1, pos = 1, width = 1] = x.shape;
  const shared = Number(heads) / groups;
  return shared === 1 ? x : reshapeTo(ops, x, [batch, groups, dimMul(shared, pos), width]);
}

function unfold(ops: Ops, x: Value, heads: number, like: Value): Value {
  const [batch = 1, groups = 1, , width = 1] = x.shape;
  return groups === heads ? x : reshapeTo(ops, x, [batch, heads, like.shape.at(-2) ?? 1, width], like);
}

/**
 * What the forward part made, made again for the backward part.
 *
 * Nodes that are added later run earlier where the runtime may choose. So what is made again is only combined with
 * values that are added after it: else it would be made in the forward part and kept until it is needed.
 */
interface Remade {
  readonly pattern: Value;
  /** All keys and values, past ones first: `[batch, group, key, width]`. */
  readonly keys: Value;
  readonly values: Value;
}

/** The kernel once more, with the pattern as its fourth output. */
function remadeByKernel(context: RuleContext, inputs: readonly (Value | undefined)[], groups: number): Remade {
  const { ops, node } = context;
  const attributes = { ...node.attributes, qk_matmul_output_mode: 3 };
  const [q = context.input(0), k = q, v = q] = inputs;
  const [, , , pattern = q] = ops.builder.ops("Attention", inputs, attributes, 4);
  return {
    pattern: ops.builder.op("Reshape", [pattern, ops.ints([0, 0, 0, 0])]),
    keys: splitHeads(ops, k, groups),
    values: splitHeads(ops, v, groups),
  };
}

/** Step by step: with past keys the runtime's planner takes the kernel's fourth output for too small. */
function remadeBySteps(context: RuleContext, inputs: readonly (Value | undefined)[], groups: number): Remade {
  const { ops } = context;
  const [q = context.input(0), k = q, v = q, mask, pastKey, pastValue] = inputs;
  const isFlat = q.shape.length === 3;
  const scale = context.number("scale", 0);
  const steps = ops.attentionSteps({
    q,
    k,
    v,
    isCausal: context.number("is_causal", 0) === 1,
    softcap: context.number("softcap", 0),
    ...(scale === 0 ? {} : { scale }),
    ...(mask === undefined ? {} : { mask }),
    ...(pastKey === undefined ? {} : { pastKey }),
    ...(pastValue === undefined ? {} : { pastValue }),
    ...(isFlat ? { qHeads: context.number("q_num_heads", 1), kvHeads: groups } : {}),
  });
  return { pattern: steps.pattern, keys: steps.presentKey, values: steps.presentValue };
}

/** One attention node, read for its backward part. */
class AttentionParts {
  readonly context: RuleContext;
  readonly heads: number;
  readonly groups: number;
  readonly scale: number;
  readonly mode: number;
  readonly pattern: Value;
  readonly keys: Value;
  readonly values: Value;
  /** `[batch, head, pos, width]`. */
  readonly queries: Value;

  constructor(context: RuleContext) {
    const { ops, node } = context;
    this.context = context;
    const inputs = node.inputs.map((value, index) => (value === undefined ? undefined : context.input(index)));
    const [q = context.input(0), k = q] = inputs;
    this.heads = q.shape.length === 4 ? Number(q.shape[1]) : context.number("q_num_heads", 1);
    this.groups = k.shape.length === 4 ? Number(k.shape[1]) : context.number("kv_num_heads", 1);
    this.mode = context.number("qk_matmul_output_mode", 0);
    const remake = node.inputs[4] === undefined ? remadeByKernel : remadeBySteps;
    const { pattern, keys, values } = remake(context, inputs, this.groups);
    this.pattern = pattern;
    this.keys = keys;
    this.values = values;
    this.queries = splitHeads(ops, q, this.heads);
    this.scale = context.number("scale", 1 / Math.sqrt(Number(this.queries.shape[3])));
  }

  fold(x: Value): Value {
    return fold(this.context.ops, x, this.groups);
  }

  /** Gradient of the output, `[batch, head, pos, width]`. */
  outputGradient(): Value | undefined {
    const g = this.context.optionalGradient(0);
    return g === undefined ? undefined : splitHeads(this.context.ops, g, this.heads);
  }

  /** Gradient of the scores or pattern that the node hands out, where they are of this mode. */
  qkGradient(mode: number): Value | undefined {
    return this.mode === mode ? this.context.optionalGradient(3) : undefined;
  }
}

function addTo(ops: Ops, a: Value | undefined, b: Value | undefined): Value | undefined {
  return a === undefined || b === undefined ? (a ?? b) : ops.add(a, b);
}

/** `sum(dP P)` for each query: over the entries of the output where the pattern itself has no gradient. */
function rowSums(parts: AttentionParts, dPattern: Value): Value {
  const { context, pattern, heads } = parts;
  const { ops } = context;
  const g = context.optionalGradient(0);
  if (g === undefined || parts.qkGradient(3) !== undefined) return ops.reduceSum(ops.mul(dPattern, pattern), [-1]);
  const product = ops.mul(g, context.output());
  if (product.shape.length === 4) return ops.reduceSum(product, [-1]);
  const [batch = 1, pos = 1, flat = 1] = product.shape;
  const apart = reshapeTo(ops, product, [batch, pos, heads, Number(flat) / heads]);
  return ops.transpose(ops.reduceSum(apart, [-1]), [0, 2, 1, 3]);
}

/** Gradient of the masked scores, `[batch, head, pos, key]`; undefined when only the raw ones have one. */
function maskedGradient(parts: AttentionParts): Value | undefined {
  const { context, pattern, values } = parts;
  const { ops } = context;
  const g = parts.outputGradient();
  const product = g === undefined ? undefined : ops.fusedMatmul(parts.fold(g), values, { transB: true });
  const fromOutput = product === undefined ? undefined : unfold(ops, product, parts.heads, pattern);
  const dPattern = addTo(ops, fromOutput, parts.qkGradient(3));
  const own = dPattern === undefined ? undefined : ops.mul(pattern, ops.sub(dPattern, rowSums(parts, dPattern)));
  return addTo(ops, own, parts.qkGradient(2));
}

/** Gradient of the raw scores from that of the masked ones. */
function rawGradient(parts: AttentionParts, masked: Value | undefined): Value | undefined {
  const { context, keys, queries, scale } = parts;
  const { ops } = context;
  const capped = addTo(ops, masked, parts.qkGradient(1));
  const cap = context.number("softcap", 0);
  if (cap <= 0 || capped === undefined) return addTo(ops, capped, parts.qkGradient(0));
  const folded = ops.fusedMatmul(parts.fold(queries), keys, { transB: true, alpha: scale / cap });
  const bent = ops.tanh(unfold(ops, folded, parts.heads, queries));
  const passed = ops.mul(capped, ops.sub(1, ops.mul(bent, bent)));
  return addTo(ops, passed, parts.qkGradient(0));
}

/** Splits the gradient of all keys or values into that of the past and that of the new ones. */
function parted(parts: AttentionParts, all: Value | undefined, index: number): readonly (Value | undefined)[] {
  const { context } = parts;
  const { ops, node } = context;
  const [own, past] = [node.inputs[index], node.inputs[index + 3]];
  const total = addTo(ops, all, context.optionalGradient(index));
  if (total === undefined || own === undefined) return [undefined, undefined];
  if (past === undefined) return [mergeHeads(ops, total, own), undefined];
  const sizes = ops.sizes([past.shape[2] ?? 0, own.shape[own.shape.length === 4 ? 2 : 1] ?? 0], past, own);
  const [first = total, second = total] = ops.builder.ops("Split", [total, sizes], { axis: 2 }, 2);
  return [mergeHeads(ops, second, own), first];
}

/** Fused attention: grouped heads, masks, past keys, soft cap, and any of its outputs. */
export const attention: Rule = (context) => {
  const { ops, node } = context;
  const parts = new AttentionParts(context);
  const { scale, keys, queries } = parts;
  const g = parts.outputGradient();
  const masked = maskedGradient(parts);
  const raw = rawGradient(parts, masked);
  const scores = raw === undefined ? undefined : parts.fold(raw);
  const product = (a: Value | undefined, b: Value, alpha: number, transA: boolean): Value | undefined =>
    a === undefined ? undefined : ops.fusedMatmul(a, b, { transA, alpha });
  const dQueries = (): Value | undefined => {
    const folded = product(scores, keys, scale, false);
    return folded === undefined
      ? undefined
      : mergeHeads(ops, unfold(ops, folded, parts.heads, queries), node.inputs[0] ?? queries);
  };
  const dValues = g === undefined ? undefined : product(parts.fold(parts.pattern), parts.fold(g), 1, true);
  const [k, pastKey] = parted(parts, product(scores, parts.fold(queries), scale, true), 1);
  const [v, pastValue] = parted(parts, dValues, 2);
  return each(
    context,
    dQueries,
    () => k,
    () => v,
    () => masked,
    () => pastKey,
    () => pastValue,
  );
};
