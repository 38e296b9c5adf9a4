/** How far tensors are apart, in float64. */
import type { Tensor } from "../../tensor/index.js";

/** Two results' distance. */
export interface Distance {
  /** `max|a − b| / max(1, max|b|)`; infinite where shapes, NaN or infinities differ. */
  readonly relative: number;
  /** `max|a − b|`. */
  readonly largest: number;
  /** `mean|a − b|`. */
  readonly mean: number;
}

const apart: Distance = {
  relative: Number.POSITIVE_INFINITY,
  largest: Number.POSITIVE_INFINITY,
  mean: Number.POSITIVE_INFINITY,
};

/** The elements as numbers. */
export function numbers(tensor: Tensor): ArrayLike<number> {
  const { data } = tensor;
  return data instanceof BigInt64Array ? Float64Array.from(data, Number) : data;
}

/** Measures two arrays of the same length. Equal infinities are no distance; NaN is infinitely far from everything. */
export function distance(a: ArrayLike<number>, b: ArrayLike<number>): Distance {
  if (a.length !== b.length) return apart;
  let [largest, sum, scale] = [0, 0, 1];
  for (let i = 0; i < b.length; i++) {
    const [x = Number.NaN, y = Number.NaN] = [a[i], b[i]];
    if (x === y) {
      if (Number.isFinite(y)) scale = Math.max(scale, Math.abs(y));
      continue;
    }
    const gap = Math.abs(x - y);
    if (!Number.isFinite(gap)) return apart;
    largest = Math.max(largest, gap);
    sum += gap;
    scale = Math.max(scale, Math.abs(y));
  }
  return { relative: largest / scale, largest, mean: b.length === 0 ? 0 : sum / b.length };
}

/** Measures two tensors. */
export function tensorDistance(a: Tensor, b: Tensor): Distance {
  return a.shape.join() === b.shape.join() ? distance(numbers(a), numbers(b)) : apart;
}

/** The largest of some measured values with the name of its place; value 0 when there is none. */
export function worst(entries: Iterable<readonly [string, number]>): { readonly name: string; readonly value: number } {
  let found = { name: "", value: 0 };
  // NaN is the worst of all.
  for (const [name, value] of entries) if (!(value <= found.value)) found = { name, value };
  return found;
}

/** Counts elements that are NaN or infinite. */
export function countNonFinite(data: ArrayLike<number>): number {
  let count = 0;
  for (let i = 0; i < data.length; i++) if (!Number.isFinite(data[i])) count++;
  return count;
}

/** `log p` of every entry of a row of logits, in float64. */
export function logSoftmax(logits: ArrayLike<number>): Float64Array {
  const row = Float64Array.from(logits);
  const top = row.reduce((a, b) => Math.max(a, b), Number.NEGATIVE_INFINITY);
  const total = row.reduce((sum, x) => sum + Math.exp(x - top), 0);
  const shift = top + Math.log(total);
  return row.map((x) => x - shift);
}

/** `KL(p ‖ q)` in nats of two rows of log-probabilities. */
export function divergence(logP: Float64Array, logQ: Float64Array): number {
  return logP.reduce((sum, p, i) => sum + Math.exp(p) * (p - (logQ[i] ?? Number.NaN)), 0);
}

/** Cuts `[…, size]` into rows of the last axis. */
export function lastAxisRows(tensor: Tensor): readonly ArrayLike<number>[] {
  const data = Float64Array.from(numbers(tensor));
  const size = tensor.shape.at(-1) ?? 1;
  return Array.from({ length: data.length / size }, (_, row) => data.subarray(row * size, (row + 1) * size));
}
