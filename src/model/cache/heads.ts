/** What each attention head adds to the stream. */
import { InternalError } from "../../core/index.js";
import type { Tensor } from "../../tensor/index.js";
import type { Linear } from "../weights/weight-map.js";
import { type CacheContext, isEdited, need } from "./context.js";
import { refuseEditedWrites, writeHooks, writeTail } from "./layer-norm.js";
import { endOf, type Look, lookOf } from "./look.js";
import type { PartKind } from "./part-stack.js";
import { headProduct } from "./products.js";
import { selectPositions } from "./resid.js";
import { type StepWrite, stepLabel, writeOfLayer } from "./site.js";
import { checkStackSize, frameOf, frameWithout } from "./stack-builder.js";
import { finish, joinTails } from "./tail.js";
import type { HeadResultsOptions } from "./types.js";

/** The hook point that heads are read from: `hook_result` where it is captured, or edited and so needed. */
function headsHook(ctx: CacheContext, { step }: StepWrite): string {
  const result = `${step.name}.attn.hook_result`;
  return ctx.tensors.has(result) || isEdited(ctx, result) ? result : `${step.name}.attn.hook_z`;
}

function readHeads(ctx: CacheContext, write: StepWrite, look: Look): Tensor {
  const name = headsHook(ctx, write);
  return selectPositions(ctx, need(ctx, [name])(name), look);
}

function outputMatrix({ view }: CacheContext, { step }: StepWrite): Linear {
  const linear = view.core.map.blocks[step.layer]?.attn.o;
  if (linear !== undefined) return linear;
  throw new InternalError({
    where: step.name,
    got: "no such layer",
    expected: "a layer of the model",
    fix: "Report this as a bug of limpid.",
  });
}

async function headParts(ctx: CacheContext, write: StepWrite, look: Look): Promise<Tensor> {
  const activations = readHeads(ctx, write, look);
  const tail = joinTails(await writeTail(ctx, write, look), look.tail);
  const { directions, long } = look;
  // A captured result is what the product would give; centring it twice changes nothing.
  if (!activations.axes.includes("dHead")) return finish(activations.rename({ head: "component" }), tail, directions);
  return headProduct({ view: ctx.view, linear: outputMatrix(ctx, write), activations, tail, directions, long });
}

/** The heads of a model as parts of its attention sublayers, labelled `L0H0`, … */
export function headKind(ctx: CacheContext): PartKind {
  const { nHeads } = ctx.view.core.config;
  return {
    sublayer: "attn",
    hooks: (write) => [headsHook(ctx, write), ...writeHooks(ctx, write)],
    positions: (write, look) => frameWithout(readHeads(ctx, write, look), ["head", "dHead", "dModel"]),
    labels: ({ step }) => Array.from({ length: nHeads }, (_, head) => `L${stepLabel(step)}H${head}`),
    parts: (write, look) => headParts(ctx, write, look),
  };
}

/** The heads of one layer; see `ActivationCache.computeHeadResults`. */
export async function headResults(ctx: CacheContext, layer: number, options: HeadResultsOptions): Promise<Tensor> {
  const write = writeOfLayer(ctx, layer, "attn");
  const kind = headKind(ctx);
  refuseEditedWrites(ctx, [write]);
  need(ctx, kind.hooks(write));
  const look = await lookOf(ctx, options);
  const positions = kind.positions(write, look);
  const end = endOf(ctx, positions, look.directions);
  const { precision: dtype } = ctx.origin;
  const { config, memoryLimit } = ctx.view.core;
  checkStackSize({ where: ctx.where, count: config.nHeads, frame: frameOf(positions, end), dtype, memoryLimit });
  const parts = (await kind.parts(write, look)).rename({ component: "head" });
  return parts.transpose([...positions.axes, "head", ...end.axes]);
}
