/** Rows of a sweep, gathered into batches: what each writes, where its window begins, how many run at once. */
import { type LongCallOptions, type OnProgress, throwIfAborted } from "../../core/index.js";
import type { FloatArray, Metric, Model, ModelConfig, RowRunner } from "../../model/index.js";
import { copyChosen, copyWindow, type Indices, type WindowShape, windowSizes } from "./copy.js";
import { keyHook, type PromptGroup, pastOf } from "./group.js";
import { type SiteShape, siteHook } from "./sites.js";
import type { PromptValues } from "./values.js";

/** Where rows of one kind enter: they share a session. */
export interface RowEntry {
  readonly startAtLayer: number;
  /** The hook point that is replaced whole; absent: the stream that enters the layer. */
  readonly hook?: string;
  readonly shape: SiteShape;
  /** The unpatched values there, of each prompt of the group. */
  readonly base: PromptValues;
  /** The values that patches copy, of each prompt of the group. */
  readonly donor: PromptValues;
  /** Hook points beside it, given with their unpatched values. */
  readonly beside: readonly { readonly hook: string; readonly shape: SiteShape; readonly values: PromptValues }[];
}

/** One row: a prompt with some elements written. */
export interface Row {
  /** Where its metric goes. */
  readonly slot: number;
  /** Place of the prompt in its group. */
  readonly prompt: number;
  /** The first position of its window. */
  readonly from: number;
  readonly chosen: Indices;
}

/** What batches of rows run with. */
export interface RowSettings extends LongCallOptions {
  readonly model: Model;
  readonly runner: RowRunner;
  readonly metric: Metric;
  /** Receives each row's metric. */
  readonly out: Float64Array;
  readonly report: OnProgress | undefined;
  /** Rows finished, of how many. */
  readonly progress: { done: number; readonly total: number };
  /** Bytes that the inputs of one batch may take. */
  readonly batchBytes: number;
}

/**
 * Work of one batch: about a third of a second on two idle cores, so that an abort is honoured soon. Products of a few
 * hundred rows are as fast as they get; with a hundred they take a third longer.
 */
export const batchFlops = 50e9;

/** Floating-point operations of one row. */
export function rowFlops({ config }: Model, startAtLayer: number, window: number): number {
  const { nLayers, dModel, dVocabOut } = config;
  return window * (nLayers - startAtLayer) * layerFlops(config) + 2 * dModel * dVocabOut;
}

/** Floating-point operations of one position in one layer, attention's own products left out. */
function layerFlops({ dModel, nHeads, nKeyValueHeads, dHead, dMlp, gatedMlp }: ModelConfig): number {
  const attention = 2 * dModel * dHead * (2 * nHeads + 2 * nKeyValueHeads);
  return attention + 2 * dModel * dMlp * (gatedMlp ? 3 : 2);
}

/**
 * Where windows may begin: rows whose first change is at one of the later positions need not compute the earlier ones.
 *
 * The last window has at least two positions: products with one row round otherwise than those with more.
 */
export function windowStarts(model: Model, metric: Metric, pos: number): readonly number[] {
  const isCausal = model.config.attentionDirection === "causal";
  if (!isCausal || metric.logits === "all" || model.edits.length > 0) return [0];
  const width = Math.max(2, Math.ceil(pos / 5));
  return Array.from({ length: Math.ceil(pos / width) }, (_, i) => i * width).filter(
    (start) => start <= pos - 2 || start === 0,
  );
}

/** The window of a row whose first changed position is `pos`. */
export function windowFrom(starts: readonly number[], pos: number): number {
  return starts.findLast((start) => start <= pos) ?? 0;
}

function rowsPerBatch({ model, batchBytes }: RowSettings, entry: RowEntry, window: number): number {
  const { dModel } = model.config;
  const flops = rowFlops(model, entry.startAtLayer, window);
  const values = [entry.shape, ...entry.beside.map(({ shape }) => shape)];
  const sizes = values.map(({ sizes: all }) => all.reduce((a, b) => a * b, 1));
  const bytes = entry.base.data.BYTES_PER_ELEMENT * sizes.reduce((a, b) => a + b, window * dModel);
  return Math.max(2, Math.min(Math.floor(batchFlops / flops), Math.floor(batchBytes / bytes)));
}

/** Rows by the first position of their window. */
function byWindow(rows: readonly Row[]): ReadonlyMap<number, readonly Row[]> {
  const windows = new Map<number, Row[]>();
  for (const row of rows) {
    const known = windows.get(row.from);
    if (known === undefined) windows.set(row.from, [row]);
    else known.push(row);
  }
  return windows;
}

function zeros(like: FloatArray, length: number): FloatArray {
  return like instanceof Float64Array ? new Float64Array(length) : new Float32Array(length);
}

/** One array per row of a window: the unpatched values, with the chosen ones of each row written over them. */
export function windowValues(
  rows: readonly Row[],
  shape: WindowShape,
  base: PromptValues,
  donor: PromptValues | undefined,
): FloatArray {
  const size = windowSizes(shape).reduce((a, b) => a * b, 1);
  const out = zeros(base.data, size * rows.length);
  rows.forEach(({ prompt, chosen }, i) => {
    const target = { data: out, offset: i * size };
    copyWindow(shape, { data: base.data, offset: prompt * base.stride }, target);
    if (donor !== undefined) copyChosen(shape, chosen, { data: donor.data, offset: prompt * donor.stride }, target);
  });
  return out;
}

/** Runs rows of one entry and one window. */
async function runBatch(
  rows: readonly Row[],
  entry: RowEntry,
  group: PromptGroup,
  settings: RowSettings,
): Promise<void> {
  const { model, runner, metric, out, signal } = settings;
  const [from, pos] = [rows[0]?.from ?? 0, group.pos];
  // A single row runs twice: see runPrompts.
  const all = rows.length === 1 ? [...rows, ...rows] : rows;
  const prompts = [...new Set(all.map(({ prompt }) => prompt))];
  const { startAtLayer } = entry;
  const main = windowValues(all, { ...entry.shape, from }, entry.base, entry.donor);
  const replace = new Map<string, FloatArray>(
    entry.beside.map(({ hook, shape, values }) => [hook, windowValues(all, { ...shape, from }, values, undefined)]),
  );
  if (entry.hook !== undefined) replace.set(entry.hook, main);
  const layers = Array.from({ length: model.config.nLayers - startAtLayer }, (_, i) => startAtLayer + i);
  const past = (hook: string): FloatArray => pastOf(group.run.values(hook), prompts, { from, pos });
  const result = await runner.run(
    {
      startAtLayer,
      batch: all.length,
      from,
      to: pos,
      residual: entry.hook === undefined ? main : streams(all, startAtLayer, from, { group, model }),
      past: layers.map((layer) => ({ key: past(keyHook(model, layer)), value: past(siteHook("v", layer)) })),
      pastRows: all.map(({ prompt }) => prompts.indexOf(prompt)),
      replace,
      ...(metric.logits === "all"
        ? { tokens: Int32Array.from(all.flatMap(({ prompt }) => group.tokens[prompt] ?? [])) }
        : {}),
    },
    {
      metric,
      metricRows: all.map(({ prompt }) => group.indices[prompt] ?? 0),
      ...(signal === undefined ? {} : { signal }),
    },
  );
  rows.forEach(({ slot }, i) => {
    out[slot] = result.metric[i] ?? Number.NaN;
  });
}

/** The unpatched stream that enters a layer, for each row. */
export function streams(
  rows: readonly Row[],
  layer: number,
  from: number,
  { group, model }: { readonly group: PromptGroup; readonly model: Model },
): FloatArray {
  const shape = { axes: ["pos", "dModel"], sizes: [group.pos, model.config.dModel], from };
  return windowValues(rows, shape, group.run.values(siteHook("resid_pre", layer)), undefined);
}

/** Runs all rows of one entry, window by window, and writes their metrics. */
export async function runRows(
  rows: readonly Row[],
  entry: RowEntry,
  group: PromptGroup,
  settings: RowSettings,
): Promise<void> {
  const { progress, report, signal } = settings;
  for (const [from, own] of byWindow(rows)) {
    const size = rowsPerBatch(settings, entry, group.pos - from);
    for (let start = 0; start < own.length; start += size) {
      throwIfAborted(signal, "patching");
      const batch = own.slice(start, start + size);
      await runBatch(batch, entry, group, settings);
      progress.done += batch.length;
      report?.({ done: progress.done, total: progress.total, label: "patches" });
    }
  }
}
