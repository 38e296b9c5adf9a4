/** One MLP sublayer, plain or gated. */
import type { Value } from "../../graph/index.js";
import type { ActivationFunction } from "../config.js";
import type { MlpWeights } from "../weights/weight-map.js";
import type { BuildContext } from "./context.js";
import { applyLinear } from "./linear.js";
import { type NormSpec, norm } from "./norm.js";

/** What one MLP needs besides its input. */
export interface MlpSpec {
  readonly block: string;
  readonly weights: MlpWeights;
  readonly inputNorm: NormSpec;
}

const neurons = ["batch", "pos", "dMlp"];
const stream = ["batch", "pos", "dModel"];

function activate(ctx: BuildContext, x: Value, actFn: ActivationFunction): Value {
  if (actFn === "relu") return ctx.ops.relu(x);
  if (actFn === "silu") return ctx.ops.silu(x);
  return ctx.ops.gelu(x, { approximate: actFn === "geluNew" ? "tanh" : "none" });
}

/** `hook_pre`, then the activation, times `hook_pre_linear` where gated. */
function activations(ctx: BuildContext, x: Value, { block, weights }: MlpSpec): Value {
  const pre = ctx.hook(`${block}.mlp.hook_pre`, applyLinear(ctx, x, weights.gate ?? weights.in), neurons);
  const active = activate(ctx, pre, ctx.config.actFn);
  if (weights.gate === undefined) return active;
  const linear = ctx.hook(`${block}.mlp.hook_pre_linear`, applyLinear(ctx, x, weights.in), neurons);
  const product = ctx.ops.mul(active, linear);
  return weights.postBias === undefined ? product : ctx.ops.add(product, ctx.weight(weights.postBias));
}

/** What the MLP writes, before any post-norm: `[batch, pos, dModel]`. */
export function mlp(ctx: BuildContext, resid: Value, spec: MlpSpec): Value {
  const input = ctx.hook(`${spec.block}.hook_mlp_in`, resid, stream);
  const x = ctx.hook(`${spec.block}.mlp.hook_in`, norm(ctx, `${spec.block}.ln2`, input, spec.inputNorm), stream);
  const post = ctx.hook(`${spec.block}.mlp.hook_post`, activations(ctx, x, spec), neurons);
  return applyLinear(ctx, post, spec.weights.out);
}
