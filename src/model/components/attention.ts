/** One attention sublayer: from the residual stream it reads to what it writes. */
import { UnsupportedError } from "../../core/index.js";
import type { Value } from "../../graph/index.js";
import type { AttentionWeights, Linear, NormWeights } from "../weights/weight-map.js";
import { attend, type QueryKeyValue } from "./attention-core.js";
import type { BuildContext } from "./context.js";
import { applyLinear, applyLinearPerHead, joinHeads, linearBias, perHeadResult, splitHeads } from "./linear.js";
import { type NormSpec, norm, plainNorm } from "./norm.js";
import { rotate } from "./rotary.js";

/** What one attention sublayer needs besides its input. */
export interface AttentionSpec {
  /** Hook prefix of the block, such as `blocks.3`. */
  readonly block: string;
  /** Position of this layer in the program, for the cache. */
  readonly step: number;
  readonly weights: AttentionWeights;
  /** The norm of the stream before the projections. */
  readonly inputNorm: NormSpec;
  readonly window?: number;
}

const headAxes = ["batch", "pos", "head", "dHead"];
const perHeadStream = ["batch", "pos", "head", "dModel"];

type Projections = { readonly q: Value; readonly k: Value; readonly v: Value };

/** The stream copied for each head: `[batch, pos, dModel] → [batch, pos, head, dModel]`. */
function copies(ctx: BuildContext, stream: Value, heads: number): Value {
  const [batch = "batch", pos = "pos", dModel = 0] = stream.shape;
  return ctx.ops.expand(ctx.ops.unsqueeze(stream, [2]), [batch, pos, heads, dModel], stream);
}

/** The gated per-head inputs of a block, and how many heads each has. */
function splitPoints(ctx: BuildContext, block: string): readonly { name: string; heads: number }[] {
  const { nHeads, nKeyValueHeads } = ctx.config;
  const points = [
    { name: `${block}.hook_q_input`, heads: nHeads },
    { name: `${block}.hook_k_input`, heads: nKeyValueHeads },
    { name: `${block}.hook_v_input`, heads: nKeyValueHeads },
  ];
  return nHeads === nKeyValueHeads ? [{ name: `${block}.hook_attn_in`, heads: nHeads }, ...points] : points;
}

/** The ordinary path: one norm, one product for all heads; per-head inputs are only copies to look at. */
function sharedProjections(ctx: BuildContext, stream: Value, spec: AttentionSpec): Projections {
  for (const { name, heads } of splitPoints(ctx, spec.block))
    ctx.offer(name, perHeadStream, () => copies(ctx, stream, heads));
  const x = norm(ctx, `${spec.block}.ln1`, stream, spec.inputNorm);
  const { nHeads, nKeyValueHeads } = ctx.config;
  const project = (linear: Linear, heads: number, bias = true): Value =>
    splitHeads(ctx, applyLinear(ctx, x, linear, bias), heads);
  return {
    q: project(spec.weights.q, nHeads),
    k: project(spec.weights.k, nKeyValueHeads),
    v: splitHeads(
      ctx,
      applyLinear(ctx, valueInput(ctx, x, spec), spec.weights.v, !ctx.processing.foldValueBiases),
      nKeyValueHeads,
    ),
  };
}

/** The norm's bias that counts as part of `b_V` when both are folded, `[dModel]`. */
function foldedNormBias(ctx: BuildContext, { inputNorm }: AttentionSpec): Value | undefined {
  const { foldLn, foldValueBiases } = ctx.processing;
  const { bias } = inputNorm.weights;
  return foldLn && foldValueBiases && bias !== undefined ? ctx.weight(bias) : undefined;
}

/** What values are projected from: the norm's output, without the bias that is folded away. */
function valueInput(ctx: BuildContext, x: Value, spec: AttentionSpec): Value {
  const bias = foldedNormBias(ctx, spec);
  return bias === undefined ? x : ctx.ops.sub(x, bias);
}

function refuseEditedNorm(ctx: BuildContext, block: string, input: string): void {
  const edited = [`${block}.ln1.hook_scale`, `${block}.ln1.hook_normalized`].find((name) => ctx.isEdited(name));
  if (edited === undefined) return;
  throw new UnsupportedError({
    where: edited,
    got: `an edit or gradient here and one at ${input}, which gives each head its own norm`,
    expected: "one of the two in a layer",
    fix: `Edit ${block}.hook_resid_pre or only one of these points.`,
  });
}

/** The split path: each head norms and projects its own, edited, copy of the stream. */
function splitProjections(ctx: BuildContext, stream: Value, spec: AttentionSpec): Projections {
  const { block, weights, inputNorm } = spec;
  refuseEditedNorm(ctx, block, `${block}.hook_q_input (or k, v, attn_in)`);
  norm(ctx, `${block}.ln1`, stream, inputNorm);
  const { nHeads, nKeyValueHeads } = ctx.config;
  const shared =
    nHeads === nKeyValueHeads
      ? ctx.hook(`${block}.hook_attn_in`, copies(ctx, stream, nHeads), perHeadStream)
      : undefined;
  const project = (letter: "q" | "k" | "v", heads: number, bias = true): Value => {
    const input = ctx.hook(`${block}.hook_${letter}_input`, shared ?? copies(ctx, stream, heads), perHeadStream);
    const x = plainNorm(ctx, `${block}.ln1`, input, inputNorm);
    return applyLinearPerHead(ctx, letter === "v" ? valueInput(ctx, x, spec) : x, weights[letter], bias);
  };
  return {
    q: project("q", nHeads),
    k: project("k", nKeyValueHeads),
    v: project("v", nKeyValueHeads, !ctx.processing.foldValueBiases),
  };
}

function headNorm(ctx: BuildContext, prefix: string, x: Value, weights: NormWeights | undefined): Value {
  return weights === undefined ? x : norm(ctx, prefix, x, { kind: "RMS", weights, axes: headAxes });
}

/** Rotates queries and keys and puts cached keys and values before the new ones. */
function positioned(ctx: BuildContext, spec: AttentionSpec, { q, k, v }: Projections): QueryKeyValue {
  const attn = `${spec.block}.attn`;
  const { rotary } = ctx.config;
  const turned = (name: string, x: Value): Value =>
    rotary === undefined ? x : ctx.hook(`${attn}.${name}`, rotate(ctx, x, rotary), headAxes);
  const query = turned("hook_rot_q", q);
  const key = turned("hook_rot_k", k);
  const past = ctx.inputs.past?.[spec.step];
  const keys = past === undefined ? key : ctx.ops.concat([past.key, key], 1);
  const values = past === undefined ? v : ctx.ops.concat([past.value, v], 1);
  ctx.output(`present.${spec.step}.key`, keys);
  ctx.output(`present.${spec.step}.value`, values);
  return { q: query, k: keys, v: values };
}

/** `z W_O + b_O`, through `hook_result` when an edit asks for the heads one by one. */
function writeOut(ctx: BuildContext, spec: AttentionSpec, z: Value): Value {
  const { ops } = ctx;
  const name = `${spec.block}.attn.hook_result`;
  const withBias = ctx.processing.foldValueBiases ? addValueBias(ctx, z, spec) : z;
  if (!ctx.isEdited(name)) {
    ctx.offer(name, perHeadStream, () => centered(ctx, perHeadResult(ctx, z, spec.weights.o)));
    return centered(ctx, applyLinear(ctx, joinHeads(ctx, withBias), spec.weights.o));
  }
  const result = ctx.hook(name, centered(ctx, perHeadResult(ctx, z, spec.weights.o)), perHeadStream);
  const sum = ops.squeeze(ops.reduceSum(result, [2]), [2]);
  const rest = restOfOutput(ctx, spec, z, withBias);
  return rest === undefined ? sum : ops.add(sum, rest);
}

/** What attention writes besides the heads' results: `b_O`, and the folded value bias. */
function restOfOutput(ctx: BuildContext, spec: AttentionSpec, z: Value, withBias: Value): Value | undefined {
  const bias = linearBias(ctx, spec.weights.o);
  const own = bias === undefined ? undefined : centered(ctx, bias);
  if (withBias === z) return own;
  const folded = centered(ctx, applyLinear(ctx, joinHeads(ctx, ctx.ops.sub(withBias, z)), spec.weights.o, false));
  return own === undefined ? folded : ctx.ops.add(folded, own);
}

/** The value bias that a folded view moves behind the pattern, `[kvHead·dHead]`. */
function foldedValueBias(ctx: BuildContext, spec: AttentionSpec): Value | undefined {
  const own = linearBias(ctx, spec.weights.v);
  const shift = foldedNormBias(ctx, spec);
  if (shift === undefined) return own;
  const { ops } = ctx;
  const moved = ops.squeeze(applyLinear(ctx, ops.unsqueeze(shift, [0, 1]), spec.weights.v, false), [0, 1]);
  return own === undefined ? moved : ops.add(own, moved);
}

/** Adds `b_V` of each head's group after the pattern, where rows of the pattern sum to 1. */
function addValueBias(ctx: BuildContext, z: Value, spec: AttentionSpec): Value {
  const bias = foldedValueBias(ctx, spec);
  if (bias === undefined) return z;
  const { nHeads, nKeyValueHeads } = ctx.config;
  const { ops } = ctx;
  const perGroup = ops.unsqueeze(splitHeads(ctx, bias, nKeyValueHeads), [1]);
  const dHead = Number(z.shape[3]);
  const repeated = ops.expand(perGroup, [nKeyValueHeads, nHeads / nKeyValueHeads, dHead]);
  return ops.add(z, ops.reshape(repeated, [nHeads, dHead]));
}

/** Subtracts the mean over `dModel` in a view with centred writing weights. */
export function centered(ctx: BuildContext, write: Value): Value {
  if (!ctx.processing.centerWritingWeights) return write;
  return ctx.ops.sub(write, ctx.ops.reduceMean(write, [write.shape.length - 1]));
}

/** What attention writes, before any post-norm: `[batch, pos, dModel]`. */
export function attention(ctx: BuildContext, stream: Value, spec: AttentionSpec): Value {
  const attn = `${spec.block}.attn`;
  const isSplit = splitPoints(ctx, spec.block).some(({ name }) => ctx.isEdited(name));
  const raw = isSplit ? splitProjections(ctx, stream, spec) : sharedProjections(ctx, stream, spec);
  const q = ctx.hook(`${attn}.hook_q`, raw.q, headAxes);
  const k = ctx.hook(`${attn}.hook_k`, raw.k, headAxes);
  const v = ctx.hook(`${attn}.hook_v`, raw.v, headAxes);
  const qkv = positioned(ctx, spec, {
    q: headNorm(ctx, `${attn}.q_norm`, q, spec.weights.qNorm),
    k: headNorm(ctx, `${attn}.k_norm`, k, spec.weights.kNorm),
    v,
  });
  const mask = spec.window === undefined ? {} : { window: spec.window };
  return writeOut(ctx, spec, ctx.hook(`${attn}.hook_z`, attend(ctx, attn, qkv, mask), headAxes));
}
