/** Where the parts of the attention view lie: small heads, the large one, the text. All sizes in pixels. */
import { axisLabelWidth, drawXAxis, type Grid } from "../axes.js";
import { flowBoxes, flowSize } from "../flow.js";
import type { Box } from "../marks.js";
import type { ViewAxis } from "../spec.js";
import { type AttentionFrame, axesOf, countHeads } from "./spec.js";

/** Small heads fill about this much, and their cells stay below this count together. */
const thumbArea = 440;
const thumbCells = 80_000;
const largestThumb = 76;
const smallestThumb = 9;
/** The large head's side, beside many small heads and beside few. */
const largeSides = [320, 440] as const;
/** Larger patterns are drawn with several weights a pixel. */
const largestField = 640;
const largestCell = 24;
/** Wider views stand below each other. */
const viewWidth = 1120;
const captionHeight = 26;
/** Longer texts are not written out below the heads. */
const longestText = 400;

/** The field of small heads: one bitmap of equal cells, several weights to a cell. */
export interface ThumbField {
  readonly columns: number;
  readonly rows: number;
  /** Weights along each side of a cell. */
  readonly block: number;
  /** Cells across and down one head. */
  readonly across: number;
  readonly down: number;
  /** Side of a cell. */
  readonly cell: number;
  /** Cells from one head to the next. */
  readonly stepX: number;
  readonly stepY: number;
  /** The whole field. */
  readonly box: Box;
}

/** Where everything lies. */
export interface AttentionLayout {
  readonly width: number;
  readonly height: number;
  /** Absent when there is only one head. */
  readonly thumbs?: ThumbField;
  /** Where the large head's caption starts. */
  readonly caption: { readonly x: number; readonly y: number };
  /** The large head. */
  readonly field: Box;
  /** One cell for each weight, possibly smaller than a pixel. */
  readonly grid: Grid;
  /** Weights along each side of a drawn cell of the large head. */
  readonly block: number;
  /** Where the line above the text starts, and the box of each token. Absent for long texts. */
  readonly text?: { readonly y: number; readonly boxes: readonly Box[]; readonly box: Box };
}

/** Returns where the parts of the view lie. */
export function layOutAttention(spec: AttentionFrame): AttentionLayout {
  const thumbs = countHeads(spec) > 1 ? layOutThumbs(spec) : undefined;
  const beside = endOf(thumbs, spec);
  const { grid, block } = largeGrid(spec, beside.right > 500 ? largeSides[0] : largeSides[1]);
  const { x, y } = axesOf(spec);
  const size = { width: grid.nx * grid.cellWidth, height: grid.ny * grid.cellHeight };
  const [before, after] = [27 + axisLabelWidth(y), 70];
  const isBeside = beside.right + 36 + before + size.width + after <= viewWidth;
  const [left, top] = thumbs === undefined ? [0, 0] : isBeside ? [beside.right + 36, 0] : [0, beside.bottom + 12];
  const field = { x: left + before, y: top + captionHeight, ...size };
  const bottom = drawXAxis(x, grid);
  const width = Math.max(beside.right, field.x + Math.max(size.width + after, bottom.width));
  const height = Math.max(beside.bottom, field.y + size.height + bottom.height);
  const text = layOutText(spec, Math.max(width, 640), height + 14);
  return {
    width: Math.max(width, text?.box.width ?? 0),
    height: text === undefined ? height : text.box.y + text.box.height + 4,
    ...(thumbs === undefined ? {} : { thumbs }),
    caption: { x: field.x, y: top + 13 },
    field,
    grid,
    block,
    ...(text === undefined ? {} : { text }),
  };
}

/** Where the small heads and their labels end. */
function endOf(thumbs: ThumbField | undefined, { layers }: AttentionFrame): { right: number; bottom: number } {
  if (thumbs === undefined) return { right: 0, bottom: 0 };
  const { x, y, width, height } = thumbs.box;
  return { right: x + width, bottom: y + height + (layers.length > 1 ? 36 : 16) };
}

function largeGrid(spec: AttentionFrame, side: number): { readonly grid: Grid; readonly block: number } {
  const [nx, ny] = [spec.tokens.length, spec.queries];
  const longest = Math.max(nx, ny);
  const block = Math.ceil(longest / largestField);
  const cell = block > 1 ? 1 / block : Math.max(1, Math.min(largestCell, Math.floor(side / longest)));
  return { grid: { nx, ny, cellWidth: cell, cellHeight: cell }, block };
}

/** Returns where the small heads lie: several layers make rows of heads; the heads of one layer wrap to a block, each with its name below. */
export function layOutThumbs(spec: AttentionFrame): ThumbField {
  const count = countHeads(spec);
  const isTable = spec.layers.length > 1;
  const columns = isTable ? Math.max(1, spec.heads.length) : Math.ceil(Math.sqrt(count));
  const rows = Math.ceil(count / columns);
  const space = Math.max(smallestThumb, Math.min(largestThumb, thumbArea / columns, thumbArea / rows));
  const { block, cell } = thumbCell(spec, count, space);
  const [across, down] = [Math.ceil(spec.tokens.length / block), Math.ceil(spec.queries / block)];
  const gap = Math.ceil((space > 20 ? 3 : 1) / cell);
  const [stepX, stepY] = [across + gap, down + (isTable ? gap : Math.ceil(18 / cell))];
  const x = isTable ? 27 + axisLabelWidth(layerAxis(spec)) : 0;
  const box = {
    x,
    y: captionHeight,
    width: (columns * stepX - gap) * cell,
    height: ((rows - 1) * stepY + down) * cell,
  };
  return { columns, rows, block, across, down, cell, stepX, stepY, box };
}

/** Weights a cell and pixels a cell that fill `space` well and show much: size used × √cells is largest. */
function thumbCell(
  spec: AttentionFrame,
  count: number,
  space: number,
): { readonly block: number; readonly cell: number } {
  const side = Math.max(spec.tokens.length, spec.queries);
  const limit = Math.max(smallestThumb - 1, Math.sqrt(thumbCells / count));
  let best = { block: side, cell: Math.max(1, Math.floor(space / 2)), score: 0 };
  for (let block = 1; block < side; block++) {
    const cells = Math.ceil(side / block);
    const cell = Math.floor(space / (cells + 1));
    const score = cell * (cells + 1) * Math.sqrt(cells);
    if (cells <= limit && cell >= 1 && score > best.score) best = { block, cell, score };
  }
  return best;
}

/** Returns the axis of layers beside the small heads. */
export function layerAxis(spec: AttentionFrame): ViewAxis {
  return { name: "layer", labels: spec.layers.map(String), kind: "names" };
}

/** Returns the box of one small head. */
export function thumbBox(thumbs: ThumbField, head: number): Box {
  const { columns, stepX, stepY, across, down, cell, box } = thumbs;
  return {
    x: box.x + (head % columns) * stepX * cell,
    y: box.y + Math.floor(head / columns) * stepY * cell,
    width: across * cell,
    height: down * cell,
  };
}

function layOutText(spec: AttentionFrame, width: number, y: number): AttentionLayout["text"] {
  if (spec.tokens.length > longestText || spec.tokens.length < 2) return undefined;
  const top = y + 20;
  const boxes = flowBoxes(spec.tokens, { width, lineHeight: 25 }).map((box) => ({ ...box, y: box.y + top }));
  const size = flowSize(boxes);
  return { y: y + 10, boxes, box: { x: 0, y: top, width: size.width, height: size.height - top } };
}
