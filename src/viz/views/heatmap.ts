/** The heatmap: a grid of coloured cells with named axes, a colour bar, and optional ranked details of each cell. */
import { axisLabelWidth, drawXAxis, drawYAxis, type Grid } from "../axes.js";
import { type AxisOptions, checkedAxis, checkedScale, checkGrid, checkLength, nothingToDraw } from "../checks.js";
import { type ColorOptions, colorTable } from "../color.js";
import { axisPlace, type Entry, largestLines, largestText, numberAt, rangeText, topEntries } from "../entries.js";
import { drawField } from "../field.js";
import type { DrawContext, TableData, ViewKind } from "../kind.js";
import { verticalLegend } from "../legend.js";
import { type Box, type Drawing, place } from "../marks.js";
import { decodeCell, encodeCell, formatNumber } from "../numbers.js";
import { type Cell, type ColorScale, header, type ViewAxis, type ViewHeader, type ViewOptions } from "../spec.js";
import { columns, visibleToken } from "../token-text.js";

/** Ranked labels behind each cell, such as the top predictions of a lens. */
export interface HeatmapDetails {
  /** What the labels are; token text shows its whitespace. */
  readonly kind: "names" | "tokens";
  /** What the numbers are, such as `probability`. */
  readonly unit: string;
  /** `[y, x, rank]`. */
  readonly labels: readonly (readonly (readonly string[])[])[];
  /** `[y, x, rank]`. */
  readonly values: readonly (readonly (readonly Cell[])[])[];
}

/** A grid of coloured cells, `[y, x]`, first row on top. */
export interface HeatmapSpec extends ViewHeader {
  readonly view: "heatmap";
  readonly x: ViewAxis;
  readonly y: ViewAxis;
  readonly values: readonly (readonly Cell[])[];
  /** Text inside the cells, `[y, x]`; empty when cells carry none. */
  readonly cellText: readonly (readonly string[])[];
  readonly color: ColorScale;
  /** The unit of the values, such as `logits`. */
  readonly unit: string;
  readonly details?: HeatmapDetails;
}

/** Options of `viz.heatmap`. */
export interface HeatmapOptions extends ViewOptions, ColorOptions {
  readonly x?: AxisOptions;
  readonly y?: AxisOptions;
  /** The unit of the values, such as `logits`. */
  readonly unit?: string;
  /** Text inside the cells, `[y, x]`, or `"values"` to write the numbers themselves. */
  readonly cellText?: "values" | readonly (readonly string[])[];
  /** Ranked labels shown when a cell is pointed at: the top k of what stands behind it. */
  readonly details?: {
    readonly kind?: "names" | "tokens";
    readonly unit?: string;
    /** `[y, x, rank]`, best first. */
    readonly labels: readonly (readonly (readonly string[])[])[];
    /** `[y, x, rank]`. */
    readonly values: readonly (readonly ArrayLike<number>[])[];
  };
}

/** Returns the spec of a heatmap; see `viz.heatmap`. */
export function heatmapSpec(values: readonly ArrayLike<number>[], options: HeatmapOptions): HeatmapSpec {
  const where = "viz.heatmap";
  const [ny, nx] = [values.length, values[0]?.length ?? 0];
  if (nx === 0) throw nothingToDraw(where);
  checkGrid(`${where}: values`, values, [ny, nx]);
  const rows = values.map((row) => Array.from(row));
  const x = checkedAxis(`${where}: x`, { ...options.x, size: nx, defaultName: "x" });
  const y = checkedAxis(`${where}: y`, { ...options.y, size: ny, defaultName: "y" });
  const cellText = options.cellText === "values" ? rows.map((row) => row.map(formatNumber)) : (options.cellText ?? []);
  if (cellText.length > 0) checkGrid(`${where}: cellText`, cellText, [ny, nx]);
  const color = checkedScale(where, rows.flat(), options);
  const cells = rows.map((row) => row.map(encodeCell));
  const spec = { ...header("heatmap", options), x, y, values: cells, cellText, color, unit: options.unit ?? "" };
  return options.details === undefined ? spec : { ...spec, details: checkedDetails(options.details, [ny, nx]) };
}

function checkedDetails(
  details: NonNullable<HeatmapOptions["details"]>,
  size: readonly [number, number],
): HeatmapDetails {
  const where = "viz.heatmap: details";
  checkGrid(`${where}.labels`, details.labels, size);
  checkGrid(`${where}.values`, details.values, size);
  const values = details.values.map((row, y) =>
    row.map((ranked, x) => {
      checkLength(`${where}.values[${y}][${x}]`, ranked.length, details.labels[y]?.[x]?.length ?? 0);
      return Array.from(ranked, encodeCell);
    }),
  );
  return { kind: details.kind ?? "tokens", unit: details.unit ?? "", labels: details.labels, values };
}

/** Where the parts of a heatmap lie, in pixels. */
export interface HeatmapLayout {
  readonly grid: Grid;
  /** The field of cells. */
  readonly field: Box;
}

/** Returns where the parts of a heatmap lie. */
export function layOutHeatmap(spec: HeatmapSpec): HeatmapLayout {
  const grid = gridOf(spec);
  const size = { width: grid.nx * grid.cellWidth, height: grid.ny * grid.cellHeight };
  return { grid, field: { x: 27 + axisLabelWidth(spec.y), y: 0, ...size } };
}

function gridOf(spec: HeatmapSpec): Grid {
  const [ny, nx] = [spec.y.labels.length, spec.x.labels.length];
  const longest = Math.max(0, ...spec.cellText.map((row) => Math.max(0, ...row.map(columns))));
  if (longest > 0) return { nx, ny, cellWidth: Math.max(34, Math.min(longest, 12) * 6.7 + 10), cellHeight: 24 };
  const cellWidth = Math.max(2, Math.min(30, Math.floor(620 / Math.max(nx, 1))));
  const cellHeight = Math.max(2, Math.min(24, Math.floor(520 / Math.max(ny, 1))));
  // Square matrices, such as attention patterns, have square cells.
  return { nx, ny, cellWidth: nx === ny ? cellHeight : cellWidth, cellHeight };
}

function draw(spec: HeatmapSpec, { theme }: DrawContext): Drawing {
  const { grid, field } = layOutHeatmap(spec);
  const bottom = drawXAxis(spec.x, grid);
  const legend = verticalLegend({ ...spec, theme }, Math.min(Math.max(field.height, 66), 200));
  const value = (x: number, y: number): number => numberAt(spec.values[y], x);
  const colors = colorTable(spec.color, theme);
  const cells = drawField(grid, {
    color: (x, y) => colors(value(x, y)),
    value,
    ...(spec.cellText.length > 0 ? { text: (x: number, y: number) => spec.cellText[y]?.[x] ?? "" } : {}),
  });
  return {
    width: field.x + Math.max(field.width + 18 + legend.width, bottom.width),
    height: Math.max(field.height + bottom.height, legend.height + 4),
    marks: [
      place({ marks: cells }, field.x, 0),
      place(drawYAxis(spec.y, grid), field.x, 0),
      place(bottom, field.x, field.height),
      place(legend, field.x + field.width + 18, 0),
    ],
  };
}

function numbersOf(spec: HeatmapSpec): readonly number[] {
  return spec.values.flatMap((row) => row.map(decodeCell));
}

function topOf(spec: HeatmapSpec, numbers: readonly number[]): readonly Entry[] {
  const nx = spec.x.labels.length;
  return topEntries(numbers, (i) => {
    const [y, x] = [Math.floor(i / nx), i % nx];
    return `${axisPlace(spec.y, y)}, ${axisPlace(spec.x, x)}${quotedText(spec, y, x)}`;
  });
}

/** The text of a cell, unless it only repeats the number. */
function quotedText(spec: HeatmapSpec, y: number, x: number): string {
  const text = spec.cellText[y]?.[x] ?? "";
  return text === "" || Number.isFinite(Number(text.replace("−", "-"))) ? "" : ` “${visibleToken(text)}”`;
}

function shape(spec: HeatmapSpec, numbers: readonly number[]): string {
  const size = `heatmap, ${spec.y.name} (${spec.y.labels.length}) × ${spec.x.name} (${spec.x.labels.length})`;
  return `${size}; ${rangeText(numbers, spec.unit)}`;
}

/** Returns each cell as a row; text and details as further columns. */
function table(spec: HeatmapSpec): TableData {
  const hasText = spec.cellText.length > 0;
  const names = [spec.y.name, spec.x.name, spec.unit === "" ? "value" : spec.unit];
  const extra = [...(hasText ? ["text"] : []), ...(spec.details === undefined ? [] : ["top"])];
  const rows = spec.values.flatMap((row, y) =>
    row.map((cell, x) => [
      axisPlace({ ...spec.y, name: "" }, y),
      axisPlace({ ...spec.x, name: "" }, x),
      formatNumber(decodeCell(cell)),
      ...(hasText ? [visibleToken(spec.cellText[y]?.[x] ?? "")] : []),
      ...(spec.details === undefined
        ? []
        : [
            detailRows(spec.details, y, x)
              .map((pair) => pair.join(" "))
              .join(", "),
          ]),
    ]),
  );
  return { columns: [...names, ...extra], rows };
}

/** Returns the ranked labels of a cell with their values, as they are written. */
export function detailRows(details: HeatmapDetails, y: number, x: number): readonly (readonly [string, string])[] {
  const labels = details.labels[y]?.[x] ?? [];
  return labels.map((label, rank) => [
    details.kind === "tokens" ? visibleToken(label) : label,
    formatNumber(numberAt(details.values[y]?.[x], rank)),
  ]);
}

/** How heatmaps are drawn and said. */
export const heatmapKind: ViewKind<HeatmapSpec> = {
  draw,
  table,
  text: (spec) => {
    const numbers = numbersOf(spec);
    return [shape(spec, numbers), ...largestLines(topOf(spec, numbers))];
  },
  summary: (spec) => {
    const numbers = numbersOf(spec);
    return shape(spec, numbers) + largestText(topOf(spec, numbers));
  },
};
