/** From a spec to a whole drawing or text: each view's own part, framed by title and note. */
import type { DrawContext, Words } from "./kind.js";
import { type Drawing, type Mark, place, textMark, textWidth } from "./marks.js";
import { kindOf, type ViewSpec } from "./registry.js";
import { type as face, type Theme } from "./theme.js";
import { shorten } from "./token-text.js";

/** Returns a view's drawing with its title and note on top and `margin` pixels all around. */
export function composeDrawing(spec: ViewSpec, theme: Theme, margin: number = face.margin): Drawing {
  const body = kindOf(spec).draw(spec, drawContext(theme));
  const limit = Math.max(body.width, 420);
  const title = spec.title === "" ? [] : [{ text: spec.title, size: 15, bold: true, fill: "ink", height: 22 }];
  const note = spec.note === "" ? [] : [{ text: spec.note, size: 12, bold: false, fill: "quiet", height: 18 }];
  const marks: Mark[] = [];
  let [y, width] = [margin, body.width];
  for (const line of [...title, ...note]) {
    const text = shorten(line.text, Math.floor(limit / (line.size * 0.57)));
    marks.push(textMark(margin, y + line.size - 2, text, { size: line.size, bold: line.bold, fill: line.fill }));
    width = Math.max(width, Math.min(limit, textWidth(text, line.size)));
    y += line.height;
  }
  if (marks.length > 0) y += 8;
  marks.push(place(body, margin, y));
  return { width: width + 2 * margin, height: y + body.height + margin, marks };
}

/** Returns what a view's own drawing needs. */
export function drawContext(theme: Theme): DrawContext {
  return { theme, draw: (spec) => composeDrawing(spec, theme, 0) };
}

const words: Words = { text: (spec) => toText(spec), summary: (spec) => summarize(spec) };

/** Returns a view as plain text: title, shape, range and the largest entries; tables in full. */
export function toText(spec: ViewSpec): string {
  const title = [spec.title, spec.note].filter((line) => line !== "");
  return [...title, ...kindOf(spec).text(spec, words)].join("\n");
}

/** Returns one sentence that says what a view shows: the text alternative of its picture. */
export function summarize(spec: ViewSpec): string {
  const name = spec.title === "" ? capital(spec.view) : spec.title;
  const rest = kindOf(spec).summary(spec, words);
  return `${name}: ${rest}${rest.endsWith(".") ? "" : "."}`;
}

/** Returns a line that names a view: its summary, or for a sheet the titles of its panels. */
export function headline(spec: ViewSpec): string {
  if (spec.view !== "panels") return shorten(summarize(spec), 160);
  const titles = spec.panels.map((panel) => panel.title).filter((title) => title !== "");
  const name = spec.title === "" ? "Sheet" : spec.title;
  const parts = [`${name}: ${spec.panels.length} panels`, titles.join(", ")];
  return shorten(parts.filter((text) => text !== "").join(": "), 160);
}

function capital(word: string): string {
  return word.charAt(0).toUpperCase() + word.slice(1);
}
