/** One block: its residual writes in order. */
import { InternalError } from "../../core/index.js";
import type { Value } from "../../graph/index.js";
import type { BlockWeights, NormWeights } from "../weights/weight-map.js";
import { attention, centered } from "./attention.js";
import type { BuildContext } from "./context.js";
import { mlp } from "./mlp.js";
import { type NormSpec, norm } from "./norm.js";
import { type ResidualWrite, residualWrites } from "./writes.js";

/** One block of a program. */
export interface BlockSpec {
  /** Hook prefix, such as `blocks.3`. */
  readonly name: string;
  /** Which layer's weights. */
  readonly layer: number;
  /** Position in the program. */
  readonly step: number;
  readonly weights: BlockWeights;
}

const stream = ["batch", "pos", "dModel"];

function normSpec(ctx: BuildContext, weights: NormWeights | undefined): NormSpec {
  return { kind: weights === undefined ? null : ctx.config.normalization, weights: weights ?? {}, axes: stream };
}

function postNorm(ctx: BuildContext, prefix: string, x: Value, weights: NormWeights | undefined): Value {
  return weights === undefined ? x : norm(ctx, prefix, x, normSpec(ctx, weights));
}

function attentionWrite(ctx: BuildContext, input: Value, { name, layer, step, weights }: BlockSpec): Value {
  const window = ctx.config.windows[layer];
  const out = attention(ctx, input, {
    block: name,
    step,
    weights: weights.attn,
    inputNorm: normSpec(ctx, weights.ln1),
    ...(window === undefined ? {} : { window }),
  });
  return postNorm(ctx, `${name}.ln1_post`, out, weights.ln1Post);
}

function mlpWrite(ctx: BuildContext, input: Value, { name, weights }: BlockSpec): Value {
  if (weights.mlp === undefined)
    throw new InternalError({
      where: name,
      got: "an MLP write without MLP weights",
      expected: "a weight map that matches the configuration",
      fix: "Report this as a bug of limpid.",
    });
  const out = centered(
    ctx,
    mlp(ctx, input, { block: name, weights: weights.mlp, inputNorm: normSpec(ctx, weights.ln2) }),
  );
  return postNorm(ctx, `${name}.ln2_post`, out, weights.ln2Post);
}

function sublayer(ctx: BuildContext, write: ResidualWrite, input: Value, spec: BlockSpec): Value {
  const value = write.name === "attn" ? attentionWrite(ctx, input, spec) : mlpWrite(ctx, input, spec);
  return ctx.hook(`${spec.name}.${write.output}`, value, stream);
}

/** Whether a stream site has a hook point: `resid_mid` of a parallel block is no place where anybody reads. */
function hasHookPoint(ctx: BuildContext, site: string): boolean {
  return !(site === "resid_mid" && ctx.config.parallelAttnMlp);
}

/** The stream after one block, `[batch, pos, dModel]`; `input` is the stream before it. */
export function block(ctx: BuildContext, input: Value, spec: BlockSpec): Value {
  const sites: Record<string, Value> = { resid_pre: ctx.hook(`${spec.name}.hook_resid_pre`, input, stream) };
  let current = sites["resid_pre"] ?? input;
  for (const write of residualWrites(ctx.config)) {
    const added = sublayer(ctx, write, sites[write.readSite] ?? current, spec);
    const sum = ctx.ops.add(current, added);
    current = hasHookPoint(ctx, write.writeSite) ? ctx.hook(`${spec.name}.hook_${write.writeSite}`, sum, stream) : sum;
    sites[write.writeSite] = current;
  }
  return current;
}
