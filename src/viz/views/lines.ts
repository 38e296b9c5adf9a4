/** Lines over a common or their own x, with bands around them, on linear or logarithmic axes. */
import { axisLabel } from "../axes.js";
import { type AxisOptions, checkedAxis, checkLength, nothingToDraw } from "../checks.js";
import { axisPlace, numberAt, rangeText } from "../entries.js";
import type { DrawContext, TableData, ViewKind } from "../kind.js";
import { type Drawing, element, type Mark, type Point, place, round } from "../marks.js";
import { finiteExtent, formatNumber } from "../numbers.js";
import { type BandEdge, bandPath, isFinitePoint, linePath, lonely, thin } from "../paths.js";
import {
  drawPlane,
  formatPlace,
  layOutPlane,
  type NumberAxis,
  type NumberAxisOptions,
  numberAxis,
  type Plane,
} from "../plane.js";
import { encodeCells, encodePositions, type Positions, placeAt } from "../positions.js";
import { type SeriesColors, type SeriesStyle, seriesLegend, seriesStyle } from "../series.js";
import { type Cell, header, type ViewAxis, type ViewHeader, type ViewOptions } from "../spec.js";

const fieldWidth = 560;
const fieldHeight = 300;

/** Above this count, packed numbers would lose the small ones that a logarithmic axis shows. */
const packedCount = 1000;

const where = "viz.lines";

/** How the points of a series are marked. */
export type LineMark = "both" | "line" | "points";

/** One line. */
export interface LinesSeries {
  readonly name: string;
  /** Absent: the positions that all series share. */
  readonly x?: Positions;
  readonly y: readonly Cell[];
  /** The lower and upper end of the band at each point. */
  readonly low?: readonly Cell[];
  readonly high?: readonly Cell[];
  readonly mark: LineMark;
}

/** Lines in a plane. */
export interface LinesSpec extends ViewHeader {
  readonly view: "lines";
  readonly x: NumberAxis;
  readonly y: NumberAxis;
  /** Labels of x at 0, 1, 2, …; absent when x is plain numbers. */
  readonly xLabels?: ViewAxis;
  readonly positions: Positions;
  readonly series: readonly LinesSeries[];
  readonly colors: SeriesColors;
  /** What the bands are, such as `95 % interval`. */
  readonly band: string;
}

/** One line of `viz.lines`. */
export interface LineData {
  /** Default: `1`, `2`, …, or its key in a record. */
  readonly name?: string;
  /** Default: the positions of all series, `options.x.values`. */
  readonly x?: ArrayLike<number>;
  readonly y: ArrayLike<number>;
  /** The lower end of a band at each point, such as a quantile. */
  readonly low?: ArrayLike<number>;
  /** The upper end. */
  readonly high?: ArrayLike<number>;
  /** Default: `both` up to 30 points, `line` above. */
  readonly mark?: LineMark;
}

/** Lines of `viz.lines`: one list of values, several by name, or a list of series. */
export type LinesData =
  | ArrayLike<number>
  | readonly LineData[]
  | Readonly<Record<string, ArrayLike<number> | Omit<LineData, "name">>>;

/** The x axis of `viz.lines`. */
export interface LinesAxisOptions extends NumberAxisOptions {
  /** Where the values of series without their own x stand; default: 0, 1, 2, …. */
  readonly values?: ArrayLike<number>;
  /** Names in place of the positions 0, 1, 2, …, such as layers or tokens. */
  readonly labels?: readonly string[];
  /** `tokens` shows the whitespace of labels as `·` and `⏎`; default: `names`. */
  readonly kind?: AxisOptions["kind"];
}

/** Options of `viz.lines`. */
export interface LinesOptions extends ViewOptions {
  readonly x?: LinesAxisOptions;
  readonly y?: NumberAxisOptions;
  /** `ordered` draws from light to dark, for series that are layers, steps or sizes; default: `categories`. */
  readonly colors?: SeriesColors;
  /** What the bands are, such as `95 % interval`. */
  readonly band?: string;
}

/** Returns the spec of lines; see `viz.lines`. */
export function linesSpec(data: LinesData, options: LinesOptions): LinesSpec {
  const given = seriesOf(data);
  if (given.every(({ y }) => y.length === 0)) throw nothingToDraw(where);
  for (const series of given) checkSeries(series, options.x?.values);
  const xLabels = labelAxis(given, options.x);
  const x = xAxis(given, options.x, xLabels);
  const values = given.flatMap(({ y, low = [], high = [] }) => [y, low, high].flatMap((list) => Array.from(list)));
  const y = numberAxis(`${where}: y`, values, { ...options.y, defaultName: "", ends: "nice" });
  const isCut = mustCut(options, values.length, [x, y]);
  return {
    ...header("lines", isCut ? { ...options, exact: true } : options),
    x,
    y,
    ...(xLabels === undefined ? {} : { xLabels }),
    positions: options.x?.values === undefined ? { start: 0, step: 1 } : encodePositions(options.x.values, isCut),
    series: given.map((series) => encodeSeries(series, isCut)),
    colors: options.colors ?? "categories",
    band: options.band ?? "",
  };
}

/** Tells whether numbers are cut to six digits in place of being packed. */
function mustCut({ exact = false }: LinesOptions, count: number, axes: readonly NumberAxis[]): boolean {
  return !exact && count > packedCount && axes.some(({ kind }) => kind === "log");
}

function xAxis(given: readonly NamedLine[], options: LinesAxisOptions = {}, xLabels?: ViewAxis): NumberAxis {
  const { name = "", log = false, range, values } = options;
  const all = given.flatMap((series) => Array.from(xOf(series, values)));
  const input = { name, defaultName: "", ends: "tight" } as const;
  if (xLabels !== undefined) {
    return numberAxis(`${where}: x`, all, { ...input, range: [-0.5, xLabels.labels.length - 0.5] });
  }
  return numberAxis(`${where}: x`, all, { ...input, log, ...(range === undefined ? {} : { range }) });
}

function encodeSeries(series: NamedLine, isCut: boolean): LinesSeries {
  const { name, x, y, low, high, mark = y.length <= 30 ? "both" : "line" } = series;
  return {
    name,
    ...(x === undefined ? {} : { x: encodePositions(x, isCut) }),
    y: encodeCells(y, isCut),
    ...(low === undefined ? {} : { low: encodeCells(low, isCut) }),
    ...(high === undefined ? {} : { high: encodeCells(high, isCut) }),
    mark,
  };
}

type NamedLine = LineData & { readonly name: string };

function seriesOf(data: LinesData): readonly NamedLine[] {
  if (isNumbers(data)) return [{ name: "", y: data }];
  if (isSeriesList(data)) {
    return data.map((series, i) => ({ ...series, name: series.name ?? (data.length > 1 ? String(i + 1) : "") }));
  }
  return Object.entries(data).map(([name, value]) => (isNumbers(value) ? { name, y: value } : { ...value, name }));
}

function isNumbers(data: LinesData | Omit<LineData, "name">): data is ArrayLike<number> {
  return ArrayBuffer.isView(data) || (Array.isArray(data) && typeof data[0] !== "object");
}

function isSeriesList(data: LinesData): data is readonly LineData[] {
  return Array.isArray(data);
}

function checkSeries(series: NamedLine, positions: ArrayLike<number> | undefined): void {
  const { name, y, low, high } = series;
  const at = `${where}: ${name === "" ? "" : `series ${JSON.stringify(name)}, `}`;
  const x = series.x ?? positions;
  if (x !== undefined)
    checkLength(`${at}${series.x === undefined ? "y, as long as x.values" : "x"}`, ...sizes(series, x));
  if (low !== undefined || high !== undefined) {
    checkLength(`${at}low`, low?.length ?? 0, y.length);
    checkLength(`${at}high`, high?.length ?? 0, y.length);
  }
}

/** What is too short or long is y when the positions are everyone's. */
function sizes(series: LineData, x: ArrayLike<number>): [got: number, expected: number] {
  return series.x === undefined ? [series.y.length, x.length] : [x.length, series.y.length];
}

/** Returns the labels of x; there may be more of them than the longest series has points. */
function labelAxis(given: readonly NamedLine[], options: LinesAxisOptions = {}): ViewAxis | undefined {
  const { labels, kind = "names", name = "" } = options;
  if (labels === undefined) return undefined;
  const isPlaced = options.values !== undefined || given.some(({ x }) => x !== undefined);
  const size = isPlaced ? labels.length : Math.max(0, ...given.map(({ y }) => y.length));
  return checkedAxis(`${where}: x`, { labels, kind, name, size, defaultName: "" });
}

function xOf(series: LineData, positions: ArrayLike<number> | undefined): ArrayLike<number> {
  return series.x ?? positions ?? Array.from({ length: series.y.length }, (_, i) => i);
}

/** Returns where point `index` of a series stands on x. */
export function positionAt(spec: LinesSpec, series: LinesSeries, index: number): number {
  return placeAt(series.x ?? spec.positions, index);
}

/** Returns where the parts of the plane lie. */
export function layOutLines(spec: LinesSpec): Plane {
  return layOutPlane(spec, fieldWidth, fieldHeight);
}

/** Returns the look of each series. */
export function lineStyles(spec: LinesSpec, theme: DrawContext["theme"]): readonly SeriesStyle[] {
  return spec.series.map((_, i) => seriesStyle(i, spec.series.length, theme, spec.colors));
}

function draw(spec: LinesSpec, { theme }: DrawContext): Drawing {
  const plane = layOutLines(spec);
  const styles = lineStyles(spec, theme);
  const paths = spec.series.flatMap((series, i) => drawSeries(spec, series, { plane, style: styles[i] ?? styles[0] }));
  const marks = [...drawPlane(spec, plane), ...paths];
  const names = spec.series.map(({ name }, i) => ({ name, style: styles[i] ?? { color: "ink", dash: "" } }));
  if (names.every(({ name }) => name === "")) return { width: plane.width, height: plane.height, marks };
  const legend = seriesLegend(names, "line");
  return {
    width: plane.width + 6 + legend.width,
    height: Math.max(plane.height, legend.height + 6),
    marks: [...marks, place(legend, plane.width + 6, 4)],
  };
}

interface SeriesPlace {
  readonly plane: Plane;
  readonly style: SeriesStyle | undefined;
}

/** A band, a line that breaks where a value is missing, and dots. */
function drawSeries(spec: LinesSpec, series: LinesSeries, { plane, style }: SeriesPlace): readonly Mark[] {
  const { color = "ink", dash = "" } = style ?? {};
  const points = pointsOf(spec, series, plane);
  const marks: Mark[] = [];
  if (series.low !== undefined) marks.push(...drawBand(spec, series, { plane, color }));
  if (series.mark !== "points") {
    const d = linePath(thin(points, 4 * fieldWidth));
    const look = { fill: "none", stroke: color, "stroke-width": 1.8, "stroke-linejoin": "round" };
    marks.push(element("path", { d, ...look, ...(dash === "" ? {} : { "stroke-dasharray": dash }) }));
  }
  const dots = series.mark === "line" ? lonely(points) : points.filter(isFinitePoint);
  const radius = series.mark === "points" ? 3 : 2.2;
  for (const [cx, cy] of dots) marks.push(element("circle", { cx: round(cx), cy: round(cy), r: radius, fill: color }));
  return marks;
}

function drawBand(spec: LinesSpec, series: LinesSeries, at: { plane: Plane; color: string }): readonly Mark[] {
  const { x, y } = at.plane;
  const edges = series.y.map((_, i): BandEdge => {
    const low = clampTo(spec.y, numberAt(series.low, i));
    const position = positionAt(spec, series, i);
    return [
      isWithin(spec.x, position) ? x.at(position) : Number.NaN,
      y.at(low),
      y.at(clampTo(spec.y, numberAt(series.high, i))),
    ];
  });
  const every = Math.ceil(edges.length / 2000);
  const d = bandPath(edges.filter((_, i) => i % every === 0 || i === edges.length - 1));
  return [element("path", { d, fill: at.color, "fill-opacity": 0.2 })];
}

/** The ends of a band may leave the plane; a band that reaches 0 on a logarithmic axis ends at its foot. */
function clampTo(axis: NumberAxis, value: number): number {
  return Math.min(axis.max, Math.max(axis.min, value));
}

function isWithin(axis: NumberAxis, value: number): boolean {
  return value >= axis.min && value <= axis.max;
}

/** Points outside the plane are left out when the range is narrower than the data. */
function pointsOf(spec: LinesSpec, series: LinesSeries, { x, y }: Plane): readonly Point[] {
  return series.y.map((_, i): Point => {
    const [px, py] = [positionAt(spec, series, i), numberAt(series.y, i)];
    return isWithin(spec.x, px) && isWithin(spec.y, py) ? [x.at(px), y.at(py)] : [Number.NaN, Number.NaN];
  });
}

/** Returns all finite positions of all series in order, each once. */
export function allPositions(spec: LinesSpec): readonly number[] {
  const found = new Set<number>();
  // Of many series over the same positions the longest has them all.
  const lengths = new Map<Positions, number>();
  for (const { x = spec.positions, y } of spec.series) lengths.set(x, Math.max(y.length, lengths.get(x) ?? 0));
  for (const [positions, length] of lengths) for (let i = 0; i < length; i++) found.add(placeAt(positions, i));
  return [...found].filter(Number.isFinite).sort((a, b) => a - b);
}

/** Returns how a position is written: its label where x has labels. */
export function placeText(spec: LinesSpec, x: number): string {
  if (spec.xLabels !== undefined) return axisPlace(spec.xLabels, x);
  return spec.x.name === "" ? formatPlace(x) : `${spec.x.name} ${formatPlace(x)}`;
}

/** Returns how a point is written: its value, and the ends of its band. */
export function valueText(series: LinesSeries, index: number): string {
  const value = formatNumber(numberAt(series.y, index));
  if (series.low === undefined) return value;
  return `${value} (${formatNumber(numberAt(series.low, index))} to ${formatNumber(numberAt(series.high, index))})`;
}

function seriesFacts(spec: LinesSpec, series: LinesSeries): string {
  const finite = series.y.flatMap((_, i) => (Number.isFinite(numberAt(series.y, i)) ? [i] : []));
  const [first, last] = [finite[0], finite.at(-1)];
  const name = series.name === "" ? "" : `${series.name}: `;
  if (first === undefined || last === undefined) return `${name}no finite value`;
  const top = finite.reduce((best, i) => (numberAt(series.y, i) > numberAt(series.y, best) ? i : best), first);
  const bottom = finite.reduce((best, i) => (numberAt(series.y, i) < numberAt(series.y, best) ? i : best), first);
  const at = (i: number): string =>
    `${formatNumber(numberAt(series.y, i))} at ${placeText(spec, positionAt(spec, series, i))}`;
  const missing = series.y.length - finite.length;
  const low = spec.y.kind === "log" ? finite.filter((i) => numberAt(series.y, i) <= 0).length : 0;
  const gaps = `${missing === 0 ? "" : `, ${missing} not finite`}${low === 0 ? "" : `, ${low} not above 0`}`;
  const ends = `from ${formatNumber(numberAt(series.y, first))} to ${formatNumber(numberAt(series.y, last))}`;
  return `${name}${ends}; lowest ${at(bottom)}, highest ${at(top)}${gaps}`;
}

function shape(spec: LinesSpec): string {
  const count = spec.series.length === 1 ? "1 line" : `${spec.series.length} lines`;
  const values = spec.series.flatMap(({ y }) => y.map((_, i) => numberAt(y, i)));
  const reach = finiteExtent(allPositions(spec)) ?? { min: 0, max: 0 };
  const over = spec.xLabels === undefined ? `${formatPlace(reach.min)} to ${formatPlace(reach.max)}` : labelRange(spec);
  return `${count} over ${named(spec.x, over)}; ${named(spec.y, rangeText(values, ""))}`;
}

function named({ name, kind }: NumberAxis, text: string): string {
  return `${name === "" ? "" : `${name} `}${text}${kind === "log" ? " (logarithmic)" : ""}`;
}

function labelRange({ xLabels }: LinesSpec): string {
  if (xLabels === undefined) return "";
  return `${axisLabel(xLabels, 0)} to ${axisLabel(xLabels, xLabels.labels.length - 1)}`;
}

const listedSeries = 12;

/** Returns a row for each position, a column for each series and each end of a band. */
function table(spec: LinesSpec): TableData {
  const columns = [
    spec.x.name || "x",
    ...spec.series.flatMap((series, i) => {
      const name = series.name || (spec.series.length === 1 ? spec.y.name || "value" : String(i + 1));
      return series.low === undefined ? [name] : [name, `${name} low`, `${name} high`];
    }),
  ];
  const indices = spec.series.map((series) => indexOf(spec, series));
  const rows = allPositions(spec).map((x) => [
    spec.xLabels === undefined ? formatPlace(x) : axisPlace({ ...spec.xLabels, name: "" }, x),
    ...spec.series.flatMap((series, s) => {
      const i = indices[s]?.get(x);
      const lists = series.low === undefined ? [series.y] : [series.y, series.low, series.high];
      return lists.map((list) => (i === undefined ? "" : formatNumber(numberAt(list, i))));
    }),
  ]);
  return { columns, rows };
}

/** Returns which point of a series stands at each position; the last one where several do. */
export function indexOf(spec: LinesSpec, series: LinesSeries): ReadonlyMap<number, number> {
  return new Map(series.y.map((_, i) => [positionAt(spec, series, i), i]));
}

/** How lines are drawn and said. */
export const linesKind: ViewKind<LinesSpec> = {
  draw,
  table,
  text: (spec) => {
    const facts = spec.series.slice(0, listedSeries).map((series) => `  ${seriesFacts(spec, series)}`);
    const rest = spec.series.length - facts.length;
    const band = spec.band === "" ? [] : [`  band: ${spec.band}`];
    return [shape(spec), ...facts, ...(rest > 0 ? [`  and ${rest} more`] : []), ...band];
  },
  summary: (spec) => {
    const facts = spec.series.slice(0, 4).map((series) => seriesFacts(spec, series));
    return [shape(spec), ...facts].join("; ");
  },
};
