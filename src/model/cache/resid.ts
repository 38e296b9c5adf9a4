/** The residual stream as it grows, and as the sum of what was written to it. */
import { UnsupportedError } from "../../core/index.js";
import type { Tensor } from "../../tensor/index.js";
import { type CacheContext, need, refuseEdits } from "./context.js";
import { appliedNorm, normHooks, normTail, recomputedNorm } from "./layer-norm.js";
import { entryNames, type Site, siteOf, stepLabel, streamHooks, streamName, writesBefore } from "./site.js";
import { slicePositions } from "./slice.js";
import { type Frame, frameWithout, StackBuilder } from "./stack-builder.js";
import { applyTail, noTail } from "./tail.js";
import type { AccumulatedResidOptions, DecomposeResidOptions, ResidStack, StackOptions } from "./types.js";

/** One entry: where it lies in the cache and what it is called. */
interface Entry {
  readonly name: string;
  readonly label: string;
}

/** Selects the positions of one activation. */
export function selectPositions(
  ctx: CacheContext,
  tensor: Tensor,
  { posSlice }: Pick<StackOptions, "posSlice">,
): Tensor {
  return slicePositions(tensor, posSlice, ctx.origin.realSlots, `${ctx.where}: posSlice`);
}

/** What a finished stack says of itself besides entries and labels. */
export function stackFacts(
  ctx: CacheContext,
  site: Site,
  { applyLn, posSlice }: StackOptions,
): Pick<ResidStack, "norm" | "posSlice"> {
  const norm = applyLn === true ? appliedNorm(ctx, site) : undefined;
  return { ...(norm === undefined ? {} : { norm }), ...(posSlice === undefined ? {} : { posSlice }) };
}

/** Refuses runs whose stream has parts that no sublayer wrote, unless they go to a remainder. */
export function refuseEditedStream(ctx: CacheContext, site: Site, inclRemainder: boolean | undefined): void {
  if (inclRemainder === true) return;
  refuseEdits(ctx, {
    hooks: streamHooks(ctx, site),
    law: "the stream is the sum of what sublayers wrote",
    fix: "Pass inclRemainder: true (to decomposeResid, stackHeadResults or stackNeuronResults), or run without these edits.",
  });
}

/** A builder for `count` entries shaped like `example`. */
export function builderLike(ctx: CacheContext, example: Frame, dtype: Tensor["dtype"], count: number): StackBuilder {
  return new StackBuilder({
    where: ctx.where,
    count,
    frame: example,
    dtype: dtype === "float64" ? "float64" : "float32",
    memoryLimit: ctx.view.core.memoryLimit,
  });
}

function accumulatedEntries(ctx: CacheContext, site: Site, inclMid: boolean): readonly Entry[] {
  const perStep = site.steps.flatMap((step) => {
    const entry = (point: string): Entry => ({
      name: `${step.name}.hook_resid_${point}`,
      label: `${stepLabel(step)}_${point}`,
    });
    return inclMid ? [entry("pre"), entry("mid")] : [entry("pre")];
  });
  if (site.next === undefined) return [...perStep, { name: streamName(ctx, site), label: "final_post" }];
  const label = stepLabel(site.next);
  const pre = { name: `${site.next.name}.hook_resid_pre`, label: `${label}_pre` };
  return [...perStep, pre, ...(site.isMid ? [{ name: streamName(ctx, site), label: `${label}_mid` }] : [])];
}

function refuseMid(ctx: CacheContext): void {
  const { attnOnly, parallelAttnMlp } = ctx.view.core.config;
  if (!attnOnly && !parallelAttnMlp) return;
  throw new UnsupportedError({
    where: `${ctx.where}: inclMid`,
    got: attnOnly ? "a model without MLPs" : "a model whose attention and MLP read the same stream",
    expected: "a model with a resid_mid",
    fix: "Leave inclMid out.",
  });
}

/** The stream before each layer and at the place; see `ActivationCache.accumulatedResid`. */
export async function accumulatedResid(ctx: CacheContext, options: AccumulatedResidOptions): Promise<ResidStack> {
  const { inclMid = false, applyLn = false, recomputeLn = false } = options;
  const site = siteOf(ctx, options);
  if (inclMid) refuseMid(ctx);
  const entries = accumulatedEntries(ctx, site, inclMid);
  const isCached = applyLn && !recomputeLn;
  const get = need(ctx, [...entries.map(({ name }) => name), ...(isCached ? normHooks(ctx, site) : [])]);
  const tail = isCached ? await normTail(ctx, site, options) : noTail;
  const read = async ({ name }: Entry): Promise<Tensor> => {
    const part = selectPositions(ctx, get(name), options);
    return applyLn && recomputeLn ? recomputedNorm(ctx, site, part) : applyTail(part, tail);
  };
  return collect(ctx, entries, read, stackFacts(ctx, site, options));
}

/** Reads entries one by one into a stack. */
async function collect(
  ctx: CacheContext,
  entries: readonly Entry[],
  read: (entry: Entry) => Promise<Tensor>,
  facts: Pick<ResidStack, "norm" | "posSlice">,
): Promise<ResidStack> {
  let builder: StackBuilder | undefined;
  for (const entry of entries) {
    const part = await read(entry);
    builder ??= builderLike(ctx, frameWithout(part, []), part.dtype, entries.length);
    builder.add([entry.label], part);
  }
  if (builder === undefined) throw nothingAsked(ctx);
  return { ...builder.finish(), ...facts };
}

function nothingAsked(ctx: CacheContext): UnsupportedError {
  return new UnsupportedError({
    where: ctx.where,
    got: "a place before which nothing of this kind is written",
    expected: "at least one entry",
    fix: "Name a later layer, or include the embeddings.",
  });
}

function decomposedEntries(
  ctx: CacheContext,
  site: Site,
  { mode = "all", inclEmbeds = true }: DecomposeResidOptions,
): readonly Entry[] {
  const writes = writesBefore(ctx, site).filter(({ write }) => mode === "all" || write.name === mode);
  const parts = writes.map(({ step, write }) => ({
    name: `${step.name}.${write.output}`,
    label: `${stepLabel(step)}_${write.name}_out`,
  }));
  return [...(inclEmbeds ? entryNames(ctx) : []), ...parts];
}

/** What each sublayer wrote; see `ActivationCache.decomposeResid`. */
export async function decomposeResid(ctx: CacheContext, options: DecomposeResidOptions): Promise<ResidStack> {
  const site = siteOf(ctx, options);
  const { applyLn = false, inclRemainder = false } = options;
  refuseEditedStream(ctx, site, inclRemainder);
  const entries = decomposedEntries(ctx, site, options);
  const stream = inclRemainder ? [streamName(ctx, site)] : [];
  const first = entries[0]?.name ?? stream[0];
  if (first === undefined) throw nothingAsked(ctx);
  const get = need(ctx, [...entries.map(({ name }) => name), ...stream, ...(applyLn ? normHooks(ctx, site) : [])]);
  const tail = applyLn ? await normTail(ctx, site, options) : noTail;
  const read = (name: string): Tensor => applyTail(selectPositions(ctx, get(name), options), tail);
  const example = selectPositions(ctx, get(first), options);
  const builder = builderLike(ctx, frameWithout(example, []), example.dtype, entries.length + stream.length);
  for (const { name, label } of entries) builder.add([label], read(name));
  for (const name of stream) builder.addRemainder(read(name));
  return { ...builder.finish(), ...stackFacts(ctx, site, options) };
}
