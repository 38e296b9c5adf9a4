/** Horizontal signed bars with their values written out, in the order given or sorted. */
import { axisLabel } from "../axes.js";
import { type AxisOptions, checkedAxis, nothingToDraw } from "../checks.js";
import { colorAt, cssColor } from "../color.js";
import { axisPlace, type Entry, largestLines, largestText, numberAt, rangeText } from "../entries.js";
import type { DrawContext, TableData, ViewKind } from "../kind.js";
import { type Box, type Drawing, lineMark, type Mark, rectMark, round, textMark, textWidth } from "../marks.js";
import { encodeCell, finiteExtent, formatNumber } from "../numbers.js";
import { type Cell, header, type ViewAxis, type ViewHeader, type ViewOptions } from "../spec.js";
import type { Theme } from "../theme.js";
import { shorten } from "../token-text.js";

const rowHeight = 20;
const plotWidth = 380;

/** `given`: as the data come; `value`: largest first; `size`: largest magnitude first. */
export type BarOrder = "given" | "size" | "value";

/** Horizontal signed bars, first on top. */
export interface BarsSpec extends ViewHeader {
  readonly view: "bars";
  readonly axis: ViewAxis;
  /** In the order given, whatever `order` says. */
  readonly values: readonly Cell[];
  readonly unit: string;
  readonly order: BarOrder;
  /** Each bar begins where the one before ended; the last one is their sum and begins at 0. */
  readonly running?: true;
}

/** Options of `viz.bars`. */
export interface BarsOptions extends ViewOptions {
  /** What the bars stand for. */
  readonly axis?: AxisOptions;
  readonly unit?: string;
  /** Default: `given`. */
  readonly order?: BarOrder;
  /**
   * Makes a waterfall: each bar begins where the one before ended, and one more bar with this label, such as `"total"`,
   * shows their sum. The order is the one given.
   */
  readonly running?: string;
}

/** Returns the spec of bars; see `viz.bars`. */
export function barsSpec(values: ArrayLike<number>, options: BarsOptions): BarsSpec {
  const where = "viz.bars";
  if (values.length === 0) throw nothingToDraw(where);
  const axis = checkedAxis(`${where}: axis`, { ...options.axis, size: values.length, defaultName: "" });
  const { unit = "", order = "given", running } = options;
  const spec: BarsSpec = { ...header("bars", options), axis, values: Array.from(values, encodeCell), unit, order };
  return running === undefined ? spec : withTotal(spec, values, running);
}

/** A waterfall: one more bar for the sum. */
function withTotal(spec: BarsSpec, values: ArrayLike<number>, label: string): BarsSpec {
  const total = Array.from(values).reduce((sum, value) => sum + value, 0);
  return {
    ...spec,
    axis: { ...spec.axis, labels: [...spec.axis.labels, label] },
    values: [...spec.values, encodeCell(total)],
    order: "given",
    running: true,
  };
}

/** Where each bar begins: at 0, or in a waterfall where the one before ended. */
function starts(spec: BarsSpec): readonly number[] {
  const values = numbers(spec);
  if (spec.running !== true) return values.map(() => 0);
  let at = 0;
  return values.map((value, i) => {
    const start = i === values.length - 1 ? 0 : at;
    at += value;
    return start;
  });
}

/** Returns the indices of the bars from top to bottom; NaN last. */
export function barOrder(spec: BarsSpec): readonly number[] {
  const indices = spec.values.map((_, i) => i);
  if (spec.order === "given") return indices;
  const rank = (i: number): number => {
    const value = numberAt(spec.values, i);
    if (Number.isNaN(value)) return Number.NEGATIVE_INFINITY;
    return spec.order === "size" ? Math.abs(value) : value;
  };
  return indices.sort((a, b) => (rank(a) === rank(b) ? a - b : rank(b) - rank(a)));
}

interface Geometry {
  /** Where the bars' zero lies. */
  readonly zero: number;
  readonly pixelsPerUnit: number;
  readonly labelEnd: number;
  /** The value at which each bar begins. */
  readonly starts: readonly number[];
}

/** Returns the rows of the bars, label and number included, from top to bottom. */
export function barRows(spec: BarsSpec): readonly Box[] {
  const { labelEnd } = measure(spec);
  return spec.values.map((_, i) => ({ x: 0, y: i * rowHeight, width: labelEnd + plotWidth + 110, height: rowHeight }));
}

function draw(spec: BarsSpec, { theme }: DrawContext): Drawing {
  const geometry = measure(spec);
  const bars = barOrder(spec).flatMap((i, row) => drawBar(spec, { i, top: row * rowHeight, theme }, geometry));
  const bottom = spec.values.length * rowHeight;
  const axis = lineMark([geometry.zero, -2], [geometry.zero, bottom], "quiet");
  const caption = [spec.axis.name, spec.unit].filter((text) => text !== "").join(" · ");
  const unit =
    caption === ""
      ? []
      : [textMark(geometry.zero, bottom + 18, caption, { size: 11, anchor: "middle", fill: "quiet" })];
  return { width: geometry.labelEnd + plotWidth + 110, height: bottom + 24, marks: [...bars, axis, ...unit] };
}

function shortLabel(spec: BarsSpec, index: number): string {
  return shorten(axisLabel(spec.axis, index), 34);
}

function measure(spec: BarsSpec): Geometry {
  const mono = spec.axis.kind === "tokens";
  const labelEnd = Math.max(0, ...spec.values.map((_, i) => textWidth(shortLabel(spec, i), 12, mono))) + 4;
  const begins = starts(spec);
  const ends = numbers(spec).map((value, i) => value + (begins[i] ?? 0));
  const { min, max } = finiteExtent([...begins, ...ends]) ?? { min: 0, max: 0 };
  const span = Math.max(max, 0) - Math.min(min, 0);
  const pixelsPerUnit = span > 0 ? plotWidth / span : 0;
  // Values of negative bars are written to their left, so labels stand clear of them.
  const leftSpace = min < 0 ? 60 : 8;
  const zero = round(labelEnd + leftSpace + Math.max(0, -min) * pixelsPerUnit);
  return { labelEnd, pixelsPerUnit, zero, starts: begins };
}

function drawBar(spec: BarsSpec, bar: { i: number; top: number; theme: Theme }, geometry: Geometry): readonly Mark[] {
  const { pixelsPerUnit, labelEnd } = geometry;
  const zero = round(geometry.zero + (geometry.starts[bar.i] ?? 0) * pixelsPerUnit);
  const value = numberAt(spec.values, bar.i);
  const length = Number.isFinite(value) ? Math.abs(value) * pixelsPerUnit : 0;
  const isNegative = value < 0;
  const left = isNegative ? zero - length : zero;
  const fill = cssColor(colorAt(isNegative ? 0.12 : 0.88, "diverging", bar.theme));
  const number = { size: 11, fill: "quiet", anchor: isNegative ? "end" : "start" } as const;
  return [
    textMark(labelEnd, bar.top + 14, shortLabel(spec, bar.i), { anchor: "end", mono: spec.axis.kind === "tokens" }),
    rectMark({ x: left, y: bar.top + 3, width: length, height: rowHeight - 6 }, fill, 1),
    textMark(isNegative ? left - 5 : left + length + 5, bar.top + 14, formatNumber(value), number),
  ];
}

function numbers(spec: BarsSpec): readonly number[] {
  return spec.values.map((_, i) => numberAt(spec.values, i));
}

function entriesOf(spec: BarsSpec): readonly Entry[] {
  return spec.values.map((_, i) => ({ where: axisPlace(spec.axis, i), value: numberAt(spec.values, i) }));
}

function shape(spec: BarsSpec): string {
  const by = spec.axis.name === "" ? "" : ` by ${spec.axis.name}`;
  return `${spec.values.length} bars${by}; ${rangeText(numbers(spec), spec.unit)}`;
}

function table(spec: BarsSpec): TableData {
  const columns = [spec.axis.name || "bar", spec.unit || "value"];
  const rows = barOrder(spec).map((i) => [
    axisPlace({ ...spec.axis, name: "" }, i),
    formatNumber(numberAt(spec.values, i)),
  ]);
  return { columns, rows };
}

/** How bars are drawn and said. */
export const barsKind: ViewKind<BarsSpec> = {
  draw,
  table,
  text: (spec) => [shape(spec), ...largestLines(entriesOf(spec))],
  summary: (spec) => shape(spec) + largestText(entriesOf(spec)),
};
