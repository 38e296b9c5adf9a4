/** Any figure of plotly.js: drawn by plotly.js in the browser, and by our own views where no script runs. */
import type { DrawContext, TableData, ViewKind, Words } from "../kind.js";
import { type Drawing, type Mark, place, textMark, textWidth } from "../marks.js";
import { formatNumber } from "../numbers.js";
import { fallbackOf, titleOf } from "../plotly/fallback.js";
import {
  buildFor,
  checkedFigure,
  isJsonObject,
  type Json,
  type JsonObject,
  listOf,
  type PlotlyBuild,
  type PlotlyFigure,
  type PlotlyJson,
  typeOf,
} from "../plotly/figure.js";
import { plainText } from "../plotly/words.js";
import { header, type ViewHeader, type ViewOptions } from "../spec.js";
import { shorten } from "../token-text.js";

const viewGap = 20;

/** A figure of plotly.js. */
export interface PlotlySpec extends ViewHeader {
  readonly view: "plotly";
  readonly figure: PlotlyJson;
  /** Which build of plotly.js draws it. */
  readonly build: PlotlyBuild;
}

/** Options of `viz.plotly`. */
export type PlotlyOptions = Omit<ViewOptions, "exact" | "link">;

/** Returns the spec of a figure of plotly.js; see `viz.plotly`. */
export function plotlySpec(figure: PlotlyFigure | string, options: PlotlyOptions): PlotlySpec {
  const json = checkedFigure(figure);
  const { title = titleOf(json.layout), note = subtitleOf(json.layout) } = options;
  // Its numbers are packed already where they are many, and plotly.js draws them as they are.
  return { ...header("plotly", { ...options, title, note, exact: true }), figure: json, build: buildFor(json) };
}

function draw(spec: PlotlySpec, context: DrawContext): Drawing {
  const { specs, rest } = fallbackOf(spec.figure);
  const marks: Mark[] = [];
  let [y, width] = [0, 0];
  for (const part of specs) {
    const drawing = context.draw(part);
    marks.push(place(drawing, 0, y));
    [y, width] = [y + drawing.height + viewGap, Math.max(width, drawing.width)];
  }
  const more = rest.length > 0 ? [...rest.slice(0, 12), "plotly.js draws the whole figure where scripts run."] : [];
  for (const line of more) {
    const text = shorten(line, 100);
    marks.push(textMark(0, y + 14, text, { fill: "quiet" }));
    [y, width] = [y + 20, Math.max(width, textWidth(text, 12))];
  }
  return { width, height: more.length > 0 ? y : y - viewGap, marks };
}

/** `figure of plotly.js, 3 traces (2 scatter, 1 bar)`. */
function shape({ figure }: PlotlySpec): string {
  const types = figure.data.map(typeOf);
  const counts = [...new Set(types)].map((type) => `${types.filter((other) => other === type).length} ${type}`);
  const traces = types.length === 1 ? "1 trace" : `${types.length} traces`;
  return `figure of plotly.js, ${traces} (${counts.join(", ")})`;
}

function text(spec: PlotlySpec, words: Words): readonly string[] {
  const { specs, rest } = fallbackOf(spec.figure);
  const parts = [...specs.map((part) => words.text(part)), ...rest];
  return [shape(spec), ...parts.map((part) => part.replace(/^/gm, "  "))];
}

function summary(spec: PlotlySpec, words: Words): string {
  const { specs, rest } = fallbackOf(spec.figure);
  const parts = [...specs.slice(0, 3).map((part) => words.summary(part).replace(/\.$/, "")), ...rest.slice(0, 3)];
  return [shape(spec), ...parts].join("; ");
}

/** Rows of more than these lists would not be read. */
const tableLists = "x y z labels values r theta a b c open high low close ids parents text".split(" ");

/** Returns a row for each point of each trace, and for each cell of a grid. */
function table(spec: PlotlySpec): TableData {
  const rows = spec.figure.data.map((trace, i) => rowsOf(trace, i));
  const used = tableLists.filter((name) => rows.some((list) => list.some((row) => row.has(name))));
  const cells = rows.flat().map((row) => ["trace", ...used].map((name) => row.get(name) ?? ""));
  return { columns: ["trace", ...used], rows: cells };
}

function rowsOf(trace: JsonObject, index: number): readonly ReadonlyMap<string, string>[] {
  const name = typeof trace["name"] === "string" ? plainText(trace["name"]) : `${index} (${typeOf(trace)})`;
  const lists = tableLists.flatMap((key) => {
    const list = listOf(trace[key]);
    return list === undefined ? [] : [[key, list] as const];
  });
  const grid = listOf(trace["z"]);
  if (grid?.some((row) => listOf(row) !== undefined) === true) return gridRows(name, grid, new Map(lists));
  const count = Math.max(0, ...lists.map(([, list]) => list.length));
  return Array.from({ length: count }, (_, i) => {
    const cells = lists.map(([key, list]): [string, string] => [key, cellText(list[i])]);
    return new Map([["trace", name], ...cells]);
  });
}

function gridRows(
  name: string,
  grid: readonly Json[],
  lists: ReadonlyMap<string, readonly Json[]>,
): readonly ReadonlyMap<string, string>[] {
  return grid.flatMap((row, y) =>
    (listOf(row) ?? []).map(
      (value, x) =>
        new Map([
          ["trace", name],
          ["x", cellText(lists.get("x")?.[x] ?? x)],
          ["y", cellText(lists.get("y")?.[y] ?? y)],
          ["z", cellText(value)],
        ]),
    ),
  );
}

function cellText(value: Json | undefined): string {
  if (value === null || value === undefined) return "";
  if (typeof value === "number") return formatNumber(value);
  return typeof value === "string" ? plainText(value) : JSON.stringify(value);
}

/** Returns the layout without its title when the view itself shows it, note included. */
export function layoutOf({ figure, title, note }: PlotlySpec): JsonObject {
  const { title: _shown, ...rest } = figure.layout;
  return titleOf(figure.layout) === title && subtitleOf(figure.layout) === note ? rest : figure.layout;
}

function subtitleOf({ title }: JsonObject): string {
  const subtitle = isJsonObject(title) ? title["subtitle"] : undefined;
  return isJsonObject(subtitle) && typeof subtitle["text"] === "string" ? plainText(subtitle["text"]) : "";
}

/** How figures of plotly.js are drawn and said without it. */
export const plotlyKind: ViewKind<PlotlySpec> = { draw, text, summary, table };
