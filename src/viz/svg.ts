/** Building blocks of the static drawings: escaped text, measured text, one look. */
import { columns } from "./token-text.js";

/** A piece of a drawing: SVG elements in a box of fixed size, origin at its top left. */
export interface Drawing {
  readonly width: number;
  readonly height: number;
  readonly body: string;
}

/** Fixed look of every drawing: readable on white, whatever the page's theme. */
export const look: {
  readonly sans: string;
  readonly mono: string;
  readonly ink: string;
  readonly quiet: string;
  readonly rule: string;
  readonly labelSize: number;
  readonly margin: number;
} = {
  sans: "system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', Arial, 'DejaVu Sans', sans-serif",
  mono: "ui-monospace, SFMono-Regular, Menlo, Consolas, 'DejaVu Sans Mono', monospace",
  ink: "#1b1f24",
  quiet: "#5b6470",
  rule: "#d8dce1",
  labelSize: 12,
  margin: 16,
};

/** Returns `text` with the five characters of XML escaped and what XML forbids replaced by `�`. */
export function escapeXml(text: string): string {
  return text
    .replace(/[\u0000-\u0008\u000b\u000c\u000e-\u001f\ufffe\uffff]/g, "�")
    .replace(/[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/g, "�")
    .replace(/&/g, "&amp;")
    .replace(/</g, "&lt;")
    .replace(/>/g, "&gt;")
    .replace(/"/g, "&quot;")
    .replace(/'/g, "&#39;");
}

/** How a piece of text is set. */
export interface TextStyle {
  readonly size?: number;
  readonly mono?: boolean;
  readonly anchor?: "start" | "middle" | "end";
  readonly fill?: string;
  readonly bold?: boolean;
  /** Degrees, clockwise, about the text's own position. */
  readonly rotate?: number;
}

/** Returns a `<text>` element whose baseline starts at (`x`, `y`). */
export function svgText(x: number, y: number, text: string, style: TextStyle = {}): string {
  const attributes = [
    `x="${round(x)}"`,
    `y="${round(y)}"`,
    `font-size="${style.size ?? look.labelSize}"`,
    `fill="${style.fill ?? look.ink}"`,
  ];
  if (style.mono === true) attributes.push(`font-family="${look.mono}"`);
  if (style.bold === true) attributes.push(`font-weight="600"`);
  if (style.anchor !== undefined && style.anchor !== "start") attributes.push(`text-anchor="${style.anchor}"`);
  if (style.rotate !== undefined) attributes.push(`transform="rotate(${style.rotate} ${round(x)} ${round(y)})"`);
  return `<text ${attributes.join(" ")} xml:space="preserve">${escapeXml(text)}</text>`;
}

/** A rectangle to fill. */
export interface Box {
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
}

/** Returns a filled `<rect>`. */
export function svgRect(box: Box, fill: string, radius = 0): string {
  const rounded = radius > 0 ? ` rx="${radius}"` : "";
  const { x, y, width, height } = box;
  return `<rect x="${round(x)}" y="${round(y)}" width="${round(width)}" height="${round(height)}"${rounded} fill="${fill}"/>`;
}

/** Returns a straight line from (`x1`, `y1`) to (`x2`, `y2`). */
export function svgLine(from: readonly [number, number], to: readonly [number, number], stroke: string): string {
  return `<line x1="${round(from[0])}" y1="${round(from[1])}" x2="${round(to[0])}" y2="${round(to[1])}" stroke="${stroke}"/>`;
}

/** Returns the estimated width of `text` in pixels: exact for monospace faces, generous for others. */
export function textWidth(text: string, size: number, mono = false): number {
  return columns(text) * size * (mono ? 0.605 : 0.57);
}

/** Returns `drawing` moved to (`x`, `y`). */
export function place(drawing: Drawing, x: number, y: number): string {
  return `<g transform="translate(${round(x)} ${round(y)})">${drawing.body}</g>`;
}

/** Returns a whole SVG document of fixed size on white, with `title` and `summary` for screen readers. */
export function svgDocument(drawing: Drawing, title: string, summary: string): string {
  const width = Math.ceil(drawing.width);
  const height = Math.ceil(drawing.height);
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}"`,
    ` role="img" font-family="${look.sans}">`,
    `<title>${escapeXml(title)}</title><desc>${escapeXml(summary)}</desc>`,
    `<rect width="${width}" height="${height}" fill="#ffffff"/>${drawing.body}</svg>`,
  ].join("");
}

/** Returns `value` to two decimals, so that drawings are short and the same on every machine. */
export function round(value: number): number {
  return Math.round(value * 100) / 100;
}
