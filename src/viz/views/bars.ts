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
}

/** Options of `viz.bars`. */
export interface BarsOptions extends ViewOptions {
  /** What the bars stand for. */
  readonly axis?: AxisOptions;
  readonly unit?: string;
  /** Default: `given`. */
  readonly order?: BarOrder;
}

/** Returns the spec of bars; see `viz.bars`. */
export function barsSpec(values: ArrayLike<number>, options: BarsOptions): BarsSpec {
  const where = "viz.bars";
  if (values.length === 0) throw nothingToDraw(where);
  const axis = checkedAxis(`${where}: axis`, { ...options.axis, size: values.length, defaultName: "" });
  const { unit = "", order = "given" } = options;
  return { ...header("bars", options), axis, values: Array.from(values, encodeCell), unit, order };
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
  const { min, max } = finiteExtent(numbers(spec)) ?? { min: 0, max: 0 };
  const span = Math.max(max, 0) - Math.min(min, 0);
  const pixelsPerUnit = span > 0 ? plotWidth / span : 0;
  // Values of negative bars are written to their left, so labels stand clear of them.
  const leftSpace = min < 0 ? 60 : 8;
  return { labelEnd, pixelsPerUnit, zero: round(labelEnd + leftSpace + Math.max(0, -min) * pixelsPerUnit) };
}

function drawBar(spec: BarsSpec, bar: { i: number; top: number; theme: Theme }, geometry: Geometry): readonly Mark[] {
  const { zero, pixelsPerUnit, labelEnd } = geometry;
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
