/** Our views as figures of plotly.js, for those who want to restyle them or put them into a report of their own. */
import { UnsupportedError } from "../../core/index.js";
import { axisLabel } from "../axes.js";
import { colorAt, cssColor } from "../color.js";
import { numberAt } from "../entries.js";
import { decodeCell, encodeCell } from "../numbers.js";
import type { NumberAxis } from "../plane.js";
import { kindOf, type ViewSpec } from "../registry.js";
import { seriesStyle } from "../series.js";
import type { Cell, ColorScale, ViewAxis } from "../spec.js";
import type { Theme } from "../theme.js";
import { visibleToken } from "../token-text.js";
import { type BarsSpec, barOrder } from "../views/bars.js";
import type { HeatmapSpec } from "../views/heatmap.js";
import { type HistogramSpec, heightAt } from "../views/histogram.js";
import { type LinesSeries, type LinesSpec, positionAt } from "../views/lines.js";
import type { ScatterSpec } from "../views/scatter.js";
import type { TokensSpec } from "../views/tokens.js";
import type { Json, JsonObject, PlotlyJson } from "./figure.js";
import { plotlyText } from "./words.js";

interface Parts {
  readonly data: readonly JsonObject[];
  readonly layout: JsonObject;
}

/**
 * Returns a view as a figure of plotly.js; views without a like of theirs there come as a table.
 *
 * @throws UnsupportedError for a sheet of several views.
 */
export function toPlotlyFigure(spec: ViewSpec): PlotlyJson {
  if (spec.view === "plotly") return spec.figure;
  const { data, layout } = partsOf(spec);
  const title = spec.title === "" ? {} : { title: { text: plotlyText(spec.title), ...subtitle(spec.note) } };
  return { data, layout: { ...title, ...layout }, config: {}, frames: [] };
}

function subtitle(note: string): JsonObject {
  return note === "" ? {} : { subtitle: { text: plotlyText(note) } };
}

function partsOf(spec: ViewSpec): Parts {
  if (spec.view === "panels") {
    throw new UnsupportedError({
      where: "view.toPlotly",
      got: "a sheet of several views",
      expected: "a single view",
      fix: "Call toPlotly() on each of its views.",
    });
  }
  if (spec.view === "heatmap") return fromHeatmap(spec);
  if (spec.view === "bars") return fromBars(spec);
  if (spec.view === "lines") return fromLines(spec);
  if (spec.view === "histogram") return fromHistogram(spec);
  if (spec.view === "scatter") return fromScatter(spec);
  if (spec.view === "tokens" && spec.channels.length === 1) return fromTokens(spec);
  return fromTable(spec);
}

/** plotly.js merges equal categories: where labels repeat, their numbers stand before them. */
function categories(axis: ViewAxis): readonly string[] {
  const labels = axis.labels.map((_, i) => plotlyText(axisLabel(axis, i)));
  return new Set(labels).size === labels.length ? labels : labels.map((label, i) => `${i} ${label}`);
}

function categoryAxis(name: string): JsonObject {
  return { type: "category", title: { text: plotlyText(name), standoff: 14 }, automargin: true };
}

/** A finite number; plotly.js draws `null` as a gap. */
function value(cell: Cell | undefined): number | null {
  const number = decodeCell(cell ?? "NaN");
  return Number.isFinite(number) ? number : null;
}

function colorScale(scale: ColorScale, theme: Theme): readonly Json[] {
  return Array.from({ length: 21 }, (_, i) => [i / 20, cssColor(colorAt(i / 20, scale.kind, theme))]);
}

function themeOf(spec: ViewSpec): Theme {
  return spec.theme ?? "light";
}

function fromHeatmap(spec: HeatmapSpec): Parts {
  const text =
    spec.cellText.length > 0
      ? { text: spec.cellText.map((row) => row.map((text) => plotlyText(visibleToken(text)))), texttemplate: "%{text}" }
      : {};
  return {
    data: [
      {
        type: "heatmap",
        x: categories(spec.x),
        y: categories(spec.y),
        z: spec.values.map((row) => row.map(value)),
        colorscale: colorScale(spec.color, themeOf(spec)),
        zmin: spec.color.min,
        zmax: spec.color.max,
        colorbar: { title: { text: plotlyText(spec.unit) } },
        ...text,
      },
    ],
    // Our first row is on top.
    layout: { xaxis: categoryAxis(spec.x.name), yaxis: { ...categoryAxis(spec.y.name), autorange: "reversed" } },
  };
}

function fromTokens(spec: TokensSpec): Parts {
  const [channel] = spec.channels;
  const axis: ViewAxis = { name: "token", labels: spec.tokens, kind: "tokens" };
  const row: ViewAxis = { name: "", labels: [channel?.name ?? ""], kind: "names" };
  const color = channel?.color ?? ({ kind: "sequential", min: 0, max: 1 } as const);
  const { title, note, unit } = spec;
  const values = [channel?.values ?? []];
  return fromHeatmap({ v: 1, view: "heatmap", title, note, x: axis, y: row, values, cellText: [], color, unit });
}

function fromBars(spec: BarsSpec): Parts {
  const order = barOrder(spec);
  const names = categories(spec.axis);
  const fills = [0.12, 0.88].map((position) => cssColor(colorAt(position, "diverging", themeOf(spec))));
  return {
    data: [
      {
        type: "bar",
        orientation: "h",
        x: order.map((i) => value(spec.values[i])),
        y: order.map((i) => names[i] ?? ""),
        marker: { color: order.map((i) => fills[numberAt(spec.values, i) < 0 ? 0 : 1] ?? "") },
      },
    ],
    layout: {
      xaxis: { title: { text: plotlyText(spec.unit) } },
      yaxis: { ...categoryAxis(spec.axis.name), autorange: "reversed" },
    },
  };
}

/** A number that an axis can hold: plotly.js draws lines to others on a logarithmic one. */
function valueOn(axis: NumberAxis, cell: Cell | undefined): number | null {
  const number = value(cell);
  return axis.kind === "log" && number !== null && number <= 0 ? null : number;
}

/** The range is written in powers of ten on logarithmic axes. */
function numberAxis({ name, kind, min, max }: NumberAxis): JsonObject {
  const range = kind === "log" ? [Math.log10(min), Math.log10(max)] : [min, max];
  return { type: kind, title: { text: plotlyText(name) }, range };
}

const modes = { both: "lines+markers", line: "lines", points: "markers" } as const;

function fromLines(spec: LinesSpec): Parts {
  const labels = spec.xLabels;
  const data = spec.series.flatMap((series, i) => lineTraces(spec, series, i));
  const ticks =
    labels === undefined
      ? {}
      : {
          tickvals: labels.labels.map((_, i) => i),
          ticktext: labels.labels.map((_, i) => plotlyText(axisLabel(labels, i))),
        };
  return { data, layout: { xaxis: { ...numberAxis(spec.x), ...ticks }, yaxis: numberAxis(spec.y) } };
}

/** A band is two lines without width, the upper one filled down to the lower. */
function lineTraces(spec: LinesSpec, series: LinesSeries, index: number): readonly JsonObject[] {
  const { color, dash } = seriesStyle(index, spec.series.length, themeOf(spec), spec.colors);
  const x = series.y.map((_, i) => valueOn(spec.x, encodeCell(positionAt(spec, series, i))));
  const name = plotlyText(series.name);
  const shared = { type: "scatter", x, legendgroup: `${index}` };
  const edge = { ...shared, mode: "lines", showlegend: false, hoverinfo: "skip", line: { width: 0, color } };
  const line = {
    ...shared,
    name,
    y: series.y.map((cell) => valueOn(spec.y, cell)),
    mode: modes[series.mark],
    showlegend: series.name !== "",
    line: { color, dash: dash.replaceAll(" ", "px,") + (dash === "" ? "solid" : "px") },
  };
  if (series.low === undefined || series.high === undefined) return [line];
  const fill = { fill: "tonexty", fillcolor: `${color}33` };
  return [{ ...edge, y: series.low.map(value) }, { ...edge, ...fill, y: series.high.map(value) }, line];
}

function fromHistogram(spec: HistogramSpec): Parts {
  const count = spec.series.length;
  const edges = spec.edges.map(decodeCell);
  const widths = edges.slice(1).map((edge, i) => edge - (edges[i] ?? edge));
  const data = spec.series.map((series, i) => ({
    type: "bar",
    name: plotlyText(series.name),
    x: widths.map((width, bin) => (edges[bin] ?? 0) + width / 2),
    y: series.counts.map((_, bin) => heightAt(spec, series, bin)),
    width: widths,
    marker: { color: seriesStyle(i, count, themeOf(spec)).color, opacity: count > 1 ? 0.5 : 1 },
    showlegend: series.name !== "",
  }));
  const marked = spec.markers.map(({ value: at }) => Number(at));
  const shapes = marked.map((x) => ({ type: "line", x0: x, x1: x, y0: 0, y1: 1, yref: "paper" }));
  const annotations = spec.markers.map(({ label }, i) => ({
    x: marked[i] ?? 0,
    y: 1,
    yref: "paper",
    yanchor: "bottom",
    showarrow: false,
    text: plotlyText(label),
  }));
  const layout = { xaxis: numberAxis(spec.x), yaxis: numberAxis(spec.y), barmode: "overlay", bargap: 0 };
  return { data, layout: { ...layout, shapes, annotations } };
}

function fromScatter(spec: ScatterSpec): Parts {
  const { x, y } = spec.points;
  const all = x.map((_, i) => i);
  const groups = spec.groups.map((name, g) => ({ name, of: all.filter((i) => numberAt(spec.groupOf, i) === g) }));
  const parts = groups.length > 0 ? groups : [{ name: "", of: all }];
  const data = parts.map(({ name, of }, g) => ({
    type: "scatter",
    mode: "markers",
    name: plotlyText(name),
    x: of.map((i) => valueOn(spec.x, x[i])),
    y: of.map((i) => valueOn(spec.y, y[i])),
    ...(spec.labels.length > 0 ? { text: of.map((i) => plotlyText(labelOf(spec, i))) } : {}),
    marker: markerOf(spec, g, of),
  }));
  const layout = { xaxis: numberAxis(spec.x), yaxis: numberAxis(spec.y) };
  if (!spec.diagonal || spec.x.kind !== spec.y.kind) return { data, layout };
  const [low, high] = [Math.max(spec.x.min, spec.y.min), Math.min(spec.x.max, spec.y.max)];
  return {
    data,
    layout: { ...layout, shapes: [{ type: "line", x0: low, y0: low, x1: high, y1: high, line: { dash: "dot" } }] },
  };
}

function labelOf(spec: ScatterSpec, index: number): string {
  return axisLabel({ name: "", labels: spec.labels, kind: spec.labelKind }, index);
}

function markerOf(spec: ScatterSpec, group: number, points: readonly number[]): JsonObject {
  if (spec.values.length === 0 || spec.groups.length > 0) {
    return { color: seriesStyle(group, Math.max(1, spec.groups.length), themeOf(spec)).color };
  }
  const { min, max } = spec.color;
  const colors = points.map((i) => value(spec.values[i]));
  const scale = { colorscale: colorScale(spec.color, themeOf(spec)), cmin: min, cmax: max, showscale: true };
  return {
    color: colors,
    line: { color: "#888888", width: 0.6 },
    ...scale,
    colorbar: { title: { text: plotlyText(spec.unit) } },
  };
}

function fromTable(spec: ViewSpec): Parts {
  const { columns, rows } = kindOf(spec).table(spec);
  const cells = columns.map((_, j) => rows.map((row) => plotlyText(row[j] ?? "")));
  return {
    data: [
      {
        type: "table",
        header: { values: columns.map(plotlyText), align: "left" },
        cells: { values: cells, align: "left" },
      },
    ],
    layout: {},
  };
}
