/** The printed form of a tensor: dtype, axes with sizes, some values, and the extent of all of them. */
import { formatNamed, sizeOf } from "./axes.js";
import { dtypes } from "./dtype.js";
import { type NumericStrided, numeric, type Strided } from "./strided.js";
import { walk } from "./walk.js";

/** Rows shown before the middle is left out; the text is at most ten lines. */
const maxRows = 6;
/** Values shown in a row before its middle is left out. */
const maxValues = 8;

/** Returns one to ten lines: a header, rows along the last axis, and mean, min and max with any NaN counted. */
export function print(view: Strided): string {
  const header = `Tensor ${view.dtype} ${formatNamed(view)}`;
  if (sizeOf(view.shape) === 0) return `${header} (empty)`;
  if (view.dtype === "int64") return [header, ...wideIntegerLines(view)].join("\n");
  const source = numeric(view, "tensor.toString");
  const rows = shownRows(source, view.dtype === "bool");
  if (view.shape.length === 0) return `${header} ${rows[0] ?? ""}`;
  return [header, ...rows.map((row) => `  ${row}`), `  ${extent(source, view)}`].join("\n");
}

/** int64 beyond 2^53 cannot be read as numbers: only the digits are shown. */
function wideIntegerLines(view: Strided): string[] {
  const text = (index: number): string => String(view.data[index]);
  const source = { ...view, data: new Float64Array(0) };
  const cells = cellGrid(source, (offset) => text(offset));
  return joinCells(view, cells).map((row) => `  ${row}`);
}

function shownRows(source: NumericStrided, isBool: boolean): string[] {
  const values: number[] = [];
  cellGrid(source, (offset) => String(values.push(source.data[offset] as number)));
  const format = isBool ? (x: number): string => (x === 0 ? "false" : "true") : numberFormat(values);
  return joinCells(
    source,
    cellGrid(source, (offset) => format(source.data[offset] as number)),
  );
}

type Places = Pick<Strided, "shape" | "strides" | "offset" | "axes">;

interface Row {
  readonly label: string;
  readonly cells: readonly string[];
}

const skipped = "…";

function cellGrid(view: Places, cell: (offset: number) => string): Row[] {
  const rank = view.shape.length;
  const leading = view.shape.slice(0, -1);
  const [columns, step] = rank === 0 ? [1, 0] : [view.shape[rank - 1] ?? 1, view.strides[rank - 1] ?? 0];
  return shownIndices(sizeOf(leading), maxRows).map((row) => {
    if (row === undefined) return { label: skipped, cells: [] };
    const index = unravel(row, leading);
    const start = index.reduce((offset, i, axis) => offset + i * (view.strides[axis] ?? 0), view.offset);
    const cells = shownIndices(columns, maxValues).map((k) => (k === undefined ? skipped : cell(start + k * step)));
    return { label: rank < 2 ? "" : `[${index.join(", ")}]`, cells };
  });
}

/** Returns the first and last indices with `undefined` for the gap between. */
function shownIndices(count: number, limit: number): (number | undefined)[] {
  if (count <= limit) return Array.from({ length: count }, (_, i) => i);
  const tail = limit < 8 ? 1 : 2;
  const head = Array.from({ length: limit - 1 - tail }, (_, i) => i);
  return [...head, undefined, ...Array.from({ length: tail }, (_, i) => count - tail + i)];
}

function unravel(row: number, shape: readonly number[]): number[] {
  const index: number[] = [];
  let rest = row;
  for (const size of shape.toReversed()) {
    index.unshift(rest % size);
    rest = Math.floor(rest / size);
  }
  return index;
}

function joinCells(_view: Pick<Strided, "shape">, rows: readonly Row[]): string[] {
  const width = Math.max(...rows.flatMap((row) => row.cells.filter((c) => c !== skipped).map((c) => c.length)), 1);
  const labelWidth = Math.max(...rows.map((row) => row.label.length));
  return rows.map(({ label, cells }) => {
    const prefix = labelWidth === 0 ? "" : `${label.padEnd(labelWidth)}  `;
    return `${prefix}${cells.map((c) => (c === skipped ? c : c.padStart(width))).join("  ")}`.trimEnd();
  });
}

/** Returns one format for all shown values: integers as they are, else about four significant digits. */
function numberFormat(values: readonly number[]): (value: number) => string {
  const finite = values.filter((value) => Number.isFinite(value));
  const largest = finite.reduce((max, value) => Math.max(max, Math.abs(value)), 0);
  if (finite.every((value) => Number.isInteger(value)) && largest < 1e12) return (value) => String(value);
  if (largest >= 1e6 || largest < 1e-3)
    return (value) => (Number.isFinite(value) ? value.toExponential(3) : `${value}`);
  const decimals = Math.max(0, Math.min(6, 3 - Math.floor(Math.log10(largest))));
  return (value) => value.toFixed(decimals);
}

interface Extent {
  count: number;
  sum: number;
  min: number;
  max: number;
  nan: number;
  infinite: number;
}

function extent(source: NumericStrided, view: Strided): string {
  const all = measure(source);
  if (view.dtype === "bool") return `${all.sum} of ${all.count} true`;
  const parts = all.count === 0 ? ["no finite value"] : finiteParts(all, dtypes[view.dtype].isFloat);
  if (all.nan > 0) parts.push(`NaN ${all.nan}`);
  if (all.infinite > 0) parts.push(`infinite ${all.infinite}`);
  return parts.join("  ");
}

function finiteParts(all: Extent, isFloat: boolean): string[] {
  const short = (x: number): string => (isFloat || !Number.isInteger(x) ? String(Number(x.toPrecision(4))) : String(x));
  const suffix = all.nan + all.infinite > 0 ? " (finite)" : "";
  return [`mean ${short(all.sum / all.count)}`, `min ${short(all.min)}`, `max ${short(all.max)}${suffix}`];
}

function measure(source: NumericStrided): Extent {
  const all: Extent = { count: 0, sum: 0, min: Infinity, max: -Infinity, nan: 0, infinite: 0 };
  walk(source.shape, [source], ([start = 0], length, [stride = 0]) => {
    for (let k = 0; k < length; k++) include(all, source.data[start + k * stride] as number);
  });
  return all;
}

function include(all: Extent, value: number): void {
  if (Number.isFinite(value)) {
    all.count++;
    all.sum += value;
    all.min = Math.min(all.min, value);
    all.max = Math.max(all.max, value);
  } else if (Number.isNaN(value)) all.nan++;
  else all.infinite++;
}
