/** The statistics of a run while it runs: one accumulator per reducer and hook point, and the loss. */
import { FormatError, ShapeError } from "../../core/index.js";
import type { Tensor } from "../../tensor/index.js";
import type { Run } from "../run/result.js";
import { lossSteps } from "./counted.js";
import type { FeedItem } from "./feed.js";
import { HookValues } from "./hook-values.js";
import type { OuterProducts } from "./products.js";
import type { Accumulator, Reducer } from "./reducer.js";
import { type ReducedPoint, tokenVectors } from "./vectors.js";

/** Numbers that a checkpoint keeps beside the accumulators. */
export interface Totals {
  readonly batches: number;
  readonly rows: number;
  readonly tokens: number;
  readonly lossSum: number;
  readonly lossSteps: number;
  /** The feed's hash after the last batch. */
  readonly hash: string;
}

/** Totals before the first batch. */
export const noTotals: Totals = { batches: 0, rows: 0, tokens: 0, lossSum: 0, lossSteps: 0, hash: "" };

/** Reducers by the names of their results. */
export type NamedReducers = ReadonlyMap<string, Reducer<unknown>>;

interface Cell {
  readonly reducer: string;
  readonly point: ReducedPoint;
  readonly accumulator: Accumulator<unknown>;
}

/** Accumulators of all reducers at all hook points. */
export class ReduceState {
  readonly #cells: readonly Cell[];
  readonly #points: readonly ReducedPoint[];
  #totals: Totals = noTotals;

  constructor(points: readonly ReducedPoint[], reducers: NamedReducers, products: OuterProducts) {
    this.#points = points;
    this.#cells = [...reducers].flatMap(([name, reducer]) =>
      points.map((point) => ({ reducer: name, point, accumulator: reducer.start(point, products) })),
    );
  }

  /** Numbers after the last batch. */
  get totals(): Totals {
    return this.#totals;
  }

  /** Adds one finished batch. */
  async add({ batch, tokens, hash }: FeedItem, run: Run, withLoss: boolean): Promise<void> {
    for (const point of this.#points) {
      if (tokens.count === 0) break;
      checkKeys(point, batch.mask, batch.pos);
      const activation = activationAt(run, point);
      const vectors = tokenVectors(activation, point, tokens);
      for (const cell of this.#cells) {
        if (cell.point === point) await cell.accumulator.update({ point, activation, tokens, vectors });
      }
    }
    const steps = withLoss ? lossSteps(batch) : 0;
    const { lossSum, ...before } = this.#totals;
    this.#totals = {
      batches: before.batches + 1,
      rows: before.rows + batch.batch,
      tokens: before.tokens + tokens.count,
      lossSum: lossSum + (withLoss ? sumOf(run.lossPerToken) : 0),
      lossSteps: before.lossSteps + steps,
      hash,
    };
  }

  /** Returns the values of one reducer by hook name. */
  finish(reducer: string): HookValues<unknown> {
    const cells = this.#cells.filter((cell) => cell.reducer === reducer);
    return new HookValues(new Map(cells.map(({ point, accumulator }) => [point.name, accumulator.finish()])), reducer);
  }

  /** Returns every accumulator as tensors, named `reducer/hook/part`. */
  save(): ReadonlyMap<string, Tensor> {
    return new Map(
      this.#cells.flatMap(({ reducer, point, accumulator }) =>
        Object.entries(accumulator.save()).map(
          ([part, tensor]) => [`${reducer}/${point.name}/${part}`, tensor] as const,
        ),
      ),
    );
  }

  /** Continues from what {@link save} returned. */
  load(saved: ReadonlyMap<string, Tensor>, totals: Totals, where: string): void {
    for (const { reducer, point, accumulator } of this.#cells) {
      const prefix = `${reducer}/${point.name}/`;
      const parts = [...saved].filter(([name]) => name.startsWith(prefix));
      if (parts.length === 0) throw missingPart(where, prefix);
      accumulator.load(Object.fromEntries(parts.map(([name, tensor]) => [name.slice(prefix.length), tensor])));
    }
    this.#totals = totals;
  }
}

/** The activation at a point, or the logits. */
export function activationAt(run: Run, point: ReducedPoint): Tensor {
  return point.name === "logits" ? run.logits : run.cache.get(point.name);
}

/** Key positions are slots: with padding in front they would mean other positions in other rows. */
export function checkKeys(point: ReducedPoint, mask: Uint8Array | undefined, pos: number): void {
  if (mask === undefined || !point.axes.includes("keyPos")) return;
  const isLeft = mask.some((real, slot) => real === 0 && slot % pos < pos - 1 && mask[slot + 1] === 1);
  if (!isLeft) return;
  throw new ShapeError({
    where: `model.over: ${point.name}`,
    got: "rows with padding in front",
    expected: "rows that begin with a real token, so that a key position means the same in all of them",
    fix: "Pad on the right, or pack the data into full rows.",
  });
}

function sumOf(tensor: Tensor): number {
  let sum = 0;
  for (const value of tensor.data) sum += Number(value);
  return sum;
}

function missingPart(where: string, prefix: string): FormatError {
  return new FormatError({
    where,
    got: `no state of ${prefix.slice(0, -1)}`,
    expected: "the state of every statistic",
    fix: "Delete the checkpoint to begin again.",
  });
}
