/** Several views on one sheet, side by side as far as they fit. */
import { nothingToDraw } from "../checks.js";
import type { DrawContext, TableData, ViewKind } from "../kind.js";
import { type Drawing, type Mark, place } from "../marks.js";
import type { ViewSpec } from "../registry.js";
import { header, type ViewHeader, type ViewOptions } from "../spec.js";

/** Sheets wrap their panels at this width, in pixels. */
const sheetWidth = 1000;
const panelGap = 28;

/** Several views on one sheet. */
export interface PanelsSpec extends ViewHeader {
  readonly view: "panels";
  readonly panels: readonly ViewSpec[];
}

/** Returns the spec of a sheet; see `viz.panels`. */
export function panelsSpec(panels: readonly ViewSpec[], options: ViewOptions): PanelsSpec {
  if (panels.length === 0) throw nothingToDraw("viz.panels");
  return { ...header("panels", options), panels };
}

/** Panels stand side by side and wrap like words. */
function draw(spec: PanelsSpec, context: DrawContext): Drawing {
  const marks: Mark[] = [];
  let [x, y, rowHeight, width] = [0, 0, 0, 0];
  for (const panel of spec.panels) {
    const drawing = context.draw(panel);
    if (x > 0 && x + drawing.width > sheetWidth) [x, y, rowHeight] = [0, y + rowHeight + panelGap, 0];
    marks.push(place(drawing, x, y));
    width = Math.max(width, x + drawing.width);
    rowHeight = Math.max(rowHeight, drawing.height);
    x += drawing.width + panelGap;
  }
  return { width, height: y + rowHeight, marks };
}

function table(spec: PanelsSpec): TableData {
  return { columns: ["panel", "view"], rows: spec.panels.map((panel, i) => [panel.title || String(i), panel.view]) };
}

/** How sheets are drawn and said. */
export const panelsKind: ViewKind<PanelsSpec> = {
  draw,
  table,
  text: (spec, words) => spec.panels.map((panel) => words.text(panel).replace(/^/gm, "  ")),
  summary: (spec, words) => `${spec.panels.length} panels: ${spec.panels.map(words.summary).join(" ")}`,
};
