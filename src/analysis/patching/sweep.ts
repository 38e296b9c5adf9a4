/** Sweeps: one site after another, patched at every layer and at every position, head or both. */
import { InputError, type LongCallOptions } from "../../core/index.js";
import type { Metric, Model } from "../../model/index.js";
import { Tensor } from "../../tensor/index.js";
import { copiedFrom, type Patch, patchRows } from "./patches.js";
import { type PatchInput, pairPrompts, promptTokens, type TokenPair } from "./prompts.js";
import {
  combinations,
  mean,
  type PatchDirection,
  type PatchProvenance,
  SiteEffect,
  type SiteEffectParts,
  SweepResult,
} from "./result.js";
import { checkSite, type PatchAxis, type PatchSite, patchAxis, siteHook, siteShape } from "./sites.js";

/** What all patching takes. */
export interface PatchingOptions extends LongCallOptions {
  /** PatchInput whose activations are copied. */
  readonly from: PatchInput;
  /** PatchInput into whose run they are written; each as long in tokens as its `from`. */
  readonly into: PatchInput;
  /** One number for each prompt, in the order of the prompts. */
  readonly metric: Metric;
  /** Bytes that activations and inputs may take; default 512 MiB or the model's own limit. Weights are not counted. */
  readonly memoryLimit?: number;
}

/** Options of `patching.sweep`. */
export interface SweepOptions extends PatchingOptions {
  readonly sites: readonly PatchSite[];
  /**
   * Axes in which patches differ, besides the layer, such as `["pos", "head"]`; `[]` patches whole layers. Default: by
   * head where a site has heads, by position else.
   */
  readonly by?: readonly PatchAxis[];
  /** Default: all. */
  readonly layers?: readonly number[];
  /** Positions to patch; default: all. */
  readonly positions?: readonly number[];
  /** Heads to patch, where `by` names heads; default: all. */
  readonly heads?: readonly number[];
  /**
   * `"denoising"` (default): `from` holds the clean prompts, and patches restore the behaviour. `"noising"`: `from` holds
   * the corrupted prompts, and patches break it.
   */
  readonly direction?: PatchDirection;
}

const defaultLimit = 512 * 2 ** 20;

/** Bytes that a call may use. */
export function memoryOf(model: Model, memoryLimit: number | undefined): number {
  return memoryLimit ?? Math.min(defaultLimit, model.view.core.memoryLimit);
}

/** What a result was made from. */
export function provenanceOf(
  model: Model,
  metric: Metric,
  counts: Pick<PatchProvenance, "prompts" | "patches">,
): PatchProvenance {
  const { checkpoint } = model.view.core;
  return {
    model: checkpoint.id,
    identity: checkpoint.identity,
    edits: model.edits.map(({ name }) => name),
    metric: metric.name,
    unit: metric.unit,
    ...counts,
  };
}

/** The patches of one site, with the axes they span. */
export interface SitePatches {
  readonly site: PatchSite;
  readonly spans: readonly (readonly [string, readonly number[]])[];
  readonly patches: readonly Patch[];
}

function axesOf(
  model: Model,
  site: PatchSite,
  by: readonly PatchAxis[] | undefined,
  where: string,
): readonly PatchAxis[] {
  const own = siteShape(model, siteHook(site, 0), 1)
    .axes.map(patchAxis)
    .filter((axis) => axis !== undefined);
  if (by === undefined) return own.includes("head") ? ["head"] : ["pos"];
  const bad = by.find((axis) => !own.includes(axis));
  if (bad === undefined) return by;
  throw new InputError({
    where: `${where}: by`,
    got: `"${bad}" at ${site}`,
    expected: `some of ${own.join(", ")}`,
    fix: "Sweep sites with other axes in another call.",
  });
}

function allOf(count: number): readonly number[] {
  return Array.from({ length: count }, (_, i) => i);
}

/** What of the model a sweep covers. */
export type SweepSpan = Pick<SweepOptions, "by" | "layers" | "positions" | "heads">;

/** The patches of one site over the axes asked for. */
export function sitePatches(
  model: Model,
  site: PatchSite,
  options: SweepSpan & { readonly where: string },
  pos: number,
): SitePatches {
  checkSite(model, site, options.where);
  const axes = axesOf(model, site, options.by, options.where);
  const shape = siteShape(model, siteHook(site, 0), pos);
  const given: Partial<Record<PatchAxis, readonly number[]>> = {
    ...(options.positions === undefined ? {} : { pos: options.positions }),
    ...(options.heads === undefined ? {} : { head: options.heads }),
  };
  const own = shape.axes.map(patchAxis);
  const indices = axes.map((axis) => [axis, given[axis] ?? allOf(shape.sizes[own.indexOf(axis)] ?? 0)] as const);
  const layers = options.layers ?? allOf(model.config.nLayers);
  const patches = layers.flatMap((layer) => combinations(indices).map((one): Patch => ({ site, layer, ...one })));
  return { site, spans: [["layer", layers], ...indices], patches };
}

/** Labels of positions: token texts where every prompt has the same token there, else numbers. */
function positionLabels(model: Model, pairs: readonly TokenPair[], positions: readonly number[]): readonly string[] {
  const { tokenizer } = model.view.core;
  return positions.map((pos) => {
    const ids = new Set(pairs.map(({ into }) => into[pos]));
    const [id] = ids;
    const text = ids.size === 1 && id !== undefined ? tokenizer?.pieces([id])[0] : undefined;
    return text === undefined ? String(pos) : `${pos}:${text}`;
  });
}

/** Gathers the metrics of one site's patches, `[patch, prompt]`, into its effect. */
export function siteEffect(
  model: Model,
  { site, spans, patches }: SitePatches,
  values: { readonly patched: Float64Array; readonly pairs: readonly TokenPair[] },
  about: Pick<SiteEffectParts, "baselines" | "title">,
): SiteEffect {
  const { patched, pairs } = values;
  const count = pairs.length;
  const perPrompt = Float64Array.from({ length: patched.length }, (_, i) => {
    const [prompt, patch] = [Math.floor(i / patches.length), i % patches.length];
    return patched[patch * count + prompt] ?? Number.NaN;
  });
  const shape = spans.map(([, indices]) => indices.length);
  const labels = spans.map(([axis, indices]) => {
    const isPosition = axis === "pos" || axis === "keyPos";
    return [axis, isPosition ? positionLabels(model, pairs, indices) : indices.map(String)] as const;
  });
  const names = spans.map(([axis]) => axis);
  return new SiteEffect({
    site,
    axes: names,
    labels: Object.fromEntries(labels),
    perPrompt: Tensor.of(perPrompt, [count, ...shape], ["prompt", ...names]),
    ...about,
  });
}

function checkSites(sites: readonly PatchSite[]): void {
  if (sites.length > 0) return;
  throw new InputError({
    where: "patching.sweep: sites",
    got: "none",
    expected: "at least one",
    fix: 'Name sites such as ["resid_pre", "z"].',
  });
}

/** Patches every site at every layer and every position, head or both. */
export async function sweep(model: Model, options: SweepOptions): Promise<SweepResult> {
  const where = "patching.sweep";
  const { metric, direction = "denoising", signal, onProgress } = options;
  checkSites(options.sites);
  const pairs = pairPrompts(promptTokens(model, options.from, where), promptTokens(model, options.into, where), where);
  const pos = Math.max(...pairs.map(({ into }) => into.length));
  const all = options.sites.map((site) => sitePatches(model, site, { ...options, where }, pos));
  const fromMetric = new Float64Array(pairs.length);
  const long = { ...(signal === undefined ? {} : { signal }), ...(onProgress === undefined ? {} : { onProgress }) };
  const { patched, unpatched } = await patchRows(model, {
    ...long,
    pairs,
    patches: all.flatMap(({ patches }) => patches),
    metric,
    donor: copiedFrom(model, metric, fromMetric, long),
    memoryLimit: memoryOf(model, options.memoryLimit),
    where,
  });
  const [cleanPerPrompt, corruptedPerPrompt] =
    direction === "denoising" ? [fromMetric, unpatched] : [unpatched, fromMetric];
  const baselines = { clean: cleanPerPrompt, corrupted: corruptedPerPrompt, direction };
  let start = 0;
  const sites = all.map((one) => {
    const size = one.patches.length * pairs.length;
    const own = patched.subarray(start, start + size);
    start += size;
    return siteEffect(model, one, { patched: own, pairs }, { baselines });
  });
  const counts = { prompts: pairs.length, patches: patched.length };
  return new SweepResult({
    sites,
    direction,
    cleanMetric: mean(cleanPerPrompt),
    corruptedMetric: mean(corruptedPerPrompt),
    cleanPerPrompt,
    corruptedPerPrompt,
    provenance: provenanceOf(model, metric, counts),
  });
}
