/** The mean at every position. */
import { Tensor } from "../../tensor/index.js";
import { scalar, vector } from "./moments.js";
import { type Accumulator, type ActivationBatch, type Reducer, type SavedState, savedNumbers } from "./reducer.js";
import type { ReducedPoint } from "./vectors.js";

/**
 * Returns the reducer of the mean at each position among the real tokens of a row: `[pos, …axes]`.
 *
 * Positions that no counted token had are NaN.
 */
export function meanByPositionReducer(): Reducer<Tensor, "meanByPosition"> {
  return {
    name: "meanByPosition",
    description: "mean by position",
    isResumable: true,
    // Grows with the longest row; a thousand positions are stated.
    bytes: ({ dim }) => 8 * 1024 * (dim + 1),
    start: (point) => new PositionAccumulator(point),
  };
}

class PositionAccumulator implements Accumulator<Tensor> {
  readonly #point: ReducedPoint;
  #length = 0;
  #counts: Float64Array = new Float64Array(0);
  #sums: Float64Array = new Float64Array(0);

  constructor(point: ReducedPoint) {
    this.#point = point;
  }

  update({ vectors: { data, starts, count, dim }, tokens }: ActivationBatch): void {
    this.#grow(tokens.positions.reduce((longest, position) => Math.max(longest, position + 1), 0));
    for (let t = 0; t < count; t++) {
      const position = tokens.positions[t] as number;
      const [from, to] = [starts[t] as number, position * dim];
      this.#counts[position] = (this.#counts[position] as number) + 1;
      for (let i = 0; i < dim; i++) this.#sums[to + i] = (this.#sums[to + i] as number) + (data[from + i] as number);
    }
  }

  finish(): Tensor {
    const { dim, shape, axes, tokenAxis } = this.#point;
    const means = this.#sums.slice(0, this.#length * dim).map((x, i) => x / (this.#counts[Math.floor(i / dim)] ?? 0));
    return Tensor.of(means, [this.#length, ...shape], [tokenAxis, ...axes]);
  }

  save(): SavedState {
    return { length: scalar(this.#length), counts: vector(this.#counts), sums: vector(this.#sums) };
  }

  load(saved: SavedState): void {
    this.#length = savedNumbers(saved, "length")[0] ?? 0;
    this.#counts = savedNumbers(saved, "counts");
    this.#sums = savedNumbers(saved, "sums");
  }

  #grow(length: number): void {
    this.#length = Math.max(this.#length, length);
    if (this.#length <= this.#counts.length) return;
    const capacity = Math.max(this.#length, 2 * this.#counts.length);
    this.#counts = grown(this.#counts, capacity);
    this.#sums = grown(this.#sums, capacity * this.#point.dim);
  }
}

function grown(values: Float64Array, length: number): Float64Array {
  const larger = new Float64Array(length);
  larger.set(values);
  return larger;
}
