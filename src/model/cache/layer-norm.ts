/**
 * Norms on parts of a stream.
 *
 * With the cached scale `s` a norm is linear: a part `c` becomes `w ⊙ (c − mean c) / s` (no centring for RMS), which is
 * what the norm puts out for it without the bias `b`; all parts of a stream sum to the norm's output minus `b`. The gain
 * `w` is left out where the view folds it into the weights that follow (`foldLn`).
 */
import { InputError, ShapeError } from "../../core/index.js";
import type { Tensor } from "../../tensor/index.js";
import type { Normalization } from "../config.js";
import type { AxisSelection, PositionSelection } from "../edits/types.js";
import { type CacheContext, need, refuseEdits } from "./context.js";
import { normName, type Site, type StepWrite, siteOf } from "./site.js";
import { sliceAxis, slicePositions } from "./slice.js";
import { applyTail, centre, joinTails, noTail, type Tail, type TailMap } from "./tail.js";
import type { ApplyLnOptions, ResidStack } from "./types.js";
import { normBias, normGain } from "./vectors.js";

/** Which part of the cached scale belongs to a stack. */
export interface ScaleSelection {
  readonly posSlice?: PositionSelection | undefined;
  readonly batchSlice?: AxisSelection | undefined;
}

function isLayerNorm(kind: Normalization): boolean {
  return kind === "LN" || kind === "LNPre";
}

/** The kind of the norm that reads the stream at a place; `null` where there is none. */
function normKind({ view }: CacheContext, { next, isMlp }: Site): Normalization {
  const { config, map } = view.core;
  if (next === undefined) return map.lnFinal === undefined ? null : config.finalNormalization;
  const block = map.blocks[next.layer];
  return (isMlp ? block?.ln2 : block?.ln1) === undefined ? null : config.normalization;
}

/** The norm's name among the weights: `blocks.1.ln1` also for the second time that layer 1 runs. */
function weightName(name: string): string {
  return name.replace(/~\d+/, "");
}

/** The fixed part of a norm: centring for layer norm, then the gain unless it is folded away. */
async function normMaps({ view }: CacheContext, name: string, kind: Normalization): Promise<readonly TailMap[]> {
  const gain = await normGain(view, weightName(name));
  return [...(isLayerNorm(kind) ? (["centre"] as const) : []), ...(gain === undefined ? [] : [gain])];
}

/** A cached scale `[batch, pos]`, cut to the stack's rows and positions. */
function scaleOf(ctx: CacheContext, name: string, { posSlice, batchSlice }: ScaleSelection): Tensor {
  const hook = `${name}.hook_scale`;
  const whole = need(ctx, [hook])(hook).squeeze("dModel");
  const sliced = slicePositions(whole, posSlice, ctx.origin.realSlots, `${ctx.where}: posSlice`);
  return sliceAxis(sliced, "batch", batchSlice, `${ctx.where}: batchSlice`);
}

/** Hook points that the norm at a place needs; none where there is no norm. */
export function normHooks(ctx: CacheContext, site: Site): readonly string[] {
  return normKind(ctx, site) === null ? [] : [`${normName(site)}.hook_scale`];
}

/** The name of the norm at a place, or `undefined` where there is none. */
export function appliedNorm(ctx: CacheContext, site: Site): string | undefined {
  return normKind(ctx, site) === null ? undefined : normName(site);
}

function refuseEditedNorm(ctx: CacheContext, site: Site): void {
  const name = normName(site);
  const input = site.isMlp && site.next !== undefined ? [`${site.next.name}.hook_mlp_in`] : [];
  refuseEdits(ctx, {
    hooks: [`${name}.hook_normalized`, ...input],
    law: `${name} puts out its input over its scale`,
    fix: "Leave the norm out, or edit the stream instead.",
  });
}

/** The norm at a place as a linear map, with its cached scale. */
export async function normTail(ctx: CacheContext, site: Site, selection: ScaleSelection): Promise<Tail> {
  const kind = normKind(ctx, site);
  if (kind === null) return noTail;
  refuseEditedNorm(ctx, site);
  const name = normName(site);
  return { maps: await normMaps(ctx, name, kind), scale: scaleOf(ctx, name, selection) };
}

/** The prefix of the norm behind a sublayer, where the architecture has one (Gemma 2). */
function postNorm({ view }: CacheContext, { step, write }: StepWrite): string | undefined {
  const block = view.core.map.blocks[step.layer];
  const weights = write.name === "attn" ? block?.ln1Post : block?.ln2Post;
  return weights === undefined ? undefined : `${step.name}.${write.name === "attn" ? "ln1_post" : "ln2_post"}`;
}

/** Hook points that the way from inside a sublayer to the stream needs. */
export function writeHooks(ctx: CacheContext, write: StepWrite): readonly string[] {
  const post = postNorm(ctx, write);
  return post === undefined ? [] : [`${post}.hook_scale`];
}

/** Refuses runs in which what a sublayer's parts add up to is not what it wrote. */
export function refuseEditedWrites(ctx: CacheContext, writes: readonly StepWrite[]): void {
  const hooks = writes.flatMap((one) => {
    const post = postNorm(ctx, one);
    return [`${one.step.name}.${one.write.output}`, ...(post === undefined ? [] : [`${post}.hook_normalized`])];
  });
  refuseEdits(ctx, {
    hooks,
    law: "heads and neurons reach the stream unchanged",
    fix: "Use decomposeResid, which reads what was written, or edit the heads (z, result) or neurons (post) instead.",
  });
}

/** What a sublayer does to its heads' or neurons' results on the way to the stream: centring and the norm behind it. */
export async function writeTail(ctx: CacheContext, write: StepWrite, selection: ScaleSelection): Promise<Tail> {
  const centred: Tail = ctx.view.processing.centerWritingWeights ? { maps: ["centre"] } : noTail;
  const post = postNorm(ctx, write);
  if (post === undefined) return centred;
  const maps = await normMaps(ctx, post, ctx.view.core.config.normalization);
  return joinTails(centred, { maps, scale: scaleOf(ctx, post, selection) });
}

/** The bias of the norm behind a sublayer, `[dModel]`. */
export async function postNormBias(ctx: CacheContext, write: StepWrite): Promise<Tensor | undefined> {
  const post = postNorm(ctx, write);
  return post === undefined ? undefined : normBias(ctx.view, weightName(post));
}

/** The stack as a tensor, and what is known of it. */
export function openStack(
  stack: ResidStack | Tensor,
  where: string,
): { readonly stack: Tensor; readonly labels?: readonly string[]; readonly posSlice?: PositionSelection | undefined } {
  if (!("stack" in stack)) return { stack };
  if (stack.norm === undefined) return stack;
  throw new InputError({
    where,
    got: `a stack to which ${stack.norm} was applied already`,
    expected: "contributions to the stream",
    fix: "Make the stack without applyLn.",
  });
}

/**
 * Returns a scale whose `batch` and `pos` axes are the stack's.
 *
 * @throws ShapeError where they differ, because the scale would be repeated silently.
 */
export function alignScale(scale: Tensor, stack: Tensor, where: string): Tensor {
  const loose = scale.axes.filter((axis) => !stack.axes.includes(axis) && scale.sizeOf(axis) === 1);
  const aligned = scale.squeeze(loose);
  const agrees = (axis: string): boolean => {
    const [inScale, inStack] = [aligned.axes.includes(axis), stack.axes.includes(axis)];
    return inScale === inStack && (!inScale || aligned.sizeOf(axis) === stack.sizeOf(axis));
  };
  if (["batch", "pos"].every(agrees)) return aligned;
  const shape = (tensor: Tensor): string =>
    `[${tensor.axes.map((axis, i) => `${axis}=${tensor.shape[i] ?? 0}`).join(", ")}]`;
  throw new ShapeError({
    where,
    got: `a stack ${shape(stack)} and a cached norm scale ${shape(scale)}`,
    expected: "the same batch and pos axes",
    fix: "Say with posSlice and batchSlice which positions and rows the stack was made for.",
  });
}

/** Each entry through the norm with its own mean and scale: what the logit lens asks. */
export async function recomputedNorm(ctx: CacheContext, site: Site, stack: Tensor): Promise<Tensor> {
  const kind = normKind(ctx, site);
  if (kind === null) return stack;
  const centred = isLayerNorm(kind) ? centre(stack) : stack;
  const variance = centred.square().mean("dModel", { keepAxis: true });
  const normalized: Tensor = centred.div(variance.add(ctx.view.core.config.eps).sqrt());
  const gain = await normGain(ctx.view, weightName(normName(site)));
  return gain === undefined ? normalized : normalized.mul(gain);
}

/** Applies the norm at a place to a stack; see `ActivationCache.applyLnToStack`. */
export async function applyNorm(
  ctx: CacheContext,
  given: ResidStack | Tensor,
  options: ApplyLnOptions,
): Promise<Tensor> {
  const { stack, posSlice } = openStack(given, ctx.where);
  const site = siteOf(ctx, options);
  if (options.recomputeLn === true) return recomputedNorm(ctx, site, stack);
  const tail = await normTail(ctx, site, { posSlice: options.posSlice ?? posSlice, batchSlice: options.batchSlice });
  const scale = tail.scale === undefined ? {} : { scale: alignScale(tail.scale, stack, ctx.where) };
  return applyTail(stack, { maps: tail.maps, ...scale });
}
