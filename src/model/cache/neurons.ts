/** What each MLP neuron adds to the stream. */
import { InternalError } from "../../core/index.js";
import type { Tensor } from "../../tensor/index.js";
import { selectedIndices } from "../edits/positions.js";
import type { AxisSelection } from "../edits/types.js";
import type { Linear } from "../weights/weight-map.js";
import { type CacheContext, need } from "./context.js";
import { refuseEditedWrites, writeHooks, writeTail } from "./layer-norm.js";
import { endOf, type Look, lookOf } from "./look.js";
import type { PartKind } from "./part-stack.js";
import { neuronProduct } from "./products.js";
import { selectPositions } from "./resid.js";
import { type StepWrite, stepLabel, writeOfLayer } from "./site.js";
import { dropsAxis, sliceAxis } from "./slice.js";
import { checkStackSize, frameOf, frameWithout } from "./stack-builder.js";
import { joinTails } from "./tail.js";
import type { NeuronResultsOptions } from "./types.js";

function neuronsHook({ step }: StepWrite): string {
  return `${step.name}.mlp.hook_post`;
}

function readNeurons(ctx: CacheContext, write: StepWrite, look: Look): Tensor {
  const name = neuronsHook(write);
  return selectPositions(ctx, need(ctx, [name])(name), look);
}

function outputMatrix({ view }: CacheContext, { step }: StepWrite): Linear {
  const linear = view.core.map.blocks[step.layer]?.mlp?.out;
  if (linear !== undefined) return linear;
  throw new InternalError({
    where: step.name,
    got: "no MLP",
    expected: "a layer with an MLP",
    fix: "Report this as a bug of limpid.",
  });
}

async function neuronParts(
  ctx: CacheContext,
  write: StepWrite,
  look: Look,
  neurons: readonly number[],
): Promise<Tensor> {
  const activations = sliceAxis(readNeurons(ctx, write, look), "dMlp", neurons, ctx.where);
  const tail = joinTails(await writeTail(ctx, write, look), look.tail);
  const { directions, long } = look;
  return neuronProduct(
    { view: ctx.view, linear: outputMatrix(ctx, write), activations, tail, directions, long },
    neurons,
  );
}

/** Neurons of a model as parts of its MLPs, labelled `L0N0`, …; all of them, or those that are selected. */
export function neuronKind(ctx: CacheContext, neuronSlice: AxisSelection | undefined): PartKind {
  const { attnOnly, dMlp } = ctx.view.core.config;
  const neurons = attnOnly ? [] : selectedIndices(neuronSlice ?? {}, dMlp, `${ctx.where}: neuronSlice`);
  return {
    sublayer: "mlp",
    hooks: (write) => [neuronsHook(write), ...writeHooks(ctx, write)],
    positions: (write, look) => frameWithout(readNeurons(ctx, write, look), ["dMlp"]),
    labels: ({ step }) => neurons.map((neuron) => `L${stepLabel(step)}N${neuron}`),
    parts: (write, look) => neuronParts(ctx, write, look, neurons),
  };
}

/** Neurons of one layer; see `ActivationCache.getNeuronResults`. */
export async function neuronResults(ctx: CacheContext, layer: number, options: NeuronResultsOptions): Promise<Tensor> {
  const write = writeOfLayer(ctx, layer, "mlp");
  const kind = neuronKind(ctx, options.neuronSlice);
  refuseEditedWrites(ctx, [write]);
  need(ctx, kind.hooks(write));
  const look = await lookOf(ctx, options);
  const positions = kind.positions(write, look);
  const end = endOf(ctx, positions, look.directions);
  const { precision: dtype } = ctx.origin;
  const { memoryLimit } = ctx.view.core;
  checkStackSize({
    where: ctx.where,
    count: kind.labels(write).length,
    frame: frameOf(positions, end),
    dtype,
    memoryLimit,
  });
  const parts = (await kind.parts(write, look)).rename({ component: "dMlp" });
  const isOne = options.neuronSlice !== undefined && dropsAxis(options.neuronSlice);
  return isOne ? parts.at({ dMlp: 0 }) : parts.transpose([...positions.axes, "dMlp", ...end.axes]);
}
