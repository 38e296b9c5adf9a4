/** Colours of things without an order, and the legend that names them. */
import { colorAt, cssColor } from "./color.js";
import { type Drawing, element, type Mark, rectMark, textMark, textWidth } from "./marks.js";
import type { Theme } from "./theme.js";
import { shorten } from "./token-text.js";

/** After Okabe and Ito (2008), darker on white and lighter on black: apart for every kind of colour vision. */
const colors: Readonly<Record<Theme, readonly string[]>> = {
  light: ["#0068b5", "#d1570a", "#00866a", "#a8498a", "#a87b00", "#2b93cf", "#5b6470"],
  dark: ["#5aa9f0", "#ff8a4c", "#3ccb9f", "#e29ac8", "#f2c14e", "#9ddcff", "#a3adb8"],
};

/** When colours repeat, lines are dashed in these ways. */
const dashes = ["", "6 3", "2 3", "9 3 2 3"];

/** More names are not listed in a legend. */
const maxNames = 24;
const rowHeight = 18;

/** `categories`: colours far apart; `ordered`: from light to dark, for layers, steps and the like. */
export type SeriesColors = "categories" | "ordered";

/** How one of several series looks. */
export interface SeriesStyle {
  readonly color: string;
  /** `stroke-dasharray`; empty for a solid line. */
  readonly dash: string;
}

/** Returns the look of series `index` of `count`. */
export function seriesStyle(
  index: number,
  count: number,
  theme: Theme,
  kind: SeriesColors = "categories",
): SeriesStyle {
  if (kind === "ordered" && count > 1) {
    // The palest colours would vanish on their ground.
    const first = theme === "dark" ? 0.42 : 0.32;
    return { color: cssColor(colorAt(first + ((1 - first) * index) / (count - 1), "sequential", theme)), dash: "" };
  }
  const set = colors[theme];
  const dash = dashes[Math.floor(index / set.length) % dashes.length] ?? "";
  return { color: set[index % set.length] ?? "", dash };
}

/** One line of a legend. */
export interface LegendEntry {
  readonly name: string;
  readonly style: SeriesStyle;
}

/** Returns an upright list of names; `line` swatches for lines, `patch` for areas, `dot` for points. */
export function seriesLegend(entries: readonly LegendEntry[], swatch: "dot" | "line" | "patch"): Drawing {
  const shown = entries.slice(0, entries.length > maxNames ? maxNames - 1 : maxNames);
  const rows = shown.flatMap(({ name, style }, i) => {
    const y = i * rowHeight;
    return [swatchMark(swatch, style, y), textMark(26, y + 12, shorten(name, 26))];
  });
  const rest = entries.length - shown.length;
  if (rest > 0) rows.push(textMark(26, shown.length * rowHeight + 12, `and ${rest} more`, { fill: "quiet" }));
  const names = [...shown.map(({ name }) => shorten(name, 26)), rest > 0 ? `and ${rest} more` : ""];
  const width = 26 + Math.max(0, ...names.map((name) => textWidth(name, 12)));
  return { width, height: (shown.length + (rest > 0 ? 1 : 0)) * rowHeight, marks: rows };
}

function swatchMark(swatch: "dot" | "line" | "patch", { color, dash }: SeriesStyle, y: number): Mark {
  if (swatch === "patch") return rectMark({ x: 2, y: y + 2, width: 16, height: 11 }, color, 2);
  if (swatch === "dot") return element("circle", { cx: 11, cy: y + 8, r: 4.5, fill: color });
  const line = { x1: 0, y1: y + 8, x2: 20, y2: y + 8, stroke: color, "stroke-width": 2.5 };
  return element("line", dash === "" ? line : { ...line, "stroke-dasharray": dash });
}
