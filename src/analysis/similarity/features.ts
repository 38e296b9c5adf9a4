/** Activations as rows of numbers: one row for each token. */
import { InputError, NumericError } from "../../core/index.js";

/** `[rows, width]` in float64, row-major. */
export interface Features {
  readonly data: Float64Array;
  readonly rows: number;
  readonly width: number;
}

/** What rounding leaves of activations that do not vary, relative to their sum of squares. */
const rounding = 1e-24;

/** Returns the features with the mean of every column taken off; exactly 0 where nothing varies. */
export function centred({ data, rows, width }: Features): Features {
  const means = new Float64Array(width);
  data.forEach((x, i) => {
    means[i % width] = (means[i % width] ?? 0) + x / rows;
  });
  const shifted = data.map((x, i) => x - (means[i % width] ?? 0));
  const varies = squaredNorm({ data: shifted }) > rounding * squaredNorm({ data });
  return { data: varies ? shifted : shifted.fill(0), rows, width };
}

/** Sum of squares. */
export function squaredNorm({ data }: Pick<Features, "data">): number {
  let sum = 0;
  for (const x of data) sum += x * x;
  return sum;
}

/** Columns that are worked on at a time, so that a block of the other side stays in the processor's cache. */
const block = 32;

/** Returns `XᵀY`, `[width of X, width of Y]`. */
export function crossProduct(x: Features, y: Features): Float64Array {
  const out = new Float64Array(x.width * y.width);
  for (let from = 0; from < x.width; from += block) {
    const to = Math.min(from + block, x.width);
    for (let row = 0; row < x.rows; row++) {
      const other = y.data.subarray(row * y.width, (row + 1) * y.width);
      for (let i = from; i < to; i++) {
        const value = x.data[row * x.width + i] ?? 0;
        const start = i * y.width;
        for (let j = 0; j < other.length; j++) out[start + j] = (out[start + j] ?? 0) + value * (other[j] ?? 0);
      }
    }
  }
  return out;
}

/** Returns `XXᵀ`, `[rows, rows]`. */
export function gram({ data, rows, width }: Features): Float64Array {
  const out = new Float64Array(rows * rows);
  for (let a = 0; a < rows; a++) {
    const left = data.subarray(a * width, (a + 1) * width);
    for (let b = 0; b <= a; b++) {
      const start = b * width;
      let sum = 0;
      for (let i = 0; i < width; i++) sum += (left[i] ?? 0) * (data[start + i] ?? 0);
      out[a * rows + b] = sum;
      out[b * rows + a] = sum;
    }
  }
  return out;
}

/** Throws unless both sides have the same rows and finite numbers. */
export function checkPair(x: Features, y: Features, where: string): void {
  if (x.rows !== y.rows)
    throw new InputError({
      where,
      got: `${x.rows} rows and ${y.rows} rows`,
      expected: "the same tokens on both sides, one row each",
      fix: "Take both activations over the same tokens, in the same order.",
    });
  for (const [side, { data, width }] of Object.entries({ first: x, second: y })) {
    const bad = data.findIndex((value) => !Number.isFinite(value));
    if (bad < 0) continue;
    throw new NumericError({
      where,
      got: `${String(data[bad])} in row ${Math.floor(bad / width)} of the ${side} side`,
      expected: "finite activations",
      fix: "Find the layer it comes from with model.run and checks.",
    });
  }
}
