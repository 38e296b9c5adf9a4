/** Where batches come from, so that a resumed run goes on with the batch that would have come next. */
import { InputError, nearestHint } from "../core/index.js";
import type { RawTensor } from "../runtime/index.js";
import type { Tensor } from "../tensor/index.js";

/** The tensors of one batch by the names of the trainer's `inputs`. */
export type TrainingBatch = Readonly<Record<string, RawTensor | Tensor>>;

/** Returns batch `index` of a run, from 0; always the same for the same index. */
export type BatchFunction = (index: number) => TrainingBatch | Promise<TrainingBatch>;

/** Batches that can be read from any place on, such as `dataset.pack(…)` mapped to tensors. */
export interface BatchStream {
  /** Yields batch `index` and those after it. */
  startAt(index: number): AsyncIterable<TrainingBatch>;
}

/** A function of the batch number, or a stream that can begin anywhere. */
export type BatchSource = BatchFunction | BatchStream;

/** Hands out the batches of a run in order; fetches the next one while a step runs. */
export class BatchReader {
  readonly #next: (index: number) => Promise<TrainingBatch>;
  readonly #last: number;
  #index: number;
  #pending: Promise<TrainingBatch> | undefined;

  /** Reads batches `first` to `last - 1`. */
  constructor(source: BatchSource, first: number, last: number) {
    this.#index = first;
    this.#last = last;
    this.#next = typeof source === "function" ? async (index) => source(index) : streamed(source, first);
  }

  /** Returns the next batch and begins to fetch the one after it. */
  async read(): Promise<TrainingBatch> {
    const batch = await (this.#pending ?? this.#fetch());
    this.#pending = this.#index < this.#last ? this.#fetch() : undefined;
    // Whoever reads it next gets the error; nobody may be left to read it.
    this.#pending?.catch(() => undefined);
    return batch;
  }

  #fetch(): Promise<TrainingBatch> {
    return this.#next(this.#index++);
  }
}

function streamed(source: BatchStream, first: number): (index: number) => Promise<TrainingBatch> {
  let iterator: AsyncIterator<TrainingBatch> | undefined;
  return async (index) => {
    iterator ??= source.startAt(first)[Symbol.asyncIterator]();
    const next = await iterator.next();
    if (next.done !== true) return next.value;
    throw new InputError({
      where: `train: batch ${index}`,
      got: "the end of the data",
      expected: "a batch for every step",
      fix: "Ask for fewer steps, or repeat the data.",
    });
  };
}

/** Checks that a batch has exactly the declared names. */
export function checkBatch(where: string, batch: TrainingBatch, names: readonly string[]): void {
  const given = Object.keys(batch);
  const missing = names.filter((name) => !given.includes(name));
  const surplus = given.filter((name) => !names.includes(name));
  if (missing.length === 0 && surplus.length === 0) return;
  const list = (all: readonly string[]): string => all.map((name) => `"${name}"`).join(", ");
  throw new InputError({
    where,
    got: missing.length > 0 ? `a batch without ${list(missing)}` : `a batch with ${list(surplus)}, which is no input`,
    expected: `exactly ${list(names)}`,
    fix: `Give each declared input once.${nearestHint(surplus[0] ?? missing[0] ?? "", missing.length > 0 ? given : names)}`,
  });
}
