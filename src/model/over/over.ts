/** Streams a model over data: never more than two batches of activations at a time. */
import { InputError } from "../../core/index.js";
import type { ModelView } from "../view.js";
import { type FeedItem, feed, type OverInputs } from "./feed.js";
import { progressMeter } from "./meter.js";
import type { ActivationShards } from "./open-shards.js";
import type { OverOptions, OverResult, OverSummary, ReduceOption, ReduceOptions, WriteOptions } from "./options.js";
import { ReducingRun } from "./reducing-run.js";
import { runOptionsOf } from "./run-options.js";
import { runAll } from "./runs.js";
import { writeShards } from "./write-shards.js";

/**
 * Runs a model over data and reduces, or writes, the activations at hook points.
 *
 * Batches run one after another; only real tokens count. Memory is stated and checked before a batch runs.
 *
 * @param inputs - A dataset (one document per row), its batches, or any iterable of model inputs.
 * @returns Statistics by reducer and hook name; the shards; or the loss alone when neither is asked for.
 * @throws MemoryError above `memoryLimit`, HookNotFoundError when `capture` matches nothing, AbortedError.
 */
export function overModel<R extends ReduceOption>(
  view: ModelView,
  inputs: OverInputs,
  options: ReduceOptions<R>,
): Promise<OverResult<R>>;
export function overModel(view: ModelView, inputs: OverInputs, options: WriteOptions): Promise<ActivationShards>;
export function overModel(
  view: ModelView,
  inputs: OverInputs,
  options: OverOptions & { readonly loss: true },
): Promise<OverSummary>;
export async function overModel(
  view: ModelView,
  inputs: OverInputs,
  options: OverOptions &
    Partial<Pick<ReduceOptions<ReduceOption>, "reduce" | "checkpoint"> & Pick<WriteOptions, "shards">>,
): Promise<OverSummary | ActivationShards> {
  const { shards } = options;
  checkAsked(options);
  if (shards !== undefined) return writeShards(view, inputs, { ...options, shards });
  return reduceOver(view, inputs, { ...options, reduce: options.reduce ?? {} });
}

async function reduceOver(
  view: ModelView,
  inputs: OverInputs,
  options: ReduceOptions<ReduceOption>,
): Promise<OverSummary> {
  const run = new ReducingRun(view, options);
  const meter = progressMeter(options.onProgress, options.maxTokens);
  const items = opened(feed(view, inputs, options), run);
  for await (const { item, run: finished } of runAll(view, items, runOptionsOf(options), (item) => run.before(item))) {
    if (finished === undefined) continue;
    await run.add(item, finished);
    meter(run.totals);
  }
  return run.finish();
}

/** Opens the run at its first batch, and compares the data with a checkpoint once all of its batches went by. */
async function* opened(items: AsyncGenerator<FeedItem>, run: ReducingRun): AsyncGenerator<FeedItem> {
  let count = 0;
  for await (const item of items) {
    if (item.index === 0) await run.open(item);
    count = item.index + 1;
    run.checkData(item.hash, count, false);
    yield item;
  }
  run.checkData("", count, true);
}

function checkAsked(
  options: OverOptions & { readonly reduce?: unknown; readonly shards?: unknown; readonly checkpoint?: unknown },
): void {
  const has = (value: unknown): boolean => value !== undefined && value !== false;
  const reads = [options.capture, options.logits].some(has);
  const [reduces, writes, loses] = [has(options.reduce), has(options.shards), has(options.loss)];
  const keeps = reduces || writes;
  const problems: readonly (readonly [boolean, string])[] = [
    [reduces && writes, "both reduce and shards"],
    [!keeps && !loses, "neither reduce, shards nor loss"],
    [keeps && !reads, "no hook points to read"],
    [!keeps && reads, "hook points to capture and nothing to do with them"],
    [writes && [options.loss, options.checkpoint].some(has), "loss or checkpoint together with shards"],
  ];
  const problem = problems.find(([isSo]) => isSo)?.[1];
  if (problem === undefined) return;
  throw new InputError({
    where: "model.over",
    got: problem,
    expected: "capture (or logits) with either reduce or shards; or loss alone",
    fix: 'Write model.over(dataset, { capture: "resid_post", reduce: { mean: reduce.mean() } }).',
  });
}
