/** From a spec to one SVG document: each view drawn by its own file, framed by title and note. */
import { drawBars } from "./draw-bars.js";
import { drawHeatmap } from "./draw-heatmap.js";
import { drawTable } from "./draw-table.js";
import { drawTokens } from "./draw-tokens.js";
import type { PanelsSpec, ViewSpec } from "./spec.js";
import { type Drawing, look, place, svgDocument, svgText, textWidth } from "./svg.js";
import { summarize } from "./text.js";
import { shorten } from "./token-text.js";

/** Sheets wrap their panels at this width, in pixels. */
const sheetWidth = 1000;
const panelGap = 28;

/**
 * Returns a view as a self-contained SVG document of fixed size on a white ground.
 *
 * It needs no script, no style sheet and no network; `<title>` and `<desc>` say in words what it shows.
 */
export function toStaticSvg(spec: ViewSpec): string {
  return svgDocument(frame(spec, look.margin), spec.title, summarize(spec));
}

/** Returns the size in pixels of the document that {@link toStaticSvg} makes. */
export function svgSize(spec: ViewSpec): { readonly width: number; readonly height: number } {
  const { width, height } = frame(spec, look.margin);
  return { width: Math.ceil(width), height: Math.ceil(height) };
}

function drawBody(spec: ViewSpec): Drawing {
  switch (spec.view) {
    case "bars":
      return drawBars(spec);
    case "heatmap":
      return drawHeatmap(spec);
    case "panels":
      return drawPanels(spec);
    case "table":
      return drawTable(spec);
    case "tokens":
      return drawTokens(spec);
  }
}

/** Title and note on top of the drawing, margins all around. */
function frame(spec: ViewSpec, margin: number): Drawing {
  const body = drawBody(spec);
  const limit = Math.max(body.width, 420);
  const title = spec.title === "" ? [] : [{ text: spec.title, size: 15, bold: true, fill: look.ink, height: 22 }];
  const note = spec.note === "" ? [] : [{ text: spec.note, size: 12, bold: false, fill: look.quiet, height: 18 }];
  const parts: string[] = [];
  let [y, width] = [margin, body.width];
  for (const line of [...title, ...note]) {
    const text = shorten(line.text, Math.floor(limit / (line.size * 0.57)));
    parts.push(svgText(margin, y + line.size - 2, text, { size: line.size, bold: line.bold, fill: line.fill }));
    width = Math.max(width, Math.min(limit, textWidth(text, line.size)));
    y += line.height;
  }
  if (parts.length > 0) y += 8;
  parts.push(place(body, margin, y));
  return { width: width + 2 * margin, height: y + body.height + margin, body: parts.join("") };
}

/** Panels stand side by side and wrap like words. */
function drawPanels(spec: PanelsSpec): Drawing {
  const parts: string[] = [];
  let [x, y, rowHeight, width] = [0, 0, 0, 0];
  for (const panel of spec.panels) {
    const drawing = frame(panel, 0);
    if (x > 0 && x + drawing.width > sheetWidth) [x, y, rowHeight] = [0, y + rowHeight + panelGap, 0];
    parts.push(place(drawing, x, y));
    width = Math.max(width, x + drawing.width);
    rowHeight = Math.max(rowHeight, drawing.height);
    x += drawing.width + panelGap;
  }
  return { width, height: y + rowHeight, body: parts.join("") };
}
