/**
 * Runs of a model without parts that begin where a part is first missing: what lies in front of it was computed before.
 */
import { InternalError, type LongCallOptions } from "../../core/index.js";
import type { Model } from "../../model/index.js";
import type { Tensor } from "../../tensor/index.js";
import { type Part, withoutParts } from "../parts.js";

/** The streams of some rows in a model without some parts. */
export interface Prefix {
  readonly gone: readonly Part[];
  /** The stream in front of every layer, `[row, pos, dModel]`; where a layer is gone, what it would read. */
  readonly before: readonly Tensor[];
  /** The stream behind the last layer. */
  readonly final: Tensor;
}

/** Options of {@link runWithout}. */
export interface PrefixOptions extends LongCallOptions {
  /** Whether the streams in front of later layers are kept; else only the last one is. */
  readonly keeps: boolean;
}

function callsOf({ signal }: LongCallOptions): LongCallOptions {
  return signal === undefined ? {} : { signal };
}

function fill(layers: number, known: ReadonlyMap<number, Tensor>, final: Tensor): readonly Tensor[] {
  const before: Tensor[] = [];
  for (let layer = layers - 1, next = final; layer >= 0; layer--) {
    next = known.get(layer) ?? next;
    before[layer] = next;
  }
  return before;
}

/** Runs rows from their tokens, and keeps the stream in front of every layer. */
export async function runWhole(
  model: Model,
  rows: readonly Int32Array[],
  gone: readonly Part[],
  options: LongCallOptions,
): Promise<Prefix> {
  const pruned = withoutParts(model, gone);
  const layers = pruned.view.layers;
  const last = layers.at(-1);
  const hooks = layers.map((layer) => `blocks.${layer}.hook_resid_pre`);
  const end = last === undefined ? undefined : `blocks.${last}.hook_resid_post`;
  if (end === undefined) throw nothingLeft();
  const { cache } = await pruned.run(rows, { capture: [...hooks, end], logits: "none", ...callsOf(options) });
  const known = new Map(layers.map((layer, i) => [layer, cache.get(hooks[i] ?? end)]));
  const final = cache.get(end);
  return { gone, before: fill(model.config.nLayers, known, final), final };
}

/**
 * Runs the same rows without one more part: layers in front of it are not run again.
 */
export async function runWithout(model: Model, prefix: Prefix, part: Part, given: PrefixOptions): Promise<Prefix> {
  const { keeps, ...options } = given;
  const later = [...prefix.gone, part].filter(({ layer }) => layer >= part.layer);
  const pruned = withoutParts(model, later);
  const layers = pruned.view.layers;
  const start = layers.findIndex((layer) => layer >= part.layer);
  const gone = [...prefix.gone, part];
  const entry = prefix.before[part.layer] ?? prefix.final;
  const head = prefix.before.slice(0, part.layer);
  if (start < 0) return { gone, before: [...head, ...prefix.before.slice(part.layer).map(() => entry)], final: entry };
  const own = layers.slice(start);
  const end = `blocks.${own.at(-1) ?? 0}.hook_resid_post`;
  // The entry is the first one's stream already.
  const hooks = keeps ? own.slice(1).map((layer) => `blocks.${layer}.hook_resid_pre`) : [];
  const { cache } = await pruned.run(
    { residual: entry },
    { startAtLayer: start, capture: [...hooks, end], logits: "none", ...callsOf(options) },
  );
  const final = cache.get(end);
  if (!keeps) return { gone, before: head, final };
  const known = new Map(own.slice(1).map((layer, i) => [layer, cache.get(hooks[i] ?? end)] as const));
  const tail = fill(model.config.nLayers, new Map([...known, [own[0] ?? 0, entry]]), final).slice(part.layer);
  return { gone, before: [...head, ...tail], final };
}

function nothingLeft(): InternalError {
  return new InternalError({
    where: "finerCut",
    got: "a model without any layer",
    expected: "prefixes of models with one layer or more",
    fix: "Report this as a bug of limpid.",
  });
}
