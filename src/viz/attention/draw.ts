/** The drawing of attention patterns: small heads, one large, and the text coloured by what one token looks at. */
import { drawXAxis, drawYAxis } from "../axes.js";
import { colorTable, type Rgb } from "../color.js";
import { drawFlow } from "../flow.js";
import { verticalLegend } from "../legend.js";
import {
  type Drawing,
  type Mark,
  outlineMark,
  type PictureMark,
  place,
  rectMark,
  textMark,
  textWidth,
} from "../marks.js";
import { decodeCell, encodeCell } from "../numbers.js";
import { shareStyles } from "../shared-marks.js";
import { palettes, type Theme } from "../theme.js";
import { type AttentionLayout, layerAxis, layOutAttention, type ThumbField, thumbBox } from "./layout.js";
import type { HeadBlock } from "./read.js";
import { visibleKeys } from "./shape.js";
import {
  type AttentionSpec,
  axesOf,
  countHeads,
  headName,
  placeOf,
  queryToken,
  type StrongPair,
  shapeOf,
  weightText,
} from "./spec.js";
import { strongestPair } from "./stats.js";
import { hiddenLevel, largestIn, missingLevel, readThumbs, thumbLevels } from "./thumbs.js";
import { decodeHead } from "./weights.js";

/** Tokens whose weight is a smaller share of the colour scale have no box in the text. */
const weakest = 0.01;

/** What is drawn besides the spec. */
export interface AttentionChoice {
  readonly theme: Theme;
  /** The head drawn large. */
  readonly head: number;
  /** The small heads when they were drawn before. */
  readonly thumbs?: PictureMark | undefined;
}

/** Returns the whole drawing. */
export function drawAttention(spec: AttentionSpec, { theme, head, thumbs }: AttentionChoice): Drawing {
  const layout = layOutAttention(spec);
  const block = decodeHead(spec.weights, shapeOf(spec), head);
  const strongest = strongestOf(spec, head, block);
  const small = layout.thumbs;
  const caption = drawCaption(spec, layout, { head, strongest });
  return {
    width: Math.max(layout.width, caption.width),
    height: layout.height,
    marks: [
      ...(small === undefined ? [] : drawThumbs(spec, small, thumbs ?? thumbPicture(spec, small, theme))),
      ...(small === undefined ? [] : [outlineMark(thumbBox(small, head), "ink")]),
      ...caption.marks,
      ...drawLarge(spec, layout, { theme, block }),
      ...(strongest === undefined
        ? []
        : drawLooks(spec, layout, { theme, block, query: strongest.query - queryToken(spec, 0) })),
    ],
  };
}

function drawThumbs(spec: AttentionSpec, thumbs: ThumbField, picture: PictureMark): readonly Mark[] {
  const { columns, rows, cell, stepX, stepY, across, down, box } = thumbs;
  const field = place({ marks: [picture] }, box.x, box.y);
  if (spec.layers.length < 2) {
    const style = { size: 11, anchor: "middle", fill: "quiet" } as const;
    const names = Array.from({ length: countHeads(spec) }, (_, head) => {
      const { x, y, width, height } = thumbBox(thumbs, head);
      return textMark(x + width / 2, y + height + 12, headName(spec, head), style);
    });
    return [field, ...shareStyles(names)];
  }
  const grid = { nx: columns, ny: rows, cellWidth: stepX * cell, cellHeight: stepY * cell };
  const [halfGapX, halfGapY] = [((stepX - across) * cell) / 2, ((stepY - down) * cell) / 2];
  const heads = { name: "head", labels: spec.heads.map(String), kind: "names" } as const;
  return [
    field,
    place(compact(drawYAxis(layerAxis(spec), grid)), box.x, box.y - halfGapY),
    place(compact(drawXAxis(heads, grid)), box.x - halfGapX, box.y + box.height),
  ];
}

/** Returns all small heads as one picture; no weight is read before it is painted. */
export function thumbPicture(spec: AttentionSpec, thumbs: ThumbField, theme: Theme): PictureMark {
  const { columns, across, stepX, stepY, cell, rows, down } = thumbs;
  const colors = thumbPalette(spec, theme);
  let levels: Uint8Array | undefined;
  return {
    columns: (columns - 1) * stepX + across,
    rows: (rows - 1) * stepY + down,
    cellWidth: cell,
    cellHeight: cell,
    color(x, y) {
      levels ??= readThumbs(spec, thumbs);
      const [column, row] = [Math.floor(x / stepX), Math.floor(y / stepY)];
      const [left, top] = [x % stepX, y % stepY];
      const head = row * columns + column;
      const level = left < across && top < down ? levels[(head * down + top) * across + left] : undefined;
      return colors(level ?? hiddenLevel);
    },
  };
}

function thumbPalette(spec: AttentionSpec, theme: Theme): (level: number) => Rgb {
  const { min, max } = spec.color;
  const colors = colorTable(spec.color, theme);
  const ground = groundColor(theme);
  const palette = Array.from({ length: thumbLevels + 1 }, (_, i) => colors(min + (i / thumbLevels) * (max - min)));
  const missing = colors(Number.NaN);
  return (level) => (level === missingLevel ? missing : (palette[level] ?? ground));
}

function groundColor(theme: Theme): Rgb {
  const [red = 0, green = 0, blue = 0] = (palettes[theme].ground.match(/[\da-f]{2}/g) ?? []).map((part) =>
    Number.parseInt(part, 16),
  );
  return [red, green, blue];
}

function compact({ marks }: Pick<Drawing, "marks">): Pick<Drawing, "marks"> {
  return { marks: shareStyles(marks) };
}

/** The large head's name and strongest pair. */
function drawCaption(
  spec: AttentionSpec,
  { caption }: AttentionLayout,
  { head, strongest }: { readonly head: number; readonly strongest: StrongPair | undefined },
): Drawing {
  const name = headName(spec, head);
  const words = strongest === undefined ? "" : pairText(spec, strongest);
  const x = caption.x + (name === "" ? 0 : name.length * 9 + 6);
  return {
    width: x + textWidth(words, 11.5),
    height: 0,
    marks: [
      ...(name === "" ? [] : [textMark(caption.x, caption.y, name, { size: 13, bold: true })]),
      textMark(x, caption.y, words, { fill: "quiet", size: 11.5 }),
    ],
  };
}

function pairText(spec: AttentionSpec, { query, key, weight }: StrongPair): string {
  return `${placeOf(spec, query, 14)} → ${placeOf(spec, key, 14)} ${weightText(spec, decodeCell(weight))}`;
}

/** Returns the strongest pair of a head: the exact one where the spec has it, else that of the rounded weights. */
export function strongestOf(spec: AttentionSpec, head: number, block: HeadBlock): StrongPair | undefined {
  const exact = spec.strongest.find((pair) => pair.head === head);
  const pair = exact === undefined ? strongestPair(block, shapeOf(spec)) : undefined;
  if (pair === undefined) return exact;
  return { head, query: queryToken(spec, pair.query), key: pair.key, weight: encodeCell(pair.weight) };
}

function drawLarge(
  spec: AttentionSpec,
  layout: AttentionLayout,
  { theme, block: weights }: { readonly theme: Theme; readonly block: HeadBlock },
): readonly Mark[] {
  const { field, grid, block } = layout;
  const shape = shapeOf(spec);
  const colors = colorTable(spec.color, theme);
  const ground = groundColor(theme);
  const side = Math.max(1, grid.cellWidth);
  const picture: PictureMark = {
    columns: Math.ceil(grid.nx / block),
    rows: Math.ceil(grid.ny / block),
    cellWidth: side,
    cellHeight: side,
    color(x, y) {
      const weight = largestIn(weights, shape, { x: x * block, y: y * block, side: block });
      return weight === undefined ? ground : colors(weight);
    },
  };
  const { x, y } = axesOf(spec);
  const legend = verticalLegend(
    { color: spec.color, unit: spec.unit, theme },
    Math.min(Math.max(field.height, 66), 160),
  );
  return [
    place({ marks: [picture] }, field.x, field.y),
    place(compact(drawYAxis(y, grid)), field.x, field.y),
    place(compact(drawXAxis(x, grid)), field.x, field.y + field.height),
    place(compact(legend), field.x + field.width + 18, field.y),
  ];
}

/** Returns the text below the heads, each token in the colour of the weight that `query` gives it. */
export function drawLooks(
  spec: AttentionSpec,
  { text }: AttentionLayout,
  { theme, block, query }: { readonly theme: Theme; readonly block: HeadBlock; readonly query: number },
): readonly Mark[] {
  if (text === undefined) return [];
  const colors = colorTable(spec.color, theme);
  const visible = visibleKeys(shapeOf(spec), query);
  const least = weakest * Math.max(Math.abs(spec.color.min), Math.abs(spec.color.max));
  const fill = (key: number): Rgb | undefined => {
    const weight = key < visible ? block.at(query, key) : 0;
    return Math.abs(weight) < least ? undefined : colors(weight);
  };
  const own = text.boxes[queryToken(spec, query)];
  return [
    textMark(0, text.y, `${placeOf(spec, queryToken(spec, query))} looks at`, { fill: "quiet" }),
    ...drawFlow(spec.tokens, text.boxes, fill),
    ...(own === undefined ? [] : [outlineMark({ ...own, x: own.x + 1, width: own.width - 2 }, "accent")]),
  ];
}

/** Returns a blank over the text, so that it can be drawn anew for another query. */
export function blankText({ text, width }: AttentionLayout): readonly Mark[] {
  if (text === undefined) return [];
  return [rectMark({ x: -3, y: text.y - 14, width: width + 6, height: text.box.height + 34 }, "ground")];
}
