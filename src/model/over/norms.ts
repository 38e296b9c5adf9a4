/** Lengths of vectors over tokens. */
import { Tensor } from "../../tensor/index.js";
import { vector } from "./moments.js";
import { type Accumulator, type ActivationBatch, type Reducer, type SavedState, savedNumbers } from "./reducer.js";
import type { ReducedPoint } from "./vectors.js";

/** Euclidean norms along the last axis; each tensor has the other axes (a stream has none: `item()` reads it). */
export interface NormStatistics {
  readonly mean: Tensor;
  /** Root of the mean squared norm. */
  readonly rms: Tensor;
  readonly min: Tensor;
  readonly max: Tensor;
}

/** Returns the reducer of norms along the last axis: of the stream, or of each head's vector. */
export function normReducer(): Reducer<NormStatistics, "norm"> {
  return {
    name: "norm",
    description: "norm",
    isResumable: true,
    bytes: ({ dim, shape }) => 4 * 8 * (dim / (shape.at(-1) ?? 1)),
    start: (point) => new NormAccumulator(point),
  };
}

/** Four numbers per vector: sum, sum of squares, least, greatest. */
class NormAccumulator implements Accumulator<NormStatistics> {
  readonly #point: ReducedPoint;
  readonly #width: number;
  #count = 0;
  #sums: Float64Array;

  constructor(point: ReducedPoint) {
    this.#point = point;
    this.#width = point.shape.at(-1) ?? 1;
    const vectors = point.dim / this.#width;
    this.#sums = Float64Array.from(
      { length: 4 * vectors },
      (_, i) => [0, 0, Infinity, -Infinity][Math.floor(i / vectors)] ?? 0,
    );
  }

  update({ vectors: { data, starts, count, dim } }: ActivationBatch): void {
    const width = this.#width;
    for (let t = 0; t < count; t++) {
      for (let v = 0; v < dim / width; v++) {
        const start = (starts[t] as number) + v * width;
        let squares = 0;
        for (let i = start; i < start + width; i++) squares += (data[i] as number) ** 2;
        this.#add(v, Math.sqrt(squares), squares);
      }
    }
    this.#count += count;
  }

  finish(): NormStatistics {
    const count = this.#count;
    return {
      mean: this.#part(0, (x) => x / count),
      rms: this.#part(1, (x) => Math.sqrt(x / count)),
      min: this.#part(2, (x) => x),
      max: this.#part(3, (x) => x),
    };
  }

  save(): SavedState {
    return { count: vector(Float64Array.of(this.#count)), sums: vector(this.#sums) };
  }

  load(saved: SavedState): void {
    this.#count = savedNumbers(saved, "count")[0] ?? 0;
    this.#sums = savedNumbers(saved, "sums");
  }

  #add(v: number, norm: number, squares: number): void {
    const sums = this.#sums;
    const step = sums.length / 4;
    sums[v] = (sums[v] as number) + norm;
    sums[step + v] = (sums[step + v] as number) + squares;
    sums[2 * step + v] = Math.min(sums[2 * step + v] as number, norm);
    sums[3 * step + v] = Math.max(sums[3 * step + v] as number, norm);
  }

  #part(index: number, fn: (x: number) => number): Tensor {
    const step = this.#sums.length / 4;
    const { shape, axes } = this.#point;
    return Tensor.of(this.#sums.slice(index * step, (index + 1) * step).map(fn), shape.slice(0, -1), axes.slice(0, -1));
  }
}
