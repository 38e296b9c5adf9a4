/** The stream as the sum of every head, neuron (or MLP), embedding and bias. */
import type { Tensor } from "../../tensor/index.js";
import { sumOfBiases } from "./bias.js";
import { type CacheContext, need } from "./context.js";
import { headKind } from "./heads.js";
import { normHooks, refuseEditedWrites, writeHooks } from "./layer-norm.js";
import { endOf, type Look, lookOf } from "./look.js";
import { neuronKind } from "./neurons.js";
import { addParts, type PartKind } from "./part-stack.js";
import { builderLike, refuseEditedStream, selectPositions, stackFacts } from "./resid.js";
import { entryNames, type StepWrite, siteOf, stepLabel, writesBefore } from "./site.js";
import { frameOf, frameWithout, type StackBuilder } from "./stack-builder.js";
import { finish } from "./tail.js";
import type { AccumulatedBiasOptions, FullDecompositionOptions, ResidStack } from "./types.js";

/** What a full decomposition is made of, in its order. */
interface Pieces {
  readonly attention: readonly StepWrite[];
  readonly mlps: readonly StepWrite[];
  readonly heads: PartKind;
  /** Absent where MLPs are entries as they are. */
  readonly neurons?: PartKind | undefined;
  /** Writes whose biases make the entry `"bias"`. */
  readonly biased: readonly StepWrite[];
}

function piecesOf(ctx: CacheContext, writes: readonly StepWrite[], expandNeurons: boolean): Pieces {
  const of = (name: string): readonly StepWrite[] => writes.filter(({ write }) => write.name === name);
  const [attention, mlps] = [of("attn"), of("mlp")];
  const isExpanded = expandNeurons && mlps.length > 0;
  const neurons = isExpanded ? neuronKind(ctx, undefined) : undefined;
  return { attention, mlps, heads: headKind(ctx), neurons, biased: isExpanded ? writes : attention };
}

function outName({ step, write }: StepWrite): string {
  return `${step.name}.${write.output}`;
}

function neededHooks(ctx: CacheContext, pieces: Pieces): readonly string[] {
  const { attention, mlps, heads, neurons } = pieces;
  const entries = entryNames(ctx).map(({ name }) => name);
  return [
    ...attention.flatMap(heads.hooks),
    ...mlps.flatMap((write) => neurons?.hooks(write) ?? [outName(write)]),
    ...entries,
  ];
}

function countEntries(ctx: CacheContext, { attention, mlps, heads, neurons }: Pieces): number {
  const per = (writes: readonly StepWrite[], kind: PartKind | undefined): number =>
    writes.flatMap((write) => kind?.labels(write) ?? [""]).length;
  return per(attention, heads) + per(mlps, neurons) + entryNames(ctx).length + 1;
}

async function addAll(ctx: CacheContext, builder: StackBuilder, pieces: Pieces, look: Look): Promise<void> {
  const { attention, mlps, heads, neurons, biased } = pieces;
  const read = (name: string): Tensor =>
    finish(selectPositions(ctx, need(ctx, [name])(name), look), look.tail, look.directions);
  await addParts(ctx, builder, heads, { writes: attention, look });
  if (neurons !== undefined) await addParts(ctx, builder, neurons, { writes: mlps, look });
  else for (const write of mlps) builder.add([`${stepLabel(write.step)}_mlp_out`], read(outName(write)));
  for (const { name, label } of entryNames(ctx)) builder.add([label], read(name));
  builder.add(["bias"], finish(await sumOfBiases(ctx, biased, look), look.tail, look.directions));
}

/** Everything that was written to the stream before a place; see `ActivationCache.getFullResidDecomposition`. */
export async function fullDecomposition(ctx: CacheContext, options: FullDecompositionOptions): Promise<ResidStack> {
  const site = siteOf(ctx, options);
  const { expandNeurons = true, applyLn = false } = options;
  const pieces = piecesOf(ctx, writesBefore(ctx, site), expandNeurons);
  refuseEditedStream(ctx, site, false);
  refuseEditedWrites(ctx, pieces.biased);
  const names = neededHooks(ctx, pieces);
  const get = need(ctx, [...names, ...(applyLn ? normHooks(ctx, site) : [])]);
  const look = await lookOf(ctx, options, site);
  const example = selectPositions(ctx, get(entryNames(ctx)[0]?.name ?? ""), options);
  const positions = frameWithout(example, ["dModel"]);
  const frame = frameOf(positions, endOf(ctx, positions, look.directions));
  const builder = builderLike(ctx, frame, ctx.origin.precision, countEntries(ctx, pieces));
  await addAll(ctx, builder, pieces, look);
  return { ...builder.finish(), ...stackFacts(ctx, site, options) };
}

/** The sum of biases before a place; see `ActivationCache.accumulatedBias`. */
export async function accumulatedBias(ctx: CacheContext, options: AccumulatedBiasOptions): Promise<Tensor> {
  const writes = writesBefore(ctx, siteOf(ctx, options));
  const counted = writes.filter(({ write }) => options.inclMlp !== false || write.name === "attn");
  need(
    ctx,
    counted.flatMap((write) => writeHooks(ctx, write)),
  );
  return sumOfBiases(ctx, counted, options);
}
