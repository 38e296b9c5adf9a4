/** Tokens as running text in boxes: where each stands, and one compact group of marks for all. */
import { cssColor, type Rgb, textColorOn } from "./color.js";
import { type Box, element, type Mark, round, textWidth } from "./marks.js";
import { type as face } from "./theme.js";
import { visibleToken } from "./token-text.js";

const fontSize = 13;
const boxHeight = 21;

/** How tokens flow, in pixels. */
export interface FlowOptions {
  readonly width: number;
  readonly lineHeight: number;
  /** The least width of each box, such as that of a caption under it. */
  readonly least?: (index: number) => number;
}

/** Returns the boxes of tokens in running text; a token that ends in a newline also ends its line. */
export function flowBoxes(tokens: readonly string[], options: FlowOptions): readonly Box[] {
  const { width, lineHeight, least } = options;
  let [x, y] = [0, 0];
  return tokens.map((token, i) => {
    const own = textWidth(visibleToken(token), fontSize, true) + 6;
    const box = { x: 0, y: 0, width: Math.max(own, least?.(i) ?? 0), height: boxHeight };
    if (x > 0 && x + box.width > width) [x, y] = [0, y + lineHeight];
    const placed = { ...box, x: round(x), y };
    x += box.width + 2;
    if (token.endsWith("\n")) [x, y] = [0, y + lineHeight];
    return placed;
  });
}

/** Returns the size of flowing boxes. */
export function flowSize(boxes: readonly Box[]): { readonly width: number; readonly height: number } {
  return {
    width: Math.max(0, ...boxes.map((box) => box.x + box.width)),
    height: Math.max(0, ...boxes.map((box) => box.y + box.height)),
  };
}

/** Returns the tokens in their boxes, each on the colour it is given; without one on the ground of the theme. */
export function drawFlow(
  tokens: readonly string[],
  boxes: readonly Box[],
  color: (index: number) => Rgb | undefined,
): readonly Mark[] {
  const fills = tokens.map((_, i) => color(i));
  const rects = boxes.flatMap((box, i) => {
    const fill = fills[i];
    return fill === undefined ? [] : [filled(box, cssColor(fill))];
  });
  const texts = boxes.map((box, i) => {
    const fill = fills[i];
    const place = { x: round(box.x + box.width / 2), y: box.y + 15 };
    return element("text", fill === undefined ? place : { ...place, fill: textColorOn(fill) }, [
      visibleToken(tokens[i] ?? ""),
    ]);
  });
  const style = { "font-family": face.mono, "font-size": fontSize, "text-anchor": "middle", fill: "ink" };
  // Attributes shared by all tokens stand on their group: pictures of long texts stay small.
  return [...rects, element("g", { ...style, "xml:space": "preserve" }, texts)];
}

function filled({ x, y, width, height }: Box, fill: string): Mark {
  return element("rect", { x, y, width: round(width), height, rx: 3, fill });
}
