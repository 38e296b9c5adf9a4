/** The field of a grid: one rectangle a cell while they are few, one bitmap when they are many. */
import type { Grid } from "./axes.js";
import { cssColor, type Rgb, textColorOn } from "./color.js";
import { type Box, type Mark, rectMark, textMark } from "./marks.js";
import { shorten, visibleToken } from "./token-text.js";

/** Above this count the field is one bitmap. */
const maxRectangles = 600;

/** What fills the cells. */
export interface FieldOptions {
  readonly color: (x: number, y: number) => Rgb;
  /** Text inside a cell; empty for none. Only with text are many cells drawn as rectangles. */
  readonly text?: (x: number, y: number) => string;
  /** Marks a cell that holds no finite number. */
  readonly value?: (x: number, y: number) => number;
}

/** Returns the cells of `grid`, column `x` and row `y` from the top left. */
export function drawField(grid: Grid, options: FieldOptions): readonly Mark[] {
  const { nx, ny, cellWidth, cellHeight } = grid;
  if (nx * ny > maxRectangles && options.text === undefined) {
    return [{ columns: nx, rows: ny, cellWidth, cellHeight, color: options.color }];
  }
  const rows = Array.from({ length: ny }, (_, y) =>
    Array.from({ length: nx }, (_cell, x) => cell(grid, options, [x, y])),
  );
  return rows.flat(2);
}

/** Returns the box of one cell, gap left out. */
export function cellBox(grid: Grid, x: number, y: number): Box {
  const { cellWidth, cellHeight } = grid;
  const gap = Math.min(cellWidth, cellHeight) >= 10 ? 1 : 0;
  return { x: x * cellWidth, y: y * cellHeight, width: cellWidth - gap, height: cellHeight - gap };
}

function cell(grid: Grid, options: FieldOptions, [x, y]: readonly [number, number]): readonly Mark[] {
  const box = cellBox(grid, x, y);
  const color = options.color(x, y);
  const rect = rectMark(box, cssColor(color));
  const value = options.value?.(x, y) ?? 0;
  const text = options.text?.(x, y) ?? (Number.isFinite(value) ? "" : specialMark(value, grid));
  if (text === "") return [rect];
  const style = { size: 11, anchor: "middle", fill: textColorOn(color), mono: true } as const;
  const words = textMark(box.x + box.width / 2, box.y + box.height / 2 + 4, shorten(visibleToken(text), 12), style);
  return [rect, words];
}

/** NaN and infinities are marked, where a mark fits. */
function specialMark(value: number, grid: Grid): string {
  if (grid.cellWidth < 12 || grid.cellHeight < 12) return "";
  if (Number.isNaN(value)) return "×";
  return value > 0 ? "∞" : "−∞";
}
