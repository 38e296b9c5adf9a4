/** Drawings as SVG text: a self-contained document of fixed size. */

import type { Drawing, Mark, PictureMark } from "./marks.js";
import { round } from "./marks.js";
import { base64, encodePng } from "./png.js";
import { palettes, resolvePaint, type Theme, type } from "./theme.js";

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

/** Returns a whole SVG document on the theme's ground, with `title` and `summary` for screen readers. */
export function svgDocument(drawing: Drawing, words: { title: string; summary: string }, theme: Theme): string {
  const width = Math.ceil(drawing.width);
  const height = Math.ceil(drawing.height);
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}"`,
    ` role="img" font-family="${type.sans}">`,
    `<title>${escapeXml(words.title)}</title><desc>${escapeXml(words.summary)}</desc>`,
    `<rect width="${width}" height="${height}" fill="${palettes[theme].ground}"/>${svgOf(drawing.marks, theme)}</svg>`,
  ].join("");
}

/** Returns marks as SVG elements. */
export function svgOf(marks: readonly (Mark | string)[], theme: Theme): string {
  return marks.map((mark) => (typeof mark === "string" ? escapeXml(mark) : markText(mark, theme))).join("");
}

function markText(mark: Mark, theme: Theme): string {
  if ("color" in mark) return pictureText(mark);
  if ("marks" in mark) {
    return `<g transform="translate(${round(mark.x)} ${round(mark.y)})">${svgOf(mark.marks, theme)}</g>`;
  }
  const attributes = Object.entries(mark.attributes).map(([name, value]) => {
    const paint = name === "fill" || name === "stroke" ? resolvePaint(String(value), theme) : String(value);
    // Faces are lists of quoted names: their apostrophes are ours and readable.
    return ` ${name}="${escapeXml(paint).replaceAll("&#39;", "'")}"`;
  });
  const inner = svgOf(mark.children, theme);
  return inner === ""
    ? `<${mark.tag}${attributes.join("")}/>`
    : `<${mark.tag}${attributes.join("")}>${inner}</${mark.tag}>`;
}

function pictureText(mark: PictureMark): string {
  const [width, height] = [mark.columns * mark.cellWidth, mark.rows * mark.cellHeight];
  // Cells keep hard edges in every viewer because the picture has the size at which it is drawn.
  const source = `data:image/png;base64,${base64(encodePng(mark))}`;
  return `<image width="${width}" height="${height}" href="${source}"/>`;
}
