/** Layer norm and root-mean-square norm with TransformerLens's two hook points. */
import type { Value } from "../../graph/index.js";
import type { Normalization } from "../config.js";
import type { NormWeights } from "../weights/weight-map.js";
import { type BuildContext, floatConstant } from "./context.js";

/** One norm of a model. */
export interface NormSpec {
  readonly kind: Normalization;
  readonly weights: NormWeights;
  /** Axis names of the normalised value. */
  readonly axes: readonly string[];
}

const isRms = (kind: Normalization): boolean => kind === "RMS" || kind === "RMSPre";

/** The gain `w` (or `1 + w`), or `undefined` in the `Pre` variants. */
function gain(ctx: BuildContext, weights: NormWeights): Value | undefined {
  if (weights.weight === undefined) return undefined;
  const stored = ctx.weight(weights.weight);
  return ctx.config.gainOffset === 0 ? stored : ctx.ops.add(stored, floatConstant(ctx, 1));
}

function applyGain(ctx: BuildContext, normalized: Value, weights: NormWeights): Value {
  const w = gain(ctx, weights);
  const scaled = w === undefined ? normalized : ctx.ops.mul(normalized, w);
  return weights.bias === undefined ? scaled : ctx.ops.add(scaled, ctx.weight(weights.bias));
}

/** One fused kernel; the same to 1e-6 as the steps that {@link decomposed} takes. */
function fused(ctx: BuildContext, x: Value, { kind, weights }: NormSpec): Value {
  const size = Number(x.shape.at(-1));
  const w =
    gain(ctx, weights) ??
    floatConstant(
      ctx,
      Array.from({ length: size }, () => 1),
      [size],
    );
  if (isRms(kind)) return ctx.ops.rmsNorm(x, w, ctx.config.eps);
  const b = weights.bias === undefined ? undefined : ctx.weight(weights.bias);
  return ctx.ops.layerNorm(x, w, b, ctx.config.eps);
}

/** `centered / scale`, then gain and bias, with both intermediate values passed through `name`. */
function decomposed(ctx: BuildContext, x: Value, spec: NormSpec, name: (point: string, value: Value) => Value): Value {
  const { ops } = ctx;
  const axis = x.shape.length - 1;
  const centered = isRms(spec.kind) ? x : ops.sub(x, ops.reduceMean(x, [axis]));
  const variance = ops.reduceMean(ops.mul(centered, centered), [axis]);
  const scale = name("hook_scale", ops.sqrt(ops.add(variance, floatConstant(ctx, ctx.config.eps))));
  return applyGain(ctx, name("hook_normalized", ops.div(centered, scale)), spec.weights);
}

/**
 * Normalises the last axis; `prefix.hook_scale` is √(var + eps) and `prefix.hook_normalized` is the value before gain
 * and bias.
 */
export function norm(ctx: BuildContext, prefix: string, x: Value, spec: NormSpec): Value {
  if (spec.kind === null) return x;
  const points = [`${prefix}.hook_scale`, `${prefix}.hook_normalized`];
  if (ctx.precision === "float32" && !points.some((point) => ctx.isWanted(point))) return fused(ctx, x, spec);
  return decomposed(ctx, x, spec, (point, value) => ctx.hook(`${prefix}.${point}`, value, spec.axes));
}

/** Normalises without hook points: each head's own copy of the stream that `prefix` normalises. */
export function plainNorm(ctx: BuildContext, prefix: string, x: Value, spec: NormSpec): Value {
  if (spec.kind === null) return x;
  return decomposed(ctx, x, spec, (point, value) => ctx.ownCopy?.(`${prefix}.${point}`, value) ?? value);
}
