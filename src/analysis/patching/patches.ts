/** The engine: any list of patches over any pairs of prompts. */
import { AxisError, formatList, InputError, type LongCallOptions, progressOf } from "../../core/index.js";
import { type Edit, type Metric, type Model, promptRows, RowRunner, resolveHooks } from "../../model/index.js";
import { Tensor } from "../../tensor/index.js";
import type { Indices } from "./copy.js";
import { baseHooks, firstLayer, siteEntry } from "./entry.js";
import { entryHooks, openGroup, type PromptGroup } from "./group.js";
import { byLength, type TokenPair } from "./prompts.js";
import { type Row, type RowSettings, runRows, windowFrom, windowStarts } from "./rows.js";
import { checkSite, type PatchAxis, type PatchSite, patchAxis, siteHook, siteShape } from "./sites.js";
import { type PromptValues, runPrompts } from "./values.js";

/** Elements of one activation to write; everything where no index is given. Negative positions count from the last token. */
export interface Patch {
  readonly site: PatchSite;
  readonly layer: number;
  /** Query positions, at a pattern or scores. */
  readonly pos?: number | readonly number[];
  /** Key/value heads at `k` and `v`. */
  readonly head?: number | readonly number[];
  readonly keyPos?: number | readonly number[];
  readonly neuron?: number | readonly number[];
}

/** Values that patches write, by hook name, for each prompt of a group. */
export type Donor = (hook: string) => PromptValues;

/** What {@link patchRows} needs. */
export interface PatchRowsSpec extends LongCallOptions {
  readonly pairs: readonly TokenPair[];
  readonly patches: readonly Patch[];
  readonly metric: Metric;
  /** Makes what is written for the prompts of one group. */
  readonly donor: (pairs: readonly TokenPair[], hooks: readonly string[]) => Promise<Donor>;
  /** Bytes that activations of one group of prompts and the inputs of one batch may take. */
  readonly memoryLimit: number;
  readonly where: string;
}

/** Metrics of patched runs. */
export interface PatchRowsResult {
  /** `[patch, prompt]`, NaN where a prompt has no such position. */
  readonly patched: Float64Array;
  /** `[prompt]`, unpatched. */
  readonly unpatched: Float64Array;
}

const axes: readonly PatchAxis[] = ["pos", "head", "keyPos", "neuron"];

function listOf(index: number | readonly number[] | undefined): readonly number[] | undefined {
  return typeof index === "number" ? [index] : index;
}

function outOfRange(where: string, { site, layer }: Patch, axis: string, sizes: readonly [number, number]): InputError {
  return new InputError({
    where: `${where}: ${site} of layer ${layer}`,
    got: `${axis} ${sizes[0]}`,
    expected: `an integer from ${-sizes[1]} to ${sizes[1] - 1}`,
    fix: `Check the ${axis} against the shape of the hook point.`,
  });
}

function noAxis(where: string, { site, layer }: Patch, axis: string, known: readonly string[]): AxisError {
  return new AxisError({
    where: `${where}: ${site} of layer ${layer}`,
    got: `a selection by "${axis}"`,
    expected: `one of ${formatList(known)}`,
    fix: "Leave it out, or patch a site that has this axis.",
  });
}

/** The indices that a patch means in prompts of `pos` tokens, or `undefined` where one has no such position. */
function chosenIndices(model: Model, patch: Patch, pos: number, where: string): Indices | undefined {
  const shape = siteShape(model, siteHook(patch.site, patch.layer), pos);
  const own = shape.axes.map(patchAxis);
  const surplus = axes.find((axis) => patch[axis] !== undefined && !own.includes(axis));
  const known = own.filter((axis) => axis !== undefined);
  if (surplus !== undefined) throw noAxis(where, patch, surplus, known);
  let isAbsent = false;
  const chosen = own.map((axis, i) => {
    const size = shape.sizes[i] ?? 0;
    return listOf(axis === undefined ? undefined : patch[axis])?.map((index) => {
      const isPosition = axis === "pos" || axis === "keyPos";
      const isInside = Number.isInteger(index) && index >= -size && index < size;
      if (!isInside && !(isPosition && Number.isInteger(index)))
        throw outOfRange(where, patch, axis ?? "", [index, size]);
      isAbsent ||= !isInside;
      return index < 0 ? index + size : index;
    });
  });
  return isAbsent ? undefined : chosen;
}

function checkPlaces(model: Model, patches: readonly Patch[], where: string): void {
  for (const site of new Set(patches.map((patch) => patch.site))) checkSite(model, site, where);
  const { nLayers } = model.config;
  const bad = patches.find(({ layer }) => !(Number.isInteger(layer) && layer >= 0 && layer < nLayers));
  if (bad === undefined) return;
  throw new InputError({
    where: `${where}: ${bad.site}`,
    got: `layer ${bad.layer}`,
    expected: `an integer from 0 to ${nLayers - 1}`,
    fix: `This model has ${nLayers} layers.`,
  });
}

/** Whether an edit holds one value for each row. */
function holdsRows(model: Model, { change, hook, name }: Edit): boolean {
  if (change.kind !== "add" && change.kind !== "replace") return false;
  const { value } = change;
  if (typeof value === "number" || Array.isArray(value)) return false;
  const hasRows = (tensor: Tensor): boolean => tensor.axes.includes("batch") && tensor.sizeOf("batch") > 1;
  if (value instanceof Tensor) return hasRows(value);
  if (!("get" in value)) return false;
  return resolveHooks(hook, model.hookNames(), `edit.${name}`).some((one) => hasRows(value.get(one)));
}

/** Refuses edits of the model that name rows or hold values of rows: patches put other rows in their place. */
export function checkEdits(model: Model, where: string): void {
  const byRow = model.edits.find((one) => {
    return one.select.row !== undefined || one.select.where !== undefined || holdsRows(model, one);
  });
  if (byRow === undefined) return;
  throw new InputError({
    where: `${where}: edit.${byRow.name}`,
    got: "an edit of the model that selects by row or by a function, or holds a value for each row",
    expected: "edits that are the same for every prompt",
    fix: "Patching puts patches in the place of rows; select by pos, head or neuron, and give one value for all rows.",
  });
}

/** Patches of one site and layer, with their places in the list. */
interface PlacePatches {
  readonly site: PatchSite;
  readonly layer: number;
  readonly patches: readonly { readonly patch: Patch; readonly index: number }[];
}

/** Where a site's patch is written: a head's result is a product with its `z`, which sums as the unpatched run does. */
function writtenSite({ edits }: Model, site: PatchSite): PatchSite {
  return site === "result" && edits.length === 0 ? "z" : site;
}

function byPlace(model: Model, patches: readonly Patch[]): readonly PlacePatches[] {
  const places = new Map<string, { site: PatchSite; layer: number; patches: { patch: Patch; index: number }[] }>();
  patches.forEach((patch, index) => {
    const site = writtenSite(model, patch.site);
    const key = siteHook(site, patch.layer);
    const known = places.get(key) ?? { site, layer: patch.layer, patches: [] };
    known.patches.push({ patch, index });
    places.set(key, known);
  });
  return [...places.values()];
}

/** Bytes of the activations that one prompt of `pos` tokens keeps. */
function promptBytes(model: Model, hooks: readonly string[], pos: number): number {
  const width = model.view.precision === "float64" ? 8 : 4;
  const sizes = hooks.map((hook) => siteShape(model, hook, pos).sizes.reduce((a, b) => a * b, 1));
  return width * sizes.reduce((a, b) => a + b, 0);
}

function chunks<T>(items: readonly T[], size: number): readonly (readonly T[])[] {
  return Array.from({ length: Math.ceil(items.length / size) }, (_, i) => items.slice(i * size, (i + 1) * size));
}

/** One group of prompts with what its rows write. */
interface OpenGroup {
  readonly group: PromptGroup;
  readonly donor: Donor;
}

async function open(
  model: Model,
  pairs: readonly TokenPair[],
  places: readonly PlacePatches[],
  spec: PatchRowsSpec,
): Promise<OpenGroup> {
  const { metric, signal, donor, where } = spec;
  const long = signal === undefined ? {} : { signal };
  const group = await openGroup(model, {
    ...long,
    metric,
    indices: pairs.map(({ index }) => index),
    tokens: pairs.map(({ into }) => into),
    firstLayer: Math.min(...places.map((place) => firstLayer(model, place))),
    hooks: places.flatMap((place) => baseHooks(model, place)),
  });
  const hooks = places.map(({ site, layer }) => siteHook(site, layer));
  checkCount(metric, spec.pairs.length, where);
  return { group, donor: await donor(pairs, hooks) };
}

function checkCount(metric: Metric, count: number, where: string): void {
  if (metric.prompts !== undefined) promptRows(where, metric, count, undefined);
}

function rowsOf(model: Model, { patches }: PlacePatches, group: PromptGroup, spec: PatchRowsSpec): readonly Row[] {
  const starts = windowStarts(model, spec.metric, group.pos);
  return patches.flatMap(({ patch, index }) => {
    const chosen = chosenIndices(model, patch, group.pos, spec.where);
    if (chosen === undefined) return [];
    const shape = siteShape(model, siteHook(patch.site, patch.layer), group.pos);
    const positions = chosen[shape.axes.findIndex((axis) => patchAxis(axis) === "pos")];
    const from = positions === undefined ? 0 : windowFrom(starts, Math.min(...positions));
    return group.indices.map((prompt, i) => ({ slot: index * spec.pairs.length + prompt, prompt: i, from, chosen }));
  });
}

function checkPresent(patched: Float64Array, spec: PatchRowsSpec): void {
  const count = spec.pairs.length;
  const absent = spec.patches.findIndex((_, i) => patched.subarray(i * count, (i + 1) * count).every(Number.isNaN));
  const patch = spec.patches[absent];
  if (patch === undefined) return;
  const longest = Math.max(...spec.pairs.map(({ into }) => into.length));
  throw outOfRange(spec.where, patch, "pos", [Math.max(...(listOf(patch.pos ?? patch.keyPos) ?? [0])), longest]);
}

/**
 * Runs every patch on every prompt: patches and prompts ride on the batch axis, layers and positions before the patched
 * ones are computed once for each prompt.
 */
export async function patchRows(model: Model, spec: PatchRowsSpec): Promise<PatchRowsResult> {
  const { pairs, patches, metric, memoryLimit, where, signal } = spec;
  checkPlaces(model, patches, where);
  checkEdits(model, where);
  const patched = new Float64Array(patches.length * pairs.length).fill(Number.NaN);
  const unpatched = new Float64Array(pairs.length);
  const places = byPlace(model, patches);
  const settings: RowSettings = {
    model,
    runner: new RowRunner(model.view),
    metric,
    out: patched,
    report: progressOf(spec),
    progress: { done: 0, total: patches.length * pairs.length },
    batchBytes: memoryLimit / 4,
    ...(signal === undefined ? {} : { signal }),
  };
  for (const group of boundedGroups(model, places, spec))
    await patchGroup(group, places, { spec, settings, unpatched });
  checkPresent(patched, spec);
  return { patched, unpatched };
}

/** Groups of one length whose activations fit the limit. */
function boundedGroups(
  model: Model,
  places: readonly PlacePatches[],
  { pairs, memoryLimit }: PatchRowsSpec,
): readonly (readonly TokenPair[])[] {
  const hooks = places.flatMap((place) => [siteHook(place.site, place.layer), ...baseHooks(model, place)]);
  return byLength(pairs).flatMap((group) => {
    const bytes = promptBytes(model, [...hooks, ...entryHooks(model, 0)], group[0]?.into.length ?? 1);
    return chunks(group, Math.max(1, Math.floor(memoryLimit / 2 / bytes)));
  });
}

interface GroupWork {
  readonly spec: PatchRowsSpec;
  readonly settings: RowSettings;
  readonly unpatched: Float64Array;
}

async function patchGroup(
  pairs: readonly TokenPair[],
  places: readonly PlacePatches[],
  { spec, settings, unpatched }: GroupWork,
): Promise<void> {
  const { model } = settings;
  const { group, donor } = await open(model, pairs, places, spec);
  group.indices.forEach((prompt, i) => {
    unpatched[prompt] = group.run.metric[i] ?? Number.NaN;
  });
  for (const place of places) {
    const rows = rowsOf(model, place, group, spec);
    if (rows.length === 0) continue;
    const entry = siteEntry(model, place, group, donor(siteHook(place.site, place.layer)));
    await runRows(rows, entry, group, settings);
  }
}

/** Copies from runs of the other prompts; their metric goes to `metrics`. */
export function copiedFrom(
  model: Model,
  metric: Metric,
  metrics: Float64Array,
  long: LongCallOptions,
): PatchRowsSpec["donor"] {
  return async (pairs, hooks) => {
    const indices = pairs.map(({ index }) => index);
    const tokens = pairs.map(({ from }) => from);
    const signal = long.signal === undefined ? {} : { signal: long.signal };
    const run = await runPrompts(model, tokens, { ...signal, hooks: [...new Set(hooks)], metric, metricRows: indices });
    indices.forEach((prompt, i) => {
      metrics[prompt] = run.metric[i] ?? Number.NaN;
    });
    return run.values;
  };
}
