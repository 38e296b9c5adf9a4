/** Axes of grids: labels that thin out when crowded, and the axis's name. */
import { type Drawing, type Mark, round, textMark, textWidth } from "./marks.js";
import type { ViewAxis } from "./spec.js";
import { columns, shorten, visibleToken } from "./token-text.js";

const longestLabel = 22;
const fontSize = 11;

/** A grid of equal cells, sizes in pixels. */
export interface Grid {
  readonly nx: number;
  readonly ny: number;
  readonly cellWidth: number;
  readonly cellHeight: number;
}

/** Returns the whole label of one index as it is written: token text with visible whitespace. */
export function axisLabel(axis: ViewAxis, index: number): string {
  const label = axis.labels[index] ?? "";
  return axis.kind === "tokens" ? visibleToken(label) : label;
}

/** Returns the width of the widest label of `axis`, in pixels, as axes write it. */
export function axisLabelWidth(axis: ViewAxis): number {
  return widest(shortLabels(axis), axis);
}

/** Returns the axis left of a grid, drawn to the left of its own origin. */
export function drawYAxis(axis: ViewAxis, grid: Grid): Drawing {
  const labels = shortLabels(axis);
  const step = labelStep(13 / grid.cellHeight, axis);
  const style = { size: fontSize, anchor: "end", mono: axis.kind === "tokens", fill: "quiet" } as const;
  const texts = labels.flatMap((label, i) =>
    i % step === 0 ? [textMark(-6, (i + 0.5) * grid.cellHeight + 3.5, label, style)] : [],
  );
  const middle = (grid.ny * grid.cellHeight) / 2;
  const name = nameMark(-15 - widest(labels, axis), middle, axis.name, -90);
  return { width: 0, height: 0, marks: [...texts, ...name] };
}

/** Returns the axis below a grid. */
export function drawXAxis(axis: ViewAxis, grid: Grid): Drawing {
  const labels = shortLabels(axis);
  const widestLabel = widest(labels, axis);
  const flat = widestLabel <= Math.max(grid.cellWidth - 2, 0) || isShort(labels);
  const step = labelStep((flat ? widestLabel + 6 : 14) / grid.cellWidth, axis);
  const depth = flat ? 16 : 10 + widestLabel * Math.SQRT1_2 + 6;
  const style = { size: fontSize, mono: axis.kind === "tokens", fill: "quiet" } as const;
  const texts = labels.flatMap((label, i) => {
    if (i % step !== 0) return [];
    const x = (i + 0.5) * grid.cellWidth;
    if (flat) return [textMark(x, 14, label, { ...style, anchor: "middle" })];
    return [textMark(x + 4, 12, label, { ...style, anchor: "end", rotate: -45 })];
  });
  const width = grid.nx * grid.cellWidth;
  return { width, height: depth + 20, marks: [...texts, ...nameMark(width / 2, round(depth + 14), axis.name)] };
}

function nameMark(x: number, y: number, name: string, rotate?: number): readonly Mark[] {
  if (name === "") return [];
  return [textMark(x, y, name, { anchor: "middle", ...(rotate === undefined ? {} : { rotate }) })];
}

function shortLabels(axis: ViewAxis): readonly string[] {
  return axis.labels.map((_, i) => shorten(axisLabel(axis, i), longestLabel));
}

function widest(labels: readonly string[], axis: ViewAxis): number {
  return Math.max(0, ...labels.map((label) => textWidth(label, fontSize, axis.kind === "tokens")));
}

/** Every how many labels one is written; numbers are thinned out to round steps. */
function labelStep(crowding: number, axis: ViewAxis): number {
  const needed = Math.max(1, Math.ceil(crowding));
  if (!axis.labels.every((label, i) => label === String(i))) return needed;
  return [1, 2, 5, 10, 20, 25, 50, 100, 200, 250, 500, 1000].find((step) => step >= needed) ?? needed;
}

/** Indices and other short labels lie flat, thinned out, even where cells are narrow. */
function isShort(labels: readonly string[]): boolean {
  return labels.every((label) => columns(label) <= 3);
}
