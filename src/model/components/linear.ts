/** Linear maps over weights as they are stored: nothing is copied, fused outputs are split on the activation side. */
import type { Value } from "../../graph/index.js";
import type { Linear, Part } from "../weights/weight-map.js";
import type { BuildContext } from "./context.js";

function last(value: Value): number {
  const size = value.shape.at(-1);
  return typeof size === "number" ? size : Number.NaN;
}

/** Takes a linear map's own outputs out of the last axis of a fused product. */
function takePart(ctx: BuildContext, product: Value, part: Part | undefined): Value {
  if (part === undefined) return product;
  const axis = product.shape.length - 1;
  if (part.kind === "blocks") return ctx.ops.slice(product, axis, part.from, part.from + part.size);
  const { heads, of, index } = part;
  const lead = product.shape.slice(0, -1);
  const dHead = last(product) / (heads * of);
  const split = ctx.ops.reshape(product, [...lead, heads, of, dHead]);
  const own = ctx.ops.slice(split, axis + 1, index, index + 1);
  return ctx.ops.reshape(own, [...lead, heads * dHead]);
}

/** The stored matrix as `[in, out]` or `[out, in]`; TransformerLens's `W_O [head, dHead, dModel]` is `[in, out]` too. */
function matrix(ctx: BuildContext, { weight, shape }: Linear): Value {
  if (shape.length === 2) return ctx.weight(weight);
  const [heads = 0, dHead = 0, outputs = 0] = shape;
  return ctx.weight(weight, { shape: [heads * dHead, outputs] });
}

/** `x W` over the whole stored matrix, fused outputs included. */
function product(ctx: BuildContext, x: Value, linear: Linear): Value {
  const { ops } = ctx;
  if (linear.layout === "out-in") return ops.fusedMatmul(x, matrix(ctx, linear), { transB: true });
  if (linear.layout === "in-out") return ops.matmul(x, matrix(ctx, linear));
  const [heads = 0, , dHead = 0] = linear.shape;
  const perHead = ops.matmul(ops.unsqueeze(x, [1]), ctx.weight(linear.weight));
  const lead = x.shape.slice(0, -1);
  return ops.reshape(ops.transpose(perHead, [0, 2, 1, 3]), [...lead, heads * dHead]);
}

/** The bias of a linear map as a vector `[out]`, or `undefined`. */
export function linearBias(ctx: BuildContext, linear: Linear): Value | undefined {
  if (linear.bias === undefined) return undefined;
  if (linear.layout === "head-in-out") {
    const [heads = 0, , dHead = 0] = linear.shape;
    return ctx.weight(linear.bias, { shape: [heads * dHead] });
  }
  if (linear.part?.kind === "blocks")
    return ctx.weight(linear.bias, { shape: [linear.part.size], offset: linear.part.from });
  return takePart(ctx, ctx.weight(linear.bias), linear.part);
}

/** `x W + b`, `[batch, pos, in] → [batch, pos, out]`; without the bias when `bias` is false. */
export function applyLinear(ctx: BuildContext, x: Value, linear: Linear, bias = true): Value {
  const out = takePart(ctx, product(ctx, x, linear), linear.part);
  const b = bias ? linearBias(ctx, linear) : undefined;
  return b === undefined ? out : ctx.ops.add(out, b);
}

/** Splits the last axis into heads: `[batch, pos, head·dHead] → [batch, pos, head, dHead]`. */
export function splitHeads(ctx: BuildContext, x: Value, heads: number): Value {
  return ctx.ops.reshape(x, [...x.shape.slice(0, -1), heads, last(x) / heads]);
}

/** Joins heads: `[batch, pos, head, dHead] → [batch, pos, head·dHead]`. */
export function joinHeads(ctx: BuildContext, x: Value): Value {
  const [heads = 0, dHead = 0] = x.shape.slice(-2).map(Number);
  return ctx.ops.reshape(x, [...x.shape.slice(0, -2), heads * dHead]);
}

/**
 * The matrix of each head as a value `[head, in, dHead]`, rearranged while the graph runs.
 *
 * Only the rarely asked per-head inputs need it; the ordinary path never touches a weight.
 */
function headMatrices(ctx: BuildContext, linear: Linear, heads: number): Value {
  const { ops } = ctx;
  if (linear.layout === "head-in-out") return ctx.weight(linear.weight);
  const stored = matrix(ctx, linear);
  const inOut = linear.layout === "in-out" ? stored : ops.transpose(stored, [1, 0]);
  const own = takePart(ctx, inOut, linear.part);
  return ops.transpose(splitHeads(ctx, own, heads), [1, 0, 2]);
}

/**
 * Projects a separate input for each head: `[batch, pos, head, in] → [batch, pos, head, dHead]`, bias included unless
 * `bias` is false.
 */
export function applyLinearPerHead(ctx: BuildContext, x: Value, linear: Linear, bias = true): Value {
  const { ops } = ctx;
  const heads = Number(x.shape[2]);
  const out = ops.matmul(ops.transpose(x, [0, 2, 1, 3]), headMatrices(ctx, linear, heads));
  const perHead = ops.transpose(out, [0, 2, 1, 3]);
  const b = bias ? linearBias(ctx, linear) : undefined;
  return b === undefined ? perHead : ops.add(perHead, splitHeads(ctx, b, heads));
}

/**
 * What each head writes before the heads are summed: `[batch, pos, head, dHead] → [batch, pos, head, dModel]`.
 *
 * Equation: `result_h = z_h W_O[h]` (Elhage et al. 2021).
 */
export function perHeadResult(ctx: BuildContext, z: Value, output: Linear): Value {
  const { ops } = ctx;
  const heads = Number(z.shape[2]);
  const dHead = Number(z.shape[3]);
  const stored = matrix(ctx, output);
  const inOut = output.layout === "out-in" ? ops.transpose(stored, [1, 0]) : stored;
  const matrices = ops.reshape(inOut, [heads, dHead, ctx.config.dModel]);
  const result = ops.matmul(ops.transpose(z, [0, 2, 1, 3]), matrices);
  return ops.transpose(result, [0, 2, 1, 3]);
}
