/** A statistic of the user's own. */
import type { Tensor } from "../../tensor/index.js";
import type { CountedTokens } from "./counted.js";
import type { Accumulator, ActivationBatch, Reducer, SavedState } from "./reducer.js";
import type { ReducedPoint } from "./vectors.js";

/** A statistic as functions. */
export interface CustomReducer<S, V, N extends string = string> {
  /** Its name in the result. */
  readonly name: N;
  /** Returns the state before the first batch. */
  init(point: ReducedPoint): S;
  /** Returns the state after a batch. `activation` is whole; `tokens.slots` say which of its `[batch, pos]` count. */
  update(state: S, activation: Tensor, tokens: CountedTokens, point: ReducedPoint): S | Promise<S>;
  /** Turns the last state into the value. */
  finish(state: S, point: ReducedPoint): V;
  /** Bytes of one state, for the memory check; default 0. */
  bytes?(point: ReducedPoint): number;
  /** Both are needed to continue from a checkpoint: the state as tensors, and back. */
  save?(state: S): SavedState;
  load?(saved: SavedState, point: ReducedPoint): S;
}

/** Returns the reducer of a statistic of your own. */
export function customReducer<S, V, N extends string>(custom: CustomReducer<S, V, N>): Reducer<V, N> {
  return {
    name: custom.name,
    description: `custom ${custom.name}`,
    isResumable: custom.save !== undefined && custom.load !== undefined,
    bytes: (point) => custom.bytes?.(point) ?? 0,
    start: (point) => new CustomAccumulator(custom, point),
  };
}

class CustomAccumulator<S, V, N extends string> implements Accumulator<V> {
  readonly #custom: CustomReducer<S, V, N>;
  readonly #point: ReducedPoint;
  #state: S;

  constructor(custom: CustomReducer<S, V, N>, point: ReducedPoint) {
    this.#custom = custom;
    this.#point = point;
    this.#state = custom.init(point);
  }

  async update({ activation, tokens }: ActivationBatch): Promise<void> {
    this.#state = await this.#custom.update(this.#state, activation, tokens, this.#point);
  }

  finish(): V {
    return this.#custom.finish(this.#state, this.#point);
  }

  save(): SavedState {
    return this.#custom.save?.(this.#state) ?? {};
  }

  load(saved: SavedState): void {
    if (this.#custom.load !== undefined) this.#state = this.#custom.load(saved, this.#point);
  }
}
