/** The tokens on which each element is greatest. */
import { InputError } from "../../core/index.js";
import { Tensor } from "../../tensor/index.js";
import type { CountedTokens } from "./counted.js";
import { vector } from "./moments.js";
import { type Accumulator, type ActivationBatch, type Reducer, type SavedState, savedNumbers } from "./reducer.js";
import type { ReducedPoint } from "./vectors.js";

/** Options of `reduce.topk`. */
export interface TopkOptions {
  /** Keeps the least values instead of the greatest. */
  readonly smallest?: boolean;
  /** Tokens kept before and after each example; default 8. */
  readonly context?: number;
}

/**
 * The examples of each element, best first; equal values keep the earlier token first.
 *
 * Where fewer than k tokens counted, the value is NaN and row, position and token are −1.
 */
export interface TopExamples {
  /** `[…axes, rank]`. */
  readonly values: Tensor;
  /** Row of the whole run, from 0, `[…axes, rank]`. */
  readonly rows: Tensor;
  /** Position among the real tokens of the row, `[…axes, rank]`. */
  readonly positions: Tensor;
  /** Token id, `[…axes, rank]`. */
  readonly tokens: Tensor;
  /** Token ids around the example, which stands in the middle, `[…axes, rank, context]`; −1 beyond the row. */
  readonly contexts: Tensor;
}

/** Returns the reducer that keeps, for every element, the k tokens with the greatest values. */
export function topkReducer(
  k: number,
  { smallest = false, context = 8 }: TopkOptions = {},
): Reducer<TopExamples, "topk"> {
  if (!Number.isSafeInteger(k) || k < 1) throw badNumber("k", k, "a whole number, at least 1");
  if (!Number.isSafeInteger(context) || context < 0)
    throw badNumber("context", context, "a whole number, zero or more");
  const plan = { k, sign: smallest ? -1 : 1, reach: context };
  return {
    name: "topk",
    description: `topk ${k} ${smallest ? "smallest" : "greatest"} context ${context}`,
    isResumable: true,
    bytes: ({ dim }) => dim * k * (8 + 4 * (3 + 2 * context + 1)),
    start: (point) => new TopkAccumulator(point, plan),
  };
}

interface TopkPlan {
  readonly k: number;
  /** 1 for the greatest, −1 for the least. */
  readonly sign: number;
  readonly reach: number;
}

class TopkAccumulator implements Accumulator<TopExamples> {
  readonly #point: ReducedPoint;
  readonly #plan: TopkPlan;
  readonly #width: number;
  /** `[dim, k]`, sorted from the greatest signed value. */
  #values: Float64Array;
  /** `[dim, k, 3 + width]`: row, position, id, context. */
  #places: Int32Array;

  constructor(point: ReducedPoint, plan: TopkPlan) {
    this.#point = point;
    this.#plan = plan;
    this.#width = 3 + 2 * plan.reach + 1;
    this.#values = new Float64Array(point.dim * plan.k).fill(-Infinity);
    this.#places = new Int32Array(point.dim * plan.k * this.#width).fill(-1);
  }

  update({ vectors, tokens }: ActivationBatch): void {
    const { k, sign } = this.#plan;
    const { data, starts, count, dim } = vectors;
    for (let t = 0; t < count; t++) {
      const start = starts[t] as number;
      for (let i = 0; i < dim; i++) {
        const value = sign * (data[start + i] as number);
        if (value > (this.#values[i * k + k - 1] as number)) this.#insert(i, value, tokens, t);
      }
    }
  }

  finish(): TopExamples {
    const { k, sign, reach } = this.#plan;
    const shape = [...this.#point.shape, k];
    const axes = [...this.#point.axes, "rank"];
    const column = (index: number): Tensor => {
      const ids = Int32Array.from(
        { length: this.#values.length },
        (_, at) => this.#places[at * this.#width + index] ?? -1,
      );
      return Tensor.of(ids, shape, axes);
    };
    const contextWidth = 2 * reach + 1;
    const contexts = new Int32Array(this.#values.length * contextWidth);
    for (let at = 0; at < this.#values.length; at++)
      contexts.set(this.#places.subarray(at * this.#width + 3, (at + 1) * this.#width), at * contextWidth);
    return {
      values: Tensor.of(
        this.#values.map((x) => (x === -Infinity ? Number.NaN : sign * x)),
        shape,
        axes,
      ),
      rows: column(0),
      positions: column(1),
      tokens: column(2),
      contexts: Tensor.of(contexts, [...shape, contextWidth], [...axes, "context"]),
    };
  }

  save(): SavedState {
    return { values: vector(this.#values), places: vector(this.#places) };
  }

  load(saved: SavedState): void {
    this.#values = savedNumbers(saved, "values");
    this.#places = Int32Array.from((saved["places"]?.data ?? []) as ArrayLike<number>);
  }

  /** Moves worse examples down one place; an equal one stays before the new. */
  #insert(element: number, value: number, tokens: CountedTokens, t: number): void {
    const { k } = this.#plan;
    const width = this.#width;
    let at = (element + 1) * k - 1;
    for (; at > element * k && value > (this.#values[at - 1] as number); at--) {
      this.#values[at] = this.#values[at - 1] as number;
      this.#places.copyWithin(at * width, (at - 1) * width, at * width);
    }
    this.#values[at] = value;
    this.#places.set(this.#describe(tokens, t), at * width);
  }

  #describe(tokens: CountedTokens, t: number): Int32Array {
    const { reach } = this.#plan;
    const [row, position] = [tokens.rows[t] ?? 0, tokens.positions[t] ?? 0];
    const described = new Int32Array(this.#width).fill(-1);
    described.set([row, position, tokens.ids[t] ?? -1]);
    const ids = tokens.rowIds[row - tokens.firstRow];
    if (ids === undefined) return described;
    const from = Math.max(0, position - reach);
    described.set(ids.subarray(from, position + reach + 1), 3 + reach - (position - from));
    return described;
  }
}

function badNumber(what: string, got: number, expected: string): InputError {
  return new InputError({
    where: `reduce.topk: ${what}`,
    got: String(got),
    expected,
    fix: "Write reduce.topk(10), for instance.",
  });
}
