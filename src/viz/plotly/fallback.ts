/**
 * Figures of plotly.js in our own views: what is seen where no script runs, and what is read out.
 *
 * Heatmaps, bars, lines, points and histograms become views; of other traces it is said what they hold.
 */
import { LimpidError } from "../../core/index.js";
import type { ViewSpec } from "../registry.js";
import { barsSpec } from "../views/bars.js";
import { heatmapSpec } from "../views/heatmap.js";
import { type HistogramMeasure, histogramSpec } from "../views/histogram.js";
import { type LineMark, linesSpec } from "../views/lines.js";
import { scatterSpec } from "../views/scatter.js";
import { isJsonObject, type Json, type JsonObject, listOf, type PlotlyJson, typeOf } from "./figure.js";
import { plainText } from "./words.js";

/** Longer lists of bars become lines of points. */
const mostBars = 60;
/** More views than these make no picture. */
const mostViews = 8;

/** A figure in other words. */
export interface Fallback {
  readonly specs: readonly ViewSpec[];
  /** What is not among them, a sentence each. */
  readonly rest: readonly string[];
}

/** Traces that share their axes. */
interface Subplot {
  readonly traces: readonly JsonObject[];
  readonly x: Axis;
  readonly y: Axis;
}

interface Axis {
  readonly name: string;
  readonly log: boolean;
  readonly isReversed: boolean;
}

/** Returns a figure as our own views, and in words what they leave out. */
export function fallbackOf(figure: PlotlyJson): Fallback {
  const specs: ViewSpec[] = [];
  const rest: string[] = [];
  for (const subplot of subplotsOf(figure)) {
    for (const part of [scatters, bars, heatmaps, histograms]) {
      try {
        specs.push(...part(subplot));
      } catch (error) {
        if (!(error instanceof LimpidError)) throw error;
        rest.push(`not drawn here: ${error.message}`);
      }
    }
  }
  const known = ["bar", "heatmap", "histogram", "scatter"];
  const others = figure.data.filter((trace) => !known.includes(typeOf(trace)));
  const hidden = specs.length - mostViews;
  const more = hidden > 0 ? [`${hidden} more pictures are not drawn here`] : [];
  return { specs: titled(specs.slice(0, mostViews)), rest: [...rest, ...others.map(describeTrace), ...more] };
}

/** The title of a single view is that of the figure. */
function titled(specs: readonly ViewSpec[]): readonly ViewSpec[] {
  return specs.length === 1 ? specs.map((spec) => ({ ...spec, title: "" })) : specs;
}

function subplotsOf({ data, layout }: PlotlyJson): readonly Subplot[] {
  const keys = new Map<string, JsonObject[]>();
  for (const trace of data) {
    if (trace["visible"] === false || trace["visible"] === "legendonly") continue;
    const key = `${textOf(trace["xaxis"]) || "x"} ${textOf(trace["yaxis"]) || "y"}`;
    keys.set(key, [...(keys.get(key) ?? []), trace]);
  }
  return [...keys].map(([key, traces]) => {
    const [x = "x", y = "y"] = key.split(" ");
    return { traces, x: axisOf(layout, x), y: axisOf(layout, y) };
  });
}

/** The axis `x2` is `xaxis2` in the layout. */
function axisOf(layout: JsonObject, id: string): Axis {
  const axis = layout[`${id.charAt(0)}axis${id.slice(1)}`];
  if (!isJsonObject(axis)) return { name: "", log: false, isReversed: false };
  const { range, autorange, type } = axis;
  const [low, high] = (listOf(range) ?? []).map(Number);
  const isDown = low !== undefined && high !== undefined && low > high;
  return { name: titleOf(axis), log: type === "log", isReversed: autorange === "reversed" || isDown };
}

/** Returns the title of a layout or an axis, without markup. */
export function titleOf(holder: JsonObject): string {
  const { title } = holder;
  return plainText(isJsonObject(title) ? textOf(title["text"]) : textOf(title));
}

function textOf(value: Json | undefined): string {
  return typeof value === "string" ? value : "";
}

/** A category as text. */
function labelOf(item: Json): string {
  return typeof item === "string" ? plainText(item) : item === null ? "" : JSON.stringify(item);
}

/** The name of a trace; its number too when another has the same. */
function nameOf(trace: JsonObject, traces: readonly JsonObject[]): string {
  const name = plainText(textOf(trace["name"])).trim();
  if (name === "") return traces.length > 1 ? `trace ${traces.indexOf(trace)}` : "";
  const isDouble = traces.some((other) => other !== trace && plainText(textOf(other["name"])).trim() === name);
  return isDouble ? `${name} (${traces.indexOf(trace)})` : name;
}

function ofType({ traces }: Subplot, type: string): readonly JsonObject[] {
  return traces.filter((trace) => typeOf(trace) === type);
}

/** Numbers, or categories with their places. */
interface Column {
  readonly values: readonly number[];
  /** Absent for numbers. */
  readonly labels?: readonly string[];
}

/** Reads the lists of several traces on one axis: a text that is no number makes all of them categories. */
function columnsOf(lists: readonly (readonly Json[])[]): readonly Column[] {
  const isNumeric = lists.every((list) => list.every((item) => item === null || Number.isFinite(toNumber(item))));
  if (isNumeric) return lists.map((list) => ({ values: list.map(toNumber) }));
  const labels = [...new Set(lists.flat().map((item) => labelOf(item)))];
  const places = new Map(labels.map((label, i) => [label, i]));
  return lists.map((list) => ({
    labels,
    values: list.map((item) => places.get(labelOf(item)) ?? Number.NaN),
  }));
}

function toNumber(item: Json): number {
  if (typeof item === "number") return item;
  return typeof item === "string" && item.trim() !== "" ? Number(item) : Number.NaN;
}

/** The positions of a trace: a list, or a start and a step. */
function positions(trace: JsonObject, axis: "x" | "y", count: number): readonly Json[] {
  const [start, step] = [trace[`${axis}0`], trace[`d${axis}`]].map((value) => toNumber(value ?? null));
  const from = start !== undefined && Number.isFinite(start) ? start : 0;
  const by = step !== undefined && Number.isFinite(step) ? step : 1;
  return listOf(trace[axis]) ?? Array.from({ length: count }, (_, i) => from + i * by);
}

interface Points {
  readonly name: string;
  readonly trace: JsonObject;
  readonly x: Column;
  readonly y: Column;
  readonly mark: LineMark;
}

function scatters(subplot: Subplot): readonly ViewSpec[] {
  const traces = ofType(subplot, "scatter");
  if (traces.length === 0) return [];
  const pairs = traces.map((trace) => pairOf(trace));
  const xs = columnsOf(pairs.map(([x]) => x));
  const ys = columnsOf(pairs.map(([, y]) => y));
  const points = traces.flatMap((trace, i): Points[] => {
    const [x, y] = [xs[i], ys[i]];
    if (x === undefined || y === undefined) return [];
    return [{ trace, name: nameOf(trace, traces), x, y, mark: markOf(trace, x.values.length) }];
  });
  const arePoints = points.every(
    ({ mark, x, y }) => mark === "points" && x.labels === undefined && y.labels === undefined,
  );
  return [arePoints ? pointsView(subplot, points) : linesView(subplot, points)];
}

function pairOf(trace: JsonObject): readonly [readonly Json[], readonly Json[]] {
  const count = Math.max(listOf(trace["x"])?.length ?? 0, listOf(trace["y"])?.length ?? 0);
  const [x, y] = [positions(trace, "x", count), positions(trace, "y", count)];
  const both = Math.min(x.length, y.length);
  return [x.slice(0, both), y.slice(0, both)];
}

function markOf({ mode }: JsonObject, count: number): LineMark {
  if (typeof mode !== "string") return count < 20 ? "both" : "line";
  if (!mode.includes("lines")) return "points";
  return mode.includes("markers") ? "both" : "line";
}

function linesView({ x, y }: Subplot, points: readonly Points[]): ViewSpec {
  const labels = points[0]?.x.labels;
  const series = points.map((line) => ({ name: line.name, x: line.x.values, y: line.y.values, mark: line.mark }));
  const xOptions = { name: x.name, log: x.log && labels === undefined, ...(labels === undefined ? {} : { labels }) };
  return linesSpec(series, {
    x: xOptions,
    y: { name: y.name, log: y.log },
    title: x.name === "" || y.name === "" ? "" : `${y.name} over ${x.name}`,
  });
}

function pointsView({ x, y }: Subplot, points: readonly Points[]): ViewSpec {
  const texts = points.flatMap(({ trace, x: column }) => {
    const list = listOf(trace["text"]) ?? listOf(trace["hovertext"]);
    return list?.length === column.values.length ? list.map((item) => labelOf(item)) : [];
  });
  const xs = points.flatMap((part) => part.x.values);
  const [only] = points;
  const values = points.length === 1 ? colorsOf(only?.trace["marker"], xs.length) : undefined;
  return scatterSpec(
    xs,
    points.flatMap((part) => part.y.values),
    {
      x: { name: x.name || "x", log: x.log },
      y: { name: y.name || "y", log: y.log },
      title: points.length === 1 ? (only?.name ?? "") : "",
      ...(texts.length === xs.length ? { labels: texts } : {}),
      ...(points.length > 1 ? { groups: points.flatMap((part) => part.x.values.map(() => part.name)) } : {}),
      ...(values === undefined ? {} : { values }),
    },
  );
}

/** Numbers that colour points. */
function colorsOf(marker: Json | undefined, count: number): readonly number[] | undefined {
  const colors = isJsonObject(marker) ? listOf(marker["color"]) : undefined;
  if (colors?.length !== count || !colors.every((color) => color === null || typeof color === "number"))
    return undefined;
  return colors.map(toNumber);
}

function bars(subplot: Subplot): readonly ViewSpec[] {
  const traces = ofType(subplot, "bar");
  return traces.map((trace) => {
    const isLying = trace["orientation"] === "h";
    const [x, y] = pairOf(trace);
    const [names, heights] = isLying ? [y, x] : [x, y];
    const [category, value] = isLying ? [subplot.y, subplot.x] : [subplot.x, subplot.y];
    const title = nameOf(trace, traces);
    const values = heights.map(toNumber);
    const labels = names.map((item) => labelOf(item));
    if (values.length > mostBars) {
      const [column] = columnsOf([names]);
      const series = { y: values, x: column?.values ?? [], mark: "points" as const };
      const more = column?.labels === undefined ? {} : { labels: column.labels };
      return linesSpec([series], { title, x: { name: category.name, ...more }, y: { name: value.name } });
    }
    return barsSpec(values, { title, unit: value.name, axis: { name: category.name, labels } });
  });
}

function heatmaps(subplot: Subplot): readonly ViewSpec[] {
  const traces = ofType(subplot, "heatmap");
  return traces.map((trace) => {
    const given = (listOf(trace["z"]) ?? []).map((row) => (listOf(row) ?? []).map(toNumber));
    const width = Math.max(0, ...given.map((row) => row.length));
    const square = given.map((row) => Array.from({ length: width }, (_, i) => row[i] ?? Number.NaN));
    const rows =
      trace["transpose"] === true
        ? Array.from({ length: width }, (_, i) => square.map((row) => row[i] ?? Number.NaN))
        : square;
    const size = { x: rows[0]?.length ?? 0, y: rows.length };
    const [x, y] = [labelsOf(trace["x"], size.x), labelsOf(trace["y"], size.y)];
    // The first row of plotly.js is at the bottom, ours is on top.
    const isUpright = !subplot.y.isReversed;
    const [low, high] = [trace["zmin"], trace["zmax"]];
    return heatmapSpec(isUpright ? rows.toReversed() : rows, {
      title: nameOf(trace, traces),
      unit: colorbarTitle(trace),
      x: { name: subplot.x.name || "x", labels: x },
      y: { name: subplot.y.name || "y", labels: isUpright ? y.toReversed() : y },
      ...(typeof low === "number" && typeof high === "number" && low < high ? { range: [low, high] as const } : {}),
    });
  });
}

function labelsOf(value: Json | undefined, count: number): readonly string[] {
  const list = listOf(value);
  if (list?.length === count) return list.map((item) => labelOf(item));
  return Array.from({ length: count }, (_, i) => String(i));
}

function colorbarTitle(trace: JsonObject): string {
  const { colorbar } = trace;
  return isJsonObject(colorbar) ? titleOf(colorbar) : "";
}

function histograms(subplot: Subplot): readonly ViewSpec[] {
  const traces = ofType(subplot, "histogram");
  if (traces.length === 0) return [];
  const isLying = traces.every((trace) => listOf(trace["x"]) === undefined);
  const axis = isLying ? subplot.y : subplot.x;
  const lists = traces.map((trace) => listOf(trace[isLying ? "y" : "x"]) ?? []);
  const columns = columnsOf(lists);
  const names = traces.map((trace) => nameOf(trace, traces));
  const [first] = columns;
  if (first?.labels !== undefined) {
    return columns.map(({ values, labels = [] }, i) => {
      const counts = labels.map((_, place) => values.filter((value) => value === place).length);
      return barsSpec(counts, { title: names[i] ?? "", unit: "count", axis: { name: axis.name, labels } });
    });
  }
  const data = Object.fromEntries(columns.map(({ values }, i) => [names[i] ?? "", values]));
  const bins = binsOf(traces[0] ?? {}, isLying ? "y" : "x");
  const measure = measures[textOf(traces[0]?.["histnorm"])] ?? "count";
  return [histogramSpec(data, { name: axis.name, measure, ...(bins === undefined ? {} : { bins }) })];
}

const measures: Readonly<Record<string, HistogramMeasure>> = {
  percent: "share",
  probability: "share",
  "probability density": "density",
};

/** Bins that a trace asks for: edges from start, end and size, or a count. */
function binsOf(trace: JsonObject, axis: "x" | "y"): number | readonly number[] | undefined {
  const bins = trace[`${axis}bins`];
  if (isJsonObject(bins)) {
    const { start, end, size } = bins;
    if (typeof start === "number" && typeof end === "number" && typeof size === "number" && size > 0 && end > start) {
      const count = Math.min(2000, Math.ceil((end - start) / size - 1e-9));
      return Array.from({ length: count + 1 }, (_, i) => start + i * size);
    }
  }
  const count = trace[`nbins${axis}`];
  return typeof count === "number" && Number.isInteger(count) && count > 0 ? count : undefined;
}

/** What a trace that we do not draw holds: `pie “Shares”: labels (3), values (3)`. */
function describeTrace(trace: JsonObject): string {
  const name = plainText(textOf(trace["name"]));
  const lists = Object.entries(trace).flatMap(([key, value]) => {
    const list = listOf(value);
    return list === undefined ? [] : [`${key} (${list.length})`];
  });
  return `${typeOf(trace)}${name === "" ? "" : ` “${name}”`}${lists.length === 0 ? "" : `: ${lists.join(", ")}`}`;
}
