/** Order along an axis: sort, argsort and the largest k. NaN counts as greater than any number, as in PyTorch. */
import { InputError } from "../core/index.js";
import { axisPosition, formatNamed } from "./axes.js";
import type { NumericArray } from "./dtype.js";
import { gather } from "./gather.js";
import { mapRows } from "./scan.js";
import type { Strided } from "./strided.js";

/** Options of `sort` and `argsort`. */
export interface SortOptions {
  /** Largest first. Default false. Equal elements keep their order either way. */
  readonly descending?: boolean;
}

/** Options of `topk`. */
export interface TopkOptions {
  /** False for the smallest k, smallest first. Default true. */
  readonly largest?: boolean;
}

/** Returns the elements sorted along `axis`. */
export function sort(view: Strided, axis: string, options: SortOptions = {}): Strided {
  return gather(view, axis, argsort(view, axis, options));
}

/** Returns the indices along `axis` that would sort it; equal elements keep their order. */
export function argsort(view: Strided, axis: string, options: SortOptions = {}): Strided {
  const kernel = (row: NumericArray, out: NumericArray, start: number): void =>
    out.set(sortedIndices(row, options), start);
  return mapRows(view, axis, { dtype: "int32", kernel, where: "tensor.argsort" });
}

/** The result of {@link topk}. */
export interface TopkViews {
  readonly values: Strided;
  readonly indices: Strided;
}

/** Returns the k largest elements along `axis`, largest first, and where they stood; ties go to the lower index. */
export function topk(view: Strided, k: number, axis: string, options: TopkOptions = {}): TopkViews {
  const size = view.shape[axisPosition(view, axis, "tensor.topk")] ?? 0;
  if (!Number.isInteger(k) || k < 0 || k > size) {
    throw new InputError({
      where: "tensor.topk: k",
      got: `${k} for axis "${axis}" of ${formatNamed(view)}`,
      expected: `a whole number from 0 to ${size}`,
      fix: "Ask for fewer elements, or check the axis.",
    });
  }
  const isBefore = options.largest === false ? isLess : isGreater;
  const indices = mapRows(view, axis, {
    dtype: "int32",
    length: k,
    where: "tensor.topk",
    kernel: (row, out, start) => out.set(firstIndices(row, k, isBefore), start),
  });
  return { values: gather(view, axis, indices), indices };
}

function isGreater(x: number, y: number): boolean {
  return x > y || (Number.isNaN(x) && !Number.isNaN(y));
}

function isLess(x: number, y: number): boolean {
  return isGreater(y, x);
}

function sortedIndices(row: NumericArray, options: SortOptions): Int32Array {
  const sign = options.descending === true ? -1 : 1;
  const compare = (i: number, j: number): number => {
    const [x, y] = [row[i] as number, row[j] as number];
    if (isGreater(x, y)) return sign;
    return isGreater(y, x) ? -sign : i - j;
  };
  return Int32Array.from(row, (_, i) => i).sort(compare);
}

/** Keeps a sorted list of the best k; each element moves past the worse ones. Long lists are sorted whole instead. */
function firstIndices(row: NumericArray, k: number, isBefore: (x: number, y: number) => boolean): Int32Array {
  if (k > 64) return sortedIndices(row, { descending: isBefore === isGreater }).slice(0, k);
  const best = new Int32Array(k);
  let count = 0;
  for (let i = 0; i < row.length; i++) {
    const value = row[i] as number;
    if (count === k && (k === 0 || !isBefore(value, row[best[k - 1] as number] as number))) continue;
    let place = count < k ? count++ : k - 1;
    while (place > 0 && isBefore(value, row[best[place - 1] as number] as number)) {
      best[place] = best[place - 1] as number;
      place--;
    }
    best[place] = i;
  }
  return best;
}
