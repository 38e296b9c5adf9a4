/** Rows: the elements along one or several axes, handed over one row at a time. */

import type { NumericArray } from "./dtype.js";
import { type NumericStrided, numeric, type Strided } from "./strided.js";
import { walk } from "./walk.js";

/** Some axes of a view, split into the kept ones (in order) and the row's (in the order asked for). */
export interface RowSplit {
  readonly keptAxes: readonly string[];
  readonly keptShape: readonly number[];
  readonly rowAxes: readonly string[];
  readonly rowShape: readonly number[];
  readonly rowLength: number;
}

/** Returns how a view splits into rows over the axes at `positions`. */
export function splitRows(view: Pick<Strided, "axes" | "shape">, positions: readonly number[]): RowSplit {
  const kept = view.axes.map((_, i) => i).filter((i) => !positions.includes(i));
  const rowShape = positions.map((i) => view.shape[i] ?? 1);
  return {
    keptAxes: kept.map((i) => view.axes[i] ?? ""),
    keptShape: kept.map((i) => view.shape[i] ?? 1),
    rowAxes: positions.map((i) => view.axes[i] ?? ""),
    rowShape,
    rowLength: rowShape.reduce((size, n) => size * n, 1),
  };
}

/**
 * Calls `visit(row, rowIndex)` for every row over the axes at `positions`; rows come in row-major order of the rest.
 *
 * `row` is only valid during the call and must not be written to.
 */
export function forEachRow(
  view: Strided,
  positions: readonly number[],
  where: string,
  visit: (row: NumericArray, rowIndex: number) => void,
): void {
  const source = numeric(view, where);
  const split = splitRows(view, positions);
  const kept = view.axes.map((_, i) => i).filter((i) => !positions.includes(i));
  const keptView = { strides: kept.map((i) => source.strides[i] ?? 0), offset: source.offset };
  const readRow = rowReader(source, positions, split);
  let rowIndex = 0;
  walk(split.keptShape, [keptView], ([start = 0], length, [stride = 0]) => {
    for (let k = 0; k < length; k++) visit(readRow(start + k * stride), rowIndex++);
  });
}

/** Rows shorter than this are copied: a window on the memory costs more than the copy. */
const windowFrom = 48;

function rowReader(
  source: NumericStrided,
  positions: readonly number[],
  split: RowSplit,
): (start: number) => NumericArray {
  const runs: { start: number; length: number; stride: number }[] = [];
  const rowView = { strides: positions.map((i) => source.strides[i] ?? 0), offset: 0 };
  walk(split.rowShape, [rowView], ([start = 0], length, [stride = 0]) => {
    runs.push({ start, length, stride });
  });
  const { data } = source;
  const only = runs.length === 1 ? runs[0] : undefined;
  if (only !== undefined && only.stride === 1 && only.length >= windowFrom) {
    return (start) => data.subarray(start, start + only.length);
  }
  const buffer = new Float64Array(split.rowLength);
  return (start) => {
    let done = 0;
    for (const run of runs) {
      let i = start + run.start;
      for (let k = 0; k < run.length; k++, i += run.stride) buffer[done++] = data[i] as number;
    }
    return buffer;
  };
}
