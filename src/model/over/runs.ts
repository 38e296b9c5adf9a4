/** Runs one after another: while one batch is reduced here, the next one runs in the engine. */

import type { RunOptions } from "../run/options.js";
import type { Run } from "../run/result.js";
import { runModel } from "../run/run.js";
import type { ModelView } from "../view.js";
import type { FeedItem } from "./feed.js";

/** A batch and its run; no run where it was skipped. */
export interface FinishedRun {
  readonly item: FeedItem;
  readonly run: Run | undefined;
}

interface Started {
  readonly item: FeedItem;
  readonly run: Promise<Run> | undefined;
}

/**
 * Yields the runs of a feed in order; at most two exist at a time.
 *
 * @param before - Is asked once for each batch, in order, just before it would run: `"skip"` leaves the run out.
 */
export async function* runAll(
  view: ModelView,
  items: AsyncGenerator<FeedItem>,
  options: RunOptions,
  before: (item: FeedItem) => "run" | "skip",
): AsyncGenerator<FinishedRun> {
  let started: Started | undefined;
  let coming = next(items);
  try {
    for (;;) {
      const item = await coming;
      const previous = started;
      // The earlier run is awaited first, so that a third one never starts beside it.
      const run = await previous?.run;
      started = item === undefined ? undefined : start(view, item, options, before);
      if (item !== undefined) coming = next(items);
      if (previous !== undefined) yield { item: previous.item, run };
      if (started === undefined) return;
    }
  } finally {
    await Promise.allSettled([started?.run, coming]);
    await items.return(undefined);
  }
}

function start(
  view: ModelView,
  item: FeedItem,
  options: RunOptions,
  before: (item: FeedItem) => "run" | "skip",
): Started {
  if (before(item) === "skip") return { item, run: undefined };
  return { item, run: quiet(runModel(view, item.input, options)) };
}

function next(items: AsyncGenerator<FeedItem>): Promise<FeedItem | undefined> {
  return quiet(items.next().then(({ value, done }) => (done === true ? undefined : value)));
}

/** Keeps a failure for whoever awaits it, even when that is later. */
function quiet<T>(promise: Promise<T>): Promise<T> {
  promise.catch(() => undefined);
  return promise;
}
