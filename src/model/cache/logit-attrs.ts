/**
 * Direct logit attribution: what each component adds to a token's logit.
 *
 * 1. `d` = direction of the token (minus that of the other one), through the final norm: `Mᵀ d`;
 * 2. attribution of component `c` = `c · Mᵀ d / scale`, with the norm's cached scale, so that a whole decomposition sums
 *    to the logit minus the biases of norm and unembedding.
 */
import { InputError, ShapeError } from "../../core/index.js";
import { stack as stackTensors, type Tensor } from "../../tensor/index.js";
import { type CacheContext, need, refuseEdits } from "./context.js";
import { type TokenReadout, tokenIds, tokenReadout } from "./directions.js";
import { alignScale, normHooks, normTail, openStack } from "./layer-norm.js";
import { siteOf } from "./site.js";
import { transposedMaps } from "./tail.js";
import type { LogitAttrs, LogitAttrsOptions, LogitBias, ResidStack } from "./types.js";

function difference(right: TokenReadout, wrong: TokenReadout): TokenReadout {
  const minus = (key: keyof LogitBias): Tensor => right.bias[key].sub(wrong.bias[key]);
  return {
    directions: right.directions.sub(wrong.directions),
    bias: { lnFinal: minus("lnFinal"), unembed: minus("unembed"), total: minus("total") },
  };
}

async function readout(ctx: CacheContext, { tokens, incorrectTokens }: LogitAttrsOptions): Promise<TokenReadout> {
  const right = await tokenReadout(ctx.view, tokenIds(ctx.view, tokens, `${ctx.where}: tokens`));
  if (incorrectTokens === undefined) return right;
  return difference(
    right,
    await tokenReadout(ctx.view, tokenIds(ctx.view, incorrectTokens, `${ctx.where}: incorrectTokens`)),
  );
}

function checkBatch(stack: Tensor, { hasBatchDim }: LogitAttrsOptions, where: string): void {
  if (hasBatchDim === undefined || hasBatchDim === stack.axes.includes("batch")) return;
  throw new InputError({
    where: `${where}: hasBatchDim`,
    got: `${hasBatchDim}, for a stack with axes ${stack.axes.join(", ")}`,
    expected: "what the stack's axis names say",
    fix: "Leave hasBatchDim out.",
  });
}

/** Tokens with a row or position axis must match the stack's, or attributions would silently be crossed. */
function checkTokens(stack: Tensor, directions: Tensor, where: string): void {
  const clashes = ["batch", "pos"].filter(
    (axis) =>
      directions.axes.includes(axis) && (!stack.axes.includes(axis) || stack.sizeOf(axis) !== directions.sizeOf(axis)),
  );
  if (clashes.length === 0) return;
  const sizes = (tensor: Tensor): string =>
    `[${tensor.axes.map((axis, i) => `${axis}=${tensor.shape[i] ?? 0}`).join(", ")}]`;
  throw new ShapeError({
    where: `${where}: tokens`,
    got: `tokens ${sizes(directions).replace(/, dModel=\d+/, "")} for a stack ${sizes(stack)}`,
    expected: "one token for all, or one per row (and position) of the stack",
    fix: 'To compare several tokens everywhere, pass a tensor of ids with an axis of its own, such as "token".',
  });
}

function refuseEditedLogits(ctx: CacheContext): void {
  refuseEdits(ctx, {
    hooks: ["unembed.hook_in", "unembed.hook_out"],
    law: "logits are the unembedding of the final norm's output",
    fix: "Edit the stream instead.",
  });
}

/** What each component of a stack adds to logits; see `ActivationCache.logitAttrs`. */
export async function logitAttrs(
  ctx: CacheContext,
  given: ResidStack | Tensor,
  options: LogitAttrsOptions,
): Promise<LogitAttrs> {
  const { stack, labels, posSlice } = openStack(given, ctx.where);
  checkBatch(stack, options, ctx.where);
  refuseEditedLogits(ctx);
  const site = siteOf(ctx, {});
  need(ctx, normHooks(ctx, site));
  const { directions, bias } = await readout(ctx, options);
  checkTokens(stack, directions, ctx.where);
  const tail = await normTail(ctx, site, { posSlice: options.posSlice ?? posSlice, batchSlice: options.batchSlice });
  const through = transposedMaps(directions, tail);
  const scale = tail.scale === undefined ? undefined : alignScale(tail.scale, stack, ctx.where);
  const attribute = (part: Tensor): Tensor => {
    const product: Tensor = part.matmul(through, "dModel");
    return scale === undefined ? product : product.div(scale);
  };
  const isStack = stack.axes.includes("component");
  const attrs = isStack ? stackTensors(stack.unbind("component").map(attribute), "component") : attribute(stack);
  const names = labels ?? (isStack ? Array.from({ length: stack.sizeOf("component") }, (_, i) => String(i)) : ["0"]);
  return { attrs, labels: names, bias };
}
