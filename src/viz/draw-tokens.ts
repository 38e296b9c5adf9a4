/** Running text with one coloured box a token. */
import { colorOf, cssColor, textColorOn } from "./color.js";
import { horizontalLegend } from "./legend.js";
import { decodeCell, formatNumber } from "./numbers.js";
import type { TokensSpec } from "./spec.js";
import { type Drawing, look, place, svgRect, svgText, textWidth } from "./svg.js";
import { visibleToken } from "./token-text.js";

const lineWidth = 820;
const fontSize = 14;

interface Placed {
  readonly text: string;
  readonly value: number;
  readonly x: number;
  readonly y: number;
  readonly width: number;
}

/** Returns the drawing of coloured tokens, without its title; a newline token also breaks the line. */
export function drawTokens(spec: TokensSpec): Drawing {
  const lineHeight = spec.showValues ? 44 : 30;
  const placed = flow(spec, lineHeight);
  const boxes = placed.map((token) => drawToken(token, spec));
  const bottom = Math.max(0, ...placed.map((token) => token.y)) + lineHeight;
  const legend = horizontalLegend(spec.color, spec.unit);
  const width = Math.max(legend.width, ...placed.map((token) => token.x + token.width));
  return { width, height: bottom + 6 + legend.height, body: boxes.join("") + place(legend, 0, bottom + 6) };
}

function flow(spec: TokensSpec, lineHeight: number): readonly Placed[] {
  const placed: Placed[] = [];
  let [x, y] = [0, 0];
  spec.tokens.forEach((token, i) => {
    const text = visibleToken(token);
    const value = decodeCell(spec.values[i] ?? "NaN");
    const caption = spec.showValues ? textWidth(formatNumber(value), 10) : 0;
    const width = Math.max(textWidth(text, fontSize, true) + 6, caption + 4);
    if (x > 0 && x + width > lineWidth) [x, y] = [0, y + lineHeight];
    placed.push({ text, value, x, y, width });
    x += width + 2;
    if (token.endsWith("\n")) [x, y] = [0, y + lineHeight];
  });
  return placed;
}

function drawToken(token: Placed, spec: TokensSpec): string {
  const color = colorOf(token.value, spec.color);
  const box = svgRect({ x: token.x, y: token.y, width: token.width, height: 24 }, cssColor(color), 3);
  const middle = token.x + token.width / 2;
  const style = { size: fontSize, mono: true, anchor: "middle", fill: textColorOn(color) } as const;
  const text = svgText(middle, token.y + 17, token.text, style);
  if (!spec.showValues) return box + text;
  const caption = { size: 10, anchor: "middle", fill: look.quiet } as const;
  return box + text + svgText(middle, token.y + 36, formatNumber(token.value), caption);
}
