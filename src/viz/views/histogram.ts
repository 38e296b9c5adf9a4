/** Histograms: raw values put into bins by a stated rule, or counts that were made before; several series overlaid. */
import { max } from "d3-array";
import { InputError } from "../../core/index.js";
import { type BinnedCounts, chooseBins, givenBins, isBinned, tally } from "../bins.js";
import { checkLength, nothingToDraw } from "../checks.js";
import { numberAt } from "../entries.js";
import type { DrawContext, TableData, ViewKind } from "../kind.js";
import { type Box, type Drawing, element, lineMark, type Mark, place, rectMark, round, textMark } from "../marks.js";
import { encodeCell, formatNumber } from "../numbers.js";
import { checkRange, drawPlane, formatPlace, layOutPlane, type NumberAxis, numberAxis, type Plane } from "../plane.js";
import { type SeriesStyle, seriesLegend, seriesStyle } from "../series.js";
import { type Cell, header, type ViewHeader, type ViewOptions } from "../spec.js";
import { shorten } from "../token-text.js";

const fieldWidth = 560;
const fieldHeight = 260;

/** What the heights are: counts, shares of a series, or shares per unit of x (areas sum to 1). */
export type HistogramMeasure = "count" | "density" | "share";

/** The counts of one series. */
export interface HistogramSeries {
  readonly name: string;
  /** One for each bin. */
  readonly counts: readonly Cell[];
  /** Finite values below the first edge and above the last. */
  readonly below: number;
  readonly above: number;
  /** Values that are not finite. */
  readonly missing: number;
  /** Of the finite values; absent when only counts were given. */
  readonly mean?: Cell;
  readonly deviation?: Cell;
}

/** A value to mark, such as the one that was measured among random ones. */
export interface HistogramMarker {
  readonly value: Cell;
  readonly label: string;
}

/** Counts over bins. A bin holds its left edge; the last one holds its right edge, too. */
export interface HistogramSpec extends ViewHeader {
  readonly view: "histogram";
  readonly x: NumberAxis;
  readonly y: NumberAxis;
  /** Ascending; one more than there are bins. */
  readonly edges: readonly Cell[];
  readonly series: readonly HistogramSeries[];
  readonly measure: HistogramMeasure;
  readonly markers: readonly HistogramMarker[];
  /** How the bins were chosen, in words. */
  readonly rule: string;
}

/** Data of `viz.histogram`: raw values or counts, one series or several by name. */
export type HistogramData =
  | ArrayLike<number>
  | BinnedCounts
  | Readonly<Record<string, ArrayLike<number> | BinnedCounts>>;

/** Options of `viz.histogram`. */
export interface HistogramOptions extends ViewOptions {
  /** What the values are, such as `activation`. */
  readonly name?: string;
  /**
   * Raw values: about how many bins, or their edges. Default: as many as the rule of Freedman and Diaconis or that of
   * Sturges asks for, whichever is more, at most 200, in round widths; one for each of up to 50 whole numbers.
   */
  readonly bins?: ArrayLike<number> | number;
  /** Raw values: bins cover this range only; values outside are counted and said, not drawn. */
  readonly range?: readonly [number, number];
  /** Default: `count`. */
  readonly measure?: HistogramMeasure;
  /** Heights on a logarithmic axis. Default false. */
  readonly log?: boolean;
  /** Values to mark. */
  readonly markers?: readonly { readonly value: number; readonly label?: string }[];
}

const where = "viz.histogram";

/** Returns the spec of a histogram; see `viz.histogram`. */
export function histogramSpec(data: HistogramData, options: HistogramOptions): HistogramSpec {
  const given = seriesOf(data);
  if (given.length === 0) throw nothingToDraw(where);
  if (options.range !== undefined) checkRange(where, options.range);
  const { edges, rule } = chooseBins(
    where,
    given.map((series) => series.data),
    options,
  );
  const series = given.map(({ name, data: list }) =>
    isBinned(list) ? countedSeries(name, list) : binnedSeries(name, list, edges),
  );
  const { measure = "count", log = false } = options;
  const cells = edges.map(encodeCell);
  const markers = (options.markers ?? []).map(({ value, label = "" }) => ({ value: encodeCell(value), label }));
  return {
    ...header("histogram", options),
    x: xAxis(edges, markers, options.name ?? ""),
    y: yAxis({ edges: cells, series, measure }, log),
    edges: cells,
    series,
    measure,
    markers,
    rule,
  };
}

interface NamedData {
  readonly name: string;
  readonly data: ArrayLike<number> | BinnedCounts;
}

function seriesOf(data: HistogramData): readonly NamedData[] {
  if (isList(data) || isBinned(data)) return [{ name: "", data }];
  return Object.entries(data).map(([name, list]) => ({ name, data: list }));
}

function isList(data: HistogramData): data is ArrayLike<number> {
  return "length" in data && typeof data.length === "number";
}

function binnedSeries(name: string, values: ArrayLike<number>, edges: readonly number[]): HistogramSeries {
  const finite = Array.from(values).filter(Number.isFinite);
  const mean = finite.reduce((sum, value) => sum + value, 0) / finite.length;
  const variance = finite.reduce((sum, value) => sum + (value - mean) ** 2, 0) / finite.length;
  return { name, ...tally(values, edges), mean: encodeCell(mean), deviation: encodeCell(Math.sqrt(variance)) };
}

function countedSeries(name: string, { counts, edges }: BinnedCounts): HistogramSeries {
  const at = `${where}: ${name === "" ? "" : `${name}.`}counts`;
  checkLength(at, counts.length, edges.length - 1);
  const list = Array.from(counts);
  const wrong = list.findIndex((count) => !(count >= 0 && Number.isFinite(count)));
  if (wrong < 0) return { name, counts: list, below: 0, above: 0, missing: 0 };
  throw new InputError({
    where: at,
    got: `${String(list[wrong])} at ${wrong}`,
    expected: "finite counts of at least 0",
    fix: "Give how many values each bin holds.",
  });
}

/** Marked values are always in sight. */
function xAxis(edges: readonly number[], markers: readonly HistogramMarker[], name: string): NumberAxis {
  const ends = [edges[0] ?? 0, edges.at(-1) ?? 1, ...markers.map(({ value }) => Number(value))];
  return numberAxis(`${where}: x`, ends, { name, defaultName: "", ends: "tight" });
}

function yAxis(spec: Pick<HistogramSpec, "edges" | "measure" | "series">, log: boolean): NumberAxis {
  const heights = spec.series.flatMap((series) => series.counts.map((_, bin) => heightAt(spec, series, bin)));
  const top = max(heights) ?? 0;
  const name = spec.measure;
  const lowest = Math.min(...heights.filter((height) => height > 0));
  const range = log && top > 0 ? ([lowest / 2, Math.max(top, lowest) * 1.3] as const) : undefined;
  if (range !== undefined)
    return numberAxis(`${where}: y`, heights, { name, log, range, defaultName: "", ends: "nice" });
  return numberAxis(`${where}: y`, [0, top > 0 ? top : 1], { name, defaultName: "", ends: "nice" });
}

/** Returns how high a bin stands: its count, share or density. */
export function heightAt(spec: Pick<HistogramSpec, "edges" | "measure">, series: HistogramSeries, bin: number): number {
  const count = numberAt(series.counts, bin);
  if (spec.measure === "count") return count;
  const total = totalOf(series);
  const share = total > 0 ? count / total : 0;
  return spec.measure === "share" ? share : share / (numberAt(spec.edges, bin + 1) - numberAt(spec.edges, bin));
}

function totalOf(series: HistogramSeries): number {
  return series.counts.reduce<number>((sum, count) => sum + Number(count), series.below + series.above);
}

/** Returns where the parts of the plane lie. */
export function layOutHistogram(spec: HistogramSpec): Plane {
  return layOutPlane(spec, fieldWidth, fieldHeight);
}

/** Returns the column of each bin, over the whole height. */
export function binBoxes(spec: HistogramSpec, plane: Plane): readonly Box[] {
  const { field, x } = plane;
  return (
    spec.series[0]?.counts.map((_, bin) => {
      const [left, right] = [x.at(numberAt(spec.edges, bin)), x.at(numberAt(spec.edges, bin + 1))];
      return { x: left, y: field.y, width: right - left, height: field.height };
    }) ?? []
  );
}

function draw(spec: HistogramSpec, { theme }: DrawContext): Drawing {
  const plane = layOutHistogram(spec);
  const styles = spec.series.map((_, i) => seriesStyle(i, spec.series.length, theme));
  const bars = spec.series.flatMap((series, i) => drawSeries(spec, series, { plane, style: styles[i] ?? noStyle }));
  const marks = [...drawPlane(spec, plane), ...bars, ...drawMarkers(spec, plane)];
  if (spec.series.every(({ name }) => name === "")) return { width: plane.width, height: plane.height, marks };
  const names = spec.series.map(({ name }, i) => ({ name, style: { ...(styles[i] ?? noStyle), dash: "" } }));
  const legend = seriesLegend(names, "patch");
  return {
    width: plane.width + 6 + legend.width,
    height: Math.max(plane.height, legend.height + 6),
    marks: [...marks, place(legend, plane.width + 6, 4)],
  };
}

const noStyle: SeriesStyle = { color: "ink", dash: "" };

/** One series is bars; of several, each is a see-through area with an outline. */
function drawSeries(
  spec: HistogramSpec,
  series: HistogramSeries,
  { plane, style }: { plane: Plane; style: SeriesStyle },
): readonly Mark[] {
  const foot = plane.field.y + plane.field.height;
  const top = (bin: number): number => {
    const y = plane.y.at(heightAt(spec, series, bin));
    return Number.isFinite(y) ? Math.min(y, foot) : foot;
  };
  const boxes = binBoxes(spec, plane);
  if (spec.series.length === 1) {
    return boxes.flatMap(({ x, width }, bin) => {
      const gap = width >= 4 ? 1 : 0;
      const box = { x, y: top(bin), width: width - gap, height: foot - top(bin) };
      return box.height > 0 ? [rectMark(box, style.color)] : [];
    });
  }
  const steps = boxes.map(({ x, width }, bin) => `V${round(top(bin))}H${round(x + width)}`);
  const d = `M${round(boxes[0]?.x ?? 0)},${round(foot)}${steps.join("")}V${round(foot)}Z`;
  const outline = { stroke: style.color, "stroke-width": 1.5, "stroke-linejoin": "round" } as const;
  const dash = style.dash === "" ? {} : { "stroke-dasharray": style.dash };
  return [element("path", { d, fill: style.color, "fill-opacity": 0.3, ...outline, ...dash })];
}

function drawMarkers(spec: HistogramSpec, { field, x }: Plane): readonly Mark[] {
  return spec.markers.flatMap(({ value, label }, i) => {
    const at = x.at(Number(value));
    if (!Number.isFinite(at)) return [];
    const isLeft = at > field.x + field.width * 0.7;
    const text = shorten(label === "" ? formatNumber(Number(value)) : label, 32);
    const style = { anchor: isLeft ? "end" : "start", fill: "accent", bold: true, size: 11 } as const;
    return [
      lineMark([at, field.y], [at, field.y + field.height], "accent"),
      textMark(at + (isLeft ? -5 : 5), field.y + 10 + (i % 6) * 15, text, style),
    ];
  });
}

/** Returns the range of a bin in words: `0.2 to 0.3`, or the number itself in a bin around one whole number. */
export function binText(spec: HistogramSpec, bin: number): string {
  const [low, high] = [numberAt(spec.edges, bin), numberAt(spec.edges, bin + 1)];
  const name = spec.x.name === "" ? "" : `${spec.x.name} `;
  const isWhole = high - low === 1 && Number.isInteger(low + 0.5) && spec.rule !== givenBins;
  return name + (isWhole ? formatPlace(low + 0.5) : `${formatPlace(low)} to ${formatPlace(high)}`);
}

/** Returns how many values of a series a bin holds: `12 (3.1 %)`. */
export function countText(series: HistogramSeries, bin: number): string {
  const count = numberAt(series.counts, bin);
  const total = totalOf(series);
  return total > 0 ? `${formatPlace(count)} (${formatNumber((100 * count) / total)} %)` : formatPlace(count);
}

function seriesFacts(spec: HistogramSpec, series: HistogramSeries): string {
  const total = totalOf(series);
  const numbers = series.counts.map(Number);
  const peak = numbers.indexOf(Math.max(...numbers));
  const parts = [`${formatPlace(total)} values`];
  if (series.mean !== undefined) {
    parts.push(
      `mean ${formatNumber(Number(series.mean))}, standard deviation ${formatNumber(Number(series.deviation))}`,
    );
  }
  if (total > 0)
    parts.push(`most in ${binText({ ...spec, x: { ...spec.x, name: "" } }, peak)}: ${countText(series, peak)}`);
  const outside = series.below + series.above;
  if (outside > 0) parts.push(`${series.below} below and ${series.above} above the bins`);
  if (series.missing > 0) parts.push(`${series.missing} not finite`);
  return `${series.name === "" ? "" : `${series.name}: `}${parts.join("; ")}`;
}

function shape(spec: HistogramSpec): string {
  const bins = spec.edges.length - 1;
  const of = spec.x.name === "" ? "" : ` of ${spec.x.name}`;
  const reach = `${formatNumber(numberAt(spec.edges, 0))} to ${formatNumber(numberAt(spec.edges, bins))}`;
  const log = spec.y.kind === "log" ? ", logarithmic" : "";
  const measure = spec.measure === "count" && log === "" ? "" : `; ${spec.measure}${log}`;
  return `histogram${of}, ${bins} ${bins === 1 ? "bin" : "bins"} from ${reach} (${spec.rule})${measure}`;
}

function markerFacts(spec: HistogramSpec): readonly string[] {
  return spec.markers.map(({ value, label }) => `${label === "" ? "marker" : label}: ${formatNumber(Number(value))}`);
}

function table(spec: HistogramSpec): TableData {
  const names = spec.series.map(({ name }) => name || "count");
  const rows = spec.series[0]?.counts.map((_, bin) => [
    formatPlace(numberAt(spec.edges, bin)),
    formatPlace(numberAt(spec.edges, bin + 1)),
    ...spec.series.map((series) => formatPlace(numberAt(series.counts, bin))),
  ]);
  return { columns: ["from", "to", ...names], rows: rows ?? [] };
}

/** How histograms are drawn and said. */
export const histogramKind: ViewKind<HistogramSpec> = {
  draw,
  table,
  text: (spec) => {
    const facts = [...spec.series.map((series) => seriesFacts(spec, series)), ...markerFacts(spec)];
    return [shape(spec), ...facts.map((fact) => `  ${fact}`)];
  },
  summary: (spec) => {
    const facts = spec.series.slice(0, 4).map((series) => seriesFacts(spec, series));
    return [shape(spec), ...facts, ...markerFacts(spec)].join("; ");
  },
};
