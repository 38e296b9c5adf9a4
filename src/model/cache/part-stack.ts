/** Stacks of what the parts of sublayers add to the stream: heads of attention, neurons of MLPs. */
import { throwIfAborted } from "../../core/index.js";
import type { Tensor } from "../../tensor/index.js";
import { type CacheContext, need } from "./context.js";
import { normHooks, refuseEditedWrites } from "./layer-norm.js";
import { endOf, type Look, lookOf } from "./look.js";
import { builderLike, refuseEditedStream, selectPositions, stackFacts } from "./resid.js";
import { type Site, type StepWrite, siteOf, streamName, writesBefore } from "./site.js";
import { type Frame, frameOf, frameWithout, type StackBuilder } from "./stack-builder.js";
import { finish } from "./tail.js";
import type { ResidStack, StackHeadsOptions } from "./types.js";

/** One kind of part: which sublayers have it, what it needs, how it is made. */
export interface PartKind {
  readonly sublayer: "attn" | "mlp";
  /** Hook points that one write's parts need. */
  readonly hooks: (write: StepWrite) => readonly string[];
  /** The positions that one write's parts cover. */
  readonly positions: (write: StepWrite, look: Look) => Frame;
  readonly labels: (write: StepWrite) => readonly string[];
  /** What each part adds to the stream: `[component, …positions, dModel]`, or projected. */
  readonly parts: (write: StepWrite, look: Look) => Promise<Tensor>;
}

/** Adds the parts of each write to a stack. */
export async function addParts(
  ctx: CacheContext,
  builder: StackBuilder,
  kind: PartKind,
  work: { readonly writes: readonly StepWrite[]; readonly look: Look },
): Promise<void> {
  const { writes, look } = work;
  for (const [done, write] of writes.entries()) {
    throwIfAborted(look.long.signal, ctx.where);
    builder.add(kind.labels(write), await kind.parts(write, look));
    look.long.onProgress?.({ done: done + 1, total: writes.length, label: `${kind.sublayer} by layer` });
  }
}

/** The place, the writes and the activations of one stack. */
interface Opened {
  readonly site: Site;
  readonly writes: readonly StepWrite[];
  readonly look: Look;
  /** Position axes of every entry. */
  readonly positions: Frame;
  /** The stream at the place; present with a remainder, and where there are no parts to take positions from. */
  readonly whole?: Tensor;
}

/** Checks edits and captures, and reads what the whole stack needs. */
async function openParts(ctx: CacheContext, kind: PartKind, options: StackHeadsOptions): Promise<Opened> {
  const site = siteOf(ctx, options);
  const { applyLn = false, inclRemainder = false } = options;
  const writes = writesBefore(ctx, site).filter(({ write }) => write.name === kind.sublayer);
  refuseEditedStream(ctx, site, inclRemainder);
  if (!inclRemainder) refuseEditedWrites(ctx, writes);
  const stream = streamName(ctx, site);
  const [first] = writes;
  const streams = inclRemainder || first === undefined ? [stream] : [];
  const get = need(ctx, [...writes.flatMap(kind.hooks), ...streams, ...(applyLn ? normHooks(ctx, site) : [])]);
  const look = await lookOf(ctx, options, site);
  if (first !== undefined && !inclRemainder) return { site, writes, look, positions: kind.positions(first, look) };
  const whole = selectPositions(ctx, get(stream), options);
  return { site, writes, look, positions: frameWithout(whole, ["dModel"]), whole };
}

/** Every part of a kind before a place, with the remainder where asked. */
export async function stackParts(ctx: CacheContext, kind: PartKind, options: StackHeadsOptions): Promise<ResidStack> {
  const { site, writes, look, positions, whole } = await openParts(ctx, kind, options);
  const remainder = options.inclRemainder === true ? whole : undefined;
  const frame = frameOf(positions, endOf(ctx, positions, look.directions));
  const count = writes.flatMap(kind.labels).length + (remainder === undefined ? 0 : 1);
  const builder = builderLike(ctx, frame, ctx.origin.precision, count);
  await addParts(ctx, builder, kind, { writes, look });
  if (remainder !== undefined) builder.addRemainder(finish(remainder, look.tail, look.directions));
  return { ...builder.finish(), ...stackFacts(ctx, site, options) };
}
