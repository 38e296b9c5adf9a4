/** Batches of data with the tokens that count, for loops that need more of a batch than one reducer sees. */
import type { Model } from "../model.js";
import type { ModelInput } from "../run/input-types.js";
import type { CountedTokens } from "./counted.js";
import { type FeedOptions, feed, type OverInputs } from "./feed.js";

/**
 * One batch of a run over data.
 *
 * @internal
 */
export interface CountedBatch {
  /** What `model.run` takes. */
  readonly input: ModelInput;
  readonly rows: number;
  /** Slots of each row. */
  readonly pos: number;
  /** 1 where a slot holds a real token, `[rows · pos]`; absent when nothing is padded. */
  readonly mask: Uint8Array | undefined;
  readonly tokens: CountedTokens;
  /** SHA-256 over this batch and all before it. */
  readonly hash: string;
}

/**
 * Yields the batches that `model.over` would run, with the same counting and the same errors.
 *
 * @internal
 */
export async function* countedBatches(
  model: Model,
  inputs: OverInputs,
  options: FeedOptions,
): AsyncGenerator<CountedBatch> {
  for await (const { input, batch, tokens, hash } of feed(model.view, inputs, options))
    yield { input, rows: batch.batch, pos: batch.pos, mask: batch.mask, tokens, hash };
}
