/** The heatmap: cells, axes that thin out when crowded, a colour bar. */
import { colorOf, cssColor, type Rgb, textColorOn } from "./color.js";
import { verticalLegend } from "./legend.js";
import { decodeCell } from "./numbers.js";
import { base64, encodePng } from "./png.js";
import type { HeatmapSpec, ViewAxis } from "./spec.js";
import { type Drawing, look, place, round, svgRect, svgText, textWidth } from "./svg.js";
import { columns, shorten, visibleToken } from "./token-text.js";

/** Above this count the field is one embedded picture instead of one rectangle a cell. */
const maxRectangles = 1200;
const longestLabel = 22;

interface Grid {
  readonly nx: number;
  readonly ny: number;
  readonly cellWidth: number;
  readonly cellHeight: number;
}

/** Returns the drawing of a heatmap, without its title. */
export function drawHeatmap(spec: HeatmapSpec): Drawing {
  const grid = layOut(spec);
  const [xLabels, yLabels] = [axisLabels(spec.x), axisLabels(spec.y)];
  const left = 27 + Math.max(0, ...yLabels.map((label) => labelWidth(label, spec.y)));
  const [width, height] = [grid.nx * grid.cellWidth, grid.ny * grid.cellHeight];
  const bottom = xAxis(spec.x, xLabels, grid);
  const legend = verticalLegend(spec.color, spec.unit, Math.min(Math.max(height, 66), 200));
  const body = [
    place({ width, height, body: field(spec, grid) }, left, 0),
    place(yAxis(spec.y, yLabels, grid), left, 0),
    place(bottom, left, height),
    place(legend, left + width + 18, 0),
  ];
  return {
    width: left + Math.max(width + 18 + legend.width, bottom.width),
    height: Math.max(height + bottom.height, legend.height + 4),
    body: body.join(""),
  };
}

function layOut(spec: HeatmapSpec): Grid {
  const [ny, nx] = [spec.y.labels.length, spec.x.labels.length];
  const longest = Math.max(0, ...spec.cellText.flat().map(columns));
  if (longest > 0) return { nx, ny, cellWidth: Math.max(34, Math.min(longest, 12) * 6.7 + 10), cellHeight: 24 };
  const cellWidth = Math.max(2, Math.min(30, Math.floor(620 / Math.max(nx, 1))));
  const cellHeight = Math.max(2, Math.min(24, Math.floor(520 / Math.max(ny, 1))));
  // Square matrices, such as attention patterns, have square cells.
  return { nx, ny, cellWidth: nx === ny ? cellHeight : cellWidth, cellHeight };
}

function axisLabels(axis: ViewAxis): readonly string[] {
  return axis.labels.map((label) => shorten(axis.kind === "tokens" ? visibleToken(label) : label, longestLabel));
}

function labelWidth(label: string, axis: ViewAxis): number {
  return textWidth(label, 11, axis.kind === "tokens");
}

function field(spec: HeatmapSpec, grid: Grid): string {
  const colors = spec.values.map((row) => row.map((cell) => colorOf(decodeCell(cell), spec.color)));
  if (grid.nx * grid.ny > maxRectangles && spec.cellText.length === 0) return pictureField(colors, grid);
  return colors.map((row, y) => row.map((color, x) => cell(spec, grid, { x, y, color })).join("")).join("");
}

function pictureField(colors: readonly (readonly Rgb[])[], grid: Grid): string {
  const [width, height] = [grid.nx * grid.cellWidth, grid.ny * grid.cellHeight];
  const source = `data:image/png;base64,${base64(encodePng(enlarge(colors, grid)))}`;
  return `<image width="${width}" height="${height}" href="${source}"/>`;
}

/** Cells keep hard edges in every viewer when the picture already has the size at which it is drawn. */
function enlarge(colors: readonly (readonly Rgb[])[], grid: Grid): readonly (readonly Rgb[])[] {
  return colors.flatMap((row) => {
    const wide = row.flatMap((color) => new Array<Rgb>(grid.cellWidth).fill(color));
    return new Array<readonly Rgb[]>(grid.cellHeight).fill(wide);
  });
}

function cell(spec: HeatmapSpec, grid: Grid, at: { x: number; y: number; color: Rgb }): string {
  const { cellWidth, cellHeight } = grid;
  const gap = Math.min(cellWidth, cellHeight) >= 10 ? 1 : 0;
  const [left, top] = [at.x * cellWidth, at.y * cellHeight];
  const box = { x: left, y: top, width: cellWidth - gap, height: cellHeight - gap };
  const rect = svgRect(box, cssColor(at.color));
  const value = decodeCell(spec.values[at.y]?.[at.x] ?? "NaN");
  const text = spec.cellText[at.y]?.[at.x] ?? (Number.isFinite(value) ? "" : specialMark(value, grid));
  if (text === "") return rect;
  const style = { size: 11, anchor: "middle", fill: textColorOn(at.color), mono: true } as const;
  return rect + svgText(left + box.width / 2, top + box.height / 2 + 4, shorten(visibleToken(text), 12), style);
}

/** NaN and infinities are marked, where a mark fits. */
function specialMark(value: number, grid: Grid): string {
  if (grid.cellWidth < 12 || grid.cellHeight < 12) return "";
  if (Number.isNaN(value)) return "×";
  return value > 0 ? "∞" : "−∞";
}

function yAxis(axis: ViewAxis, labels: readonly string[], grid: Grid): Drawing {
  const step = labelStep(13 / grid.cellHeight, axis);
  const mono = axis.kind === "tokens";
  const texts = labels.map((label, i) =>
    i % step === 0
      ? svgText(-6, (i + 0.5) * grid.cellHeight + 3.5, label, { size: 11, anchor: "end", mono, fill: look.quiet })
      : "",
  );
  const middle = (grid.ny * grid.cellHeight) / 2;
  const widest = Math.max(0, ...labels.map((label) => labelWidth(label, axis)));
  const name = svgText(-15 - widest, middle, axis.name, { anchor: "middle", rotate: -90 });
  return { width: 0, height: 0, body: texts.join("") + name };
}

/** Every how many labels one is written; numbers are thinned out to round steps. */
function labelStep(crowding: number, axis: ViewAxis): number {
  const needed = Math.max(1, Math.ceil(crowding));
  if (!axis.labels.every((label, i) => label === String(i))) return needed;
  return [1, 2, 5, 10, 20, 25, 50, 100, 200, 250, 500, 1000].find((step) => step >= needed) ?? needed;
}

function xAxis(axis: ViewAxis, labels: readonly string[], grid: Grid): Drawing {
  const widest = Math.max(0, ...labels.map((label) => labelWidth(label, axis)));
  const flat = widest <= Math.max(grid.cellWidth - 2, 0) || isShort(labels);
  const step = labelStep((flat ? widest + 6 : 14) / grid.cellWidth, axis);
  const depth = flat ? 16 : 10 + widest * Math.SQRT1_2 + 6;
  const mono = axis.kind === "tokens";
  const texts = labels.map((label, i) => {
    if (i % step !== 0) return "";
    const x = (i + 0.5) * grid.cellWidth;
    if (flat) return svgText(x, 14, label, { size: 11, anchor: "middle", mono, fill: look.quiet });
    return svgText(x + 4, 12, label, { size: 11, anchor: "end", mono, fill: look.quiet, rotate: -45 });
  });
  const width = grid.nx * grid.cellWidth;
  const name = svgText(width / 2, round(depth + 14), axis.name, { anchor: "middle" });
  return { width, height: depth + 20, body: texts.join("") + name };
}

/** Indices and other short labels lie flat, thinned out, even where cells are narrow. */
function isShort(labels: readonly string[]): boolean {
  return labels.every((label) => columns(label) <= 3);
}
