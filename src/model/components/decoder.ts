/** A whole transformer: embedding, a program of blocks, final norm, unembedding. */
import type { Value } from "../../graph/index.js";
import type { WeightMap } from "../weights/weight-map.js";
import { centered } from "./attention.js";
import { block } from "./block.js";
import { type BuildContext, floatConstant } from "./context.js";
import { applyLinear } from "./linear.js";
import { norm } from "./norm.js";

/** Which layers run, in order, and how the block of each step is named. */
export interface ProgramStep {
  readonly layer: number;
  /** Hook prefix: `blocks.3`, or `blocks.3~2` for the second time layer 3 runs. */
  readonly name: string;
}

/** The values at the joints of a decoder. */
export interface DecoderValues {
  /** The stream before each step of the program and after the last. */
  readonly stream: readonly Value[];
  /** `[batch, pos or count, dVocabOut]`. */
  readonly logits?: Value;
  /** `[batch, pos, dVocabOut]`, where logits of every slot are computed. */
  readonly allLogits?: Value;
}

const streamAxes = ["batch", "pos", "dModel"];

/** Names program steps: a layer that runs again gets `~2`, `~3`, … */
export function programSteps(layers: readonly number[]): readonly ProgramStep[] {
  const seen = new Map<number, number>();
  return layers.map((layer) => {
    const times = (seen.get(layer) ?? 0) + 1;
    seen.set(layer, times);
    return { layer, name: times === 1 ? `blocks.${layer}` : `blocks.${layer}~${times}` };
  });
}

function tokenEmbedding(ctx: BuildContext, map: WeightMap): Value | undefined {
  const { embeddings, tokens } = ctx.inputs;
  if (embeddings !== undefined) return embeddings;
  if (tokens === undefined) return undefined;
  ctx.offer("hook_tokens", ["batch", "pos"], () => ctx.ops.cast(tokens, "int32"));
  const rows = ctx.ops.gather(ctx.weight(map.embed), tokens, 0);
  const { embedScale } = ctx.config;
  return embedScale === 1 ? rows : ctx.ops.mul(rows, floatConstant(ctx, embedScale));
}

/** Learned positions; rows of padding slots are 0, as in TransformerLens. */
function positionEmbedding(ctx: BuildContext, name: string): Value {
  const { ops, inputs } = ctx;
  const rows = ops.gather(ctx.weight(name), inputs.positions, 0);
  if (inputs.queryIsReal === undefined) return rows;
  return ops.where(ops.unsqueeze(inputs.queryIsReal, [2]), rows, floatConstant(ctx, 0));
}

/** The stream before the first layer: `hook_embed + hook_pos_embed`, or the residual stream given. */
function embed(ctx: BuildContext, map: WeightMap): Value {
  const { residual } = ctx.inputs;
  const tokens = tokenEmbedding(ctx, map);
  if (residual !== undefined || tokens === undefined) return residual ?? ctx.inputs.positions;
  const embedded = ctx.hook("hook_embed", centered(ctx, tokens), streamAxes);
  if (map.posEmbed === undefined) return embedded;
  const positions = ctx.hook("hook_pos_embed", centered(ctx, positionEmbedding(ctx, map.posEmbed)), streamAxes);
  return ctx.ops.add(embedded, positions);
}

/** Keeps only the slots whose logits are wanted: `[batch, pos, d] → [batch, count, d]`. */
function wantedSlots(ctx: BuildContext, x: Value): Value {
  const { logitSlots } = ctx.inputs;
  if (logitSlots === undefined) return x;
  return ctx.ops.gatherND(x, ctx.ops.unsqueeze(logitSlots, [2]), 1);
}

/** `x W_U + b_U`, centred over the vocabulary where the view says so. */
function project(ctx: BuildContext, map: WeightMap, x: Value): Value {
  const logits = applyLinear(ctx, x, map.unembed);
  if (!ctx.processing.centerUnembed) return logits;
  return ctx.ops.sub(logits, ctx.ops.reduceMean(logits, [2]));
}

function softCapped(ctx: BuildContext, logits: Value): Value {
  const cap = ctx.config.outputLogitsSoftCap;
  if (cap === undefined) return logits;
  return ctx.ops.mul(ctx.ops.tanh(ctx.ops.div(logits, cap)), cap);
}

/** Final norm and unembedding; positions nobody asked for are dropped before the large product. */
export function unembed(
  ctx: BuildContext,
  map: WeightMap,
  stream: Value,
): Pick<DecoderValues, "allLogits"> & { readonly logits: Value } {
  const kind = map.lnFinal === undefined ? null : ctx.config.finalNormalization;
  const normed = norm(ctx, "ln_final", stream, { kind, weights: map.lnFinal ?? {}, axes: streamAxes });
  const input = ctx.hook("unembed.hook_in", normed, streamAxes);
  const isWhole = ctx.inputs.needsAllLogits || ctx.isWanted("unembed.hook_out");
  const raw = project(ctx, map, isWhole ? input : wantedSlots(ctx, input));
  const logits = softCapped(ctx, ctx.hook("unembed.hook_out", raw, ["batch", "pos", "dVocabOut"]));
  return isWhole ? { logits: wantedSlots(ctx, logits), allLogits: logits } : { logits };
}

/** Builds the graph of a program of layers. */
export function decoder(ctx: BuildContext, map: WeightMap, program: readonly ProgramStep[]): DecoderValues {
  const stream = [embed(ctx, map)];
  program.forEach(({ layer, name }, step) => {
    const weights = map.blocks[layer];
    const input = stream.at(-1);
    if (weights !== undefined && input !== undefined) stream.push(block(ctx, input, { name, layer, step, weights }));
  });
  const final = stream.at(-1);
  return final === undefined ? { stream } : { stream, ...unembed(ctx, map, final) };
}
