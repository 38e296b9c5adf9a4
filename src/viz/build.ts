/** Data to views: each function checks its data, chooses scales and returns a {@link View}. */
import { InputError, ShapeError } from "../core/index.js";
import { type ColorOptions, chooseScale } from "./color.js";
import { encodeCell, formatNumber } from "./numbers.js";
import type { ColorScale, TableColumn, TableEntry, ViewAxis } from "./spec.js";
import { View } from "./view.js";

/** What every view may be given besides its data. */
export interface ViewOptions {
  /** The headline; say what is shown. */
  readonly title?: string;
  /** One line under the title. */
  readonly note?: string;
}

/** How an axis is named and labelled. */
export interface AxisOptions {
  /** Default: `x`, `y` or empty. */
  readonly name?: string;
  /** One label for each index; default: the indices. */
  readonly labels?: readonly string[];
  /** `tokens` shows whitespace as `·` and `⏎`; default: `names`. */
  readonly kind?: "names" | "tokens";
}

/** Options of {@link heatmap}. */
export interface HeatmapOptions extends ViewOptions, ColorOptions {
  readonly x?: AxisOptions;
  readonly y?: AxisOptions;
  /** The unit of the values, such as `logits`. */
  readonly unit?: string;
  /** Text inside the cells, `[y, x]`, or `"values"` to write the numbers themselves. */
  readonly cellText?: "values" | readonly (readonly string[])[];
}

/** Options of {@link tokens}. */
export interface TokensOptions extends ViewOptions, ColorOptions {
  readonly unit?: string;
  /** Whether values are written under their tokens; default: up to 40 tokens. */
  readonly showValues?: boolean;
}

/** Options of {@link bars}. */
export interface BarsOptions extends ViewOptions {
  /** What the bars stand for. */
  readonly axis?: AxisOptions;
  readonly unit?: string;
}

/**
 * Returns a heatmap of `values`, `[y, x]`, first row on top.
 *
 * Colours are centred at 0 (blue above, red below) when any value is negative, otherwise they run from light to dark.
 *
 * @throws ShapeError when rows differ in length or labels do not fit; InputError when there is nothing to draw.
 */
export function heatmap(values: readonly ArrayLike<number>[], options: HeatmapOptions = {}): View {
  const where = "viz.heatmap";
  const rows = values.map((row) => Array.from(row));
  const width = rows[0]?.length ?? 0;
  if (width === 0) throw nothingToDraw(where);
  for (const [y, row] of rows.entries()) checkLength(`${where}: values[${y}]`, row.length, width);
  const [x, y] = [axis(`${where}: x`, options.x, width, "x"), axis(`${where}: y`, options.y, rows.length, "y")];
  const color = colorScale(where, rows.flat(), options);
  const cellText = options.cellText === "values" ? rows.map((row) => row.map(formatNumber)) : (options.cellText ?? []);
  if (cellText.length > 0) checkGrid(`${where}: cellText`, cellText, [rows.length, width]);
  const { title = "", note = "", unit = "" } = options;
  const cells = rows.map((row) => row.map(encodeCell));
  return new View({ v: 1, view: "heatmap", title, note, x, y, values: cells, cellText, color, unit });
}

/**
 * Returns running text whose tokens are coloured by one value each.
 *
 * @throws ShapeError when `values` and `tokenTexts` differ in length; InputError when there is nothing to draw.
 */
export function tokens(tokenTexts: readonly string[], values: ArrayLike<number>, options: TokensOptions = {}): View {
  const where = "viz.tokens";
  if (tokenTexts.length === 0) throw nothingToDraw(where);
  checkLength(`${where}: values`, values.length, tokenTexts.length);
  const numbers = Array.from(values);
  const color = colorScale(where, numbers, options);
  const { title = "", note = "", unit = "", showValues = tokenTexts.length <= 40 } = options;
  const cells = numbers.map(encodeCell);
  return new View({
    v: 1,
    view: "tokens",
    title,
    note,
    tokens: [...tokenTexts],
    values: cells,
    color,
    unit,
    showValues,
  });
}

/**
 * Returns horizontal signed bars, in the order given.
 *
 * @throws ShapeError when labels do not fit; InputError when there is nothing to draw.
 */
export function bars(values: ArrayLike<number>, options: BarsOptions = {}): View {
  const where = "viz.bars";
  if (values.length === 0) throw nothingToDraw(where);
  const checked = axis(`${where}: axis`, options.axis, values.length, "");
  const { title = "", note = "", unit = "" } = options;
  const cells = Array.from(values, encodeCell);
  return new View({ v: 1, view: "bars", title, note, axis: checked, values: cells, unit });
}

/**
 * Returns a table of `rows`, whose cells follow `columns`.
 *
 * @throws ShapeError when a row's length differs; InputError when a number column holds text.
 */
export function table(
  columns: readonly TableColumn[],
  rows: readonly (readonly (number | string)[])[],
  options: ViewOptions = {},
): View {
  const where = "viz.table";
  if (columns.length === 0) throw nothingToDraw(where);
  const cells = rows.map((row, i) => {
    checkLength(`${where}: rows[${i}]`, row.length, columns.length);
    return row.map((value, j) => tableCell(`${where}: rows[${i}][${j}]`, value, columns[j]?.kind ?? "text"));
  });
  const { title = "", note = "" } = options;
  return new View({ v: 1, view: "table", title, note, columns: columns.map((c) => ({ ...c })), rows: cells });
}

/**
 * Returns several views on one sheet, side by side as far as they fit.
 *
 * @throws InputError when there are none.
 */
export function panels(views: readonly View[], options: ViewOptions = {}): View {
  if (views.length === 0) throw nothingToDraw("viz.panels");
  const { title = "", note = "" } = options;
  return new View({ v: 1, view: "panels", title, note, panels: views.map((view) => view.spec) });
}

function tableCell(where: string, value: number | string, kind: TableColumn["kind"]): TableEntry {
  if (kind !== "number") return String(value);
  if (typeof value === "number") return encodeCell(value);
  const fix = "Give the column the kind text or token, or turn the value into a number.";
  throw new InputError({ where, got: JSON.stringify(value), expected: "a number in a column of kind number", fix });
}

function axis(where: string, options: AxisOptions | undefined, size: number, defaultName: string): ViewAxis {
  const labels = options?.labels ?? Array.from({ length: size }, (_, i) => String(i));
  checkLength(`${where}.labels`, labels.length, size);
  return { name: options?.name ?? defaultName, labels: [...labels], kind: options?.kind ?? "names" };
}

function colorScale(where: string, values: readonly number[], options: ColorOptions): ColorScale {
  const [low = 0, high = 1] = options.range ?? [];
  if (options.range === undefined || (Number.isFinite(low) && low < high)) return chooseScale(values, options);
  throw new InputError({
    where: `${where}: range`,
    got: `[${low}, ${high}]`,
    expected: "two finite numbers, the lower first",
    fix: "Leave range out to follow the data.",
  });
}

function checkGrid(
  where: string,
  rows: readonly (readonly string[])[],
  [height, width]: readonly [number, number],
): void {
  checkLength(where, rows.length, height);
  for (const [y, row] of rows.entries()) checkLength(`${where}[${y}]`, row.length, width);
}

function checkLength(where: string, got: number, expected: number): void {
  if (got === expected) return;
  const fix = "Give one entry for each index of the data.";
  throw new ShapeError({ where, got: `length ${got}`, expected: `length ${expected}`, fix });
}

function nothingToDraw(where: string): InputError {
  const fix = "Check the selection that made the data.";
  return new InputError({ where, got: "no values", expected: "at least one value", fix });
}
