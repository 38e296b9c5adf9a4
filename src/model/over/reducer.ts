/** What a reducer is: a recipe that starts one accumulator per hook point. */
import type { Tensor } from "../../tensor/index.js";
import type { CountedTokens } from "./counted.js";
import type { OuterProducts } from "./products.js";
import type { ReducedPoint, TokenVectors } from "./vectors.js";

/** One batch at one hook point. */
export interface ActivationBatch {
  readonly point: ReducedPoint;
  /** The whole activation, padding included. */
  readonly activation: Tensor;
  readonly tokens: CountedTokens;
  /** One vector per counted token. */
  readonly vectors: TokenVectors;
}

/** An accumulator as tensors, from which another continues exactly. */
export type SavedState = Readonly<Record<string, Tensor>>;

/** Takes batches in order and ends in one value. */
export interface Accumulator<V> {
  update(batch: ActivationBatch): void | Promise<void>;
  /** Returns the value; called once, after at least one token. */
  finish(): V;
  save(): SavedState;
  load(saved: SavedState): void;
}

/**
 * A statistic over tokens, such as `reduce.mean()`.
 *
 * @typeParam V - What it ends in, per hook point.
 * @typeParam N - Its name in the result.
 */
export interface Reducer<V, N extends string = string> {
  readonly name: N;
  /** Name and options; equal descriptions mean equal statistics. */
  readonly description: string;
  /** Whether its state can be saved and continued. */
  readonly isResumable: boolean;
  /** Bytes that one accumulator takes. */
  bytes(point: ReducedPoint): number;
  /** Starts at one hook point; `products` is there for large sums of outer products. */
  start(point: ReducedPoint, products?: OuterProducts): Accumulator<V>;
}

/** Returns the float64 numbers saved under `name`, copied, so that they can be written to. */
export function savedNumbers(saved: SavedState, name: string): Float64Array {
  return Float64Array.from((saved[name]?.data ?? []) as ArrayLike<number>);
}
