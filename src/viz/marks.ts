/** What drawings are made of: a small tree of SVG elements that becomes text in Node.js and elements in a browser. */
import type { Rgb } from "./color.js";
import { type } from "./theme.js";
import { columns } from "./token-text.js";

/** An SVG element. `fill` and `stroke` may name a colour of the theme, such as `ink`. */
export interface ElementMark {
  readonly tag: string;
  readonly attributes: Readonly<Record<string, number | string>>;
  readonly children: readonly (Mark | string)[];
}

/** A field of coloured cells: one bitmap, however many cells. */
export interface PictureMark {
  readonly columns: number;
  readonly rows: number;
  /** Size of a cell in whole pixels. */
  readonly cellWidth: number;
  readonly cellHeight: number;
  /** The colour of column `x` in row `y`. */
  readonly color: (x: number, y: number) => Rgb;
}

/** Marks moved to a place. */
export interface PlacedMarks {
  readonly x: number;
  readonly y: number;
  readonly marks: readonly Mark[];
}

/** A part of a drawing. */
export type Mark = ElementMark | PictureMark | PlacedMarks;

/** Marks in a box of fixed size, in pixels, origin at its top left. */
export interface Drawing {
  readonly width: number;
  readonly height: number;
  readonly marks: readonly Mark[];
}

/** A rectangle, in pixels. */
export interface Box {
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
}

/** A point, `[x, y]`. */
export type Point = readonly [number, number];

/** How a piece of text is set. */
export interface TextStyle {
  readonly size?: number;
  readonly mono?: boolean;
  readonly anchor?: "start" | "middle" | "end";
  /** A colour of the theme or any CSS colour; default `ink`. */
  readonly fill?: string;
  readonly bold?: boolean;
  /** Degrees, clockwise, about the text's own position. */
  readonly rotate?: number;
}

/** Returns any SVG element. */
export function element(
  tag: string,
  attributes: Readonly<Record<string, number | string>>,
  children: readonly (Mark | string)[] = [],
): ElementMark {
  return { tag, attributes, children };
}

/** Returns a line of text whose baseline starts at (`x`, `y`). */
export function textMark(x: number, y: number, text: string, style: TextStyle = {}): ElementMark {
  const { size = type.labelSize, fill = "ink", anchor = "start" } = style;
  const attributes: Record<string, number | string> = { x: round(x), y: round(y), "font-size": size, fill };
  if (style.mono === true) attributes["font-family"] = type.mono;
  if (style.bold === true) attributes["font-weight"] = 600;
  if (anchor !== "start") attributes["text-anchor"] = anchor;
  if (style.rotate !== undefined) attributes["transform"] = `rotate(${style.rotate} ${round(x)} ${round(y)})`;
  attributes["xml:space"] = "preserve";
  return element("text", attributes, [text]);
}

/** Returns a filled rectangle. */
export function rectMark(box: Box, fill: string, radius = 0): ElementMark {
  const { x, y, width, height } = box;
  const size = { x: round(x), y: round(y), width: round(width), height: round(height) };
  return element("rect", { ...size, ...(radius > 0 ? { rx: radius } : {}), fill });
}

/** Returns the outline of a rectangle, `stroke` wide 2 pixels. */
export function outlineMark(box: Box, stroke = "accent"): ElementMark {
  const { x, y, width, height } = box;
  const size = { x: round(x - 1), y: round(y - 1), width: round(width + 2), height: round(height + 2) };
  return element("rect", { ...size, fill: "none", stroke, "stroke-width": 2, rx: 2 });
}

/** Returns a straight line. */
export function lineMark(from: Point, to: Point, stroke: string): ElementMark {
  const [x1, y1, x2, y2] = [...from, ...to].map(round) as [number, number, number, number];
  return element("line", { x1, y1, x2, y2, stroke });
}

/** Returns `drawing` moved to (`x`, `y`). */
export function place(drawing: Pick<Drawing, "marks">, x: number, y: number): PlacedMarks {
  return { x: round(x), y: round(y), marks: drawing.marks };
}

/** Returns the estimated width of `text` in pixels: exact for monospace faces, generous for others. */
export function textWidth(text: string, size: number, mono = false): number {
  return columns(text) * size * (mono ? 0.605 : 0.57);
}

/** Returns `value` to two decimals, so that drawings are short and the same on every machine. */
export function round(value: number): number {
  return Math.round(value * 100) / 100;
}
