/** Points with labels, coloured by group or by value; one bitmap when they are thousands. */
import { type AxisOptions, checkedScale, checkLength, nothingToDraw } from "../checks.js";
import { type ColorOptions, colorTable, cssColor, type Rgb } from "../color.js";
import { bitmap, rgbOf } from "../dots.js";
import { numberAt } from "../entries.js";
import type { DrawContext, TableData, ViewKind } from "../kind.js";
import { verticalLegend } from "../legend.js";
import { type Drawing, element, lineMark, type Mark, type Point, place, round, textMark, textWidth } from "../marks.js";
import { decodeCell, encodeCell, formatNumber } from "../numbers.js";
import {
  drawPlane,
  formatPlace,
  layOutPlane,
  type NumberAxis,
  type NumberAxisOptions,
  numberAxis,
  type Plane,
} from "../plane.js";
import { seriesLegend, seriesStyle } from "../series.js";
import { type Cell, type ColorScale, header, type ViewHeader, type ViewOptions } from "../spec.js";
import type { Theme } from "../theme.js";
import { shorten, visibleToken } from "../token-text.js";

const fieldWidth = 500;
const fieldHeight = 400;

/** Above this count points are one bitmap. */
const mostCircles = 3000;
/** Up to this count labels are written beside their points, where they fit. */
const mostLabels = 60;

/** Points in a plane. */
export interface ScatterSpec extends ViewHeader {
  readonly view: "scatter";
  readonly x: NumberAxis;
  readonly y: NumberAxis;
  readonly points: { readonly x: readonly Cell[]; readonly y: readonly Cell[] };
  /** One for each point; empty when points have none. */
  readonly labels: readonly string[];
  /** Token text shows its whitespace. */
  readonly labelKind: "names" | "tokens";
  /** Names of groups, and the group of each point; both empty when there are none. */
  readonly groups: readonly string[];
  readonly groupOf: readonly Cell[];
  /** What colours the points; empty when nothing does. */
  readonly values: readonly Cell[];
  readonly color: ColorScale;
  /** What the values are. */
  readonly unit: string;
  /** Whether the line y = x is drawn, and those at 0. */
  readonly diagonal: boolean;
  readonly zero: boolean;
}

/** Options of `viz.scatter`. */
export interface ScatterOptions extends ViewOptions, ColorOptions {
  readonly x?: NumberAxisOptions;
  readonly y?: NumberAxisOptions;
  /** What each point is. */
  readonly labels?: readonly string[];
  /** `tokens` shows the whitespace of labels as `·` and `⏎`; default: `names`. */
  readonly labelKind?: AxisOptions["kind"];
  /** The group of each point, which colours it. */
  readonly groups?: readonly string[];
  /** The value of each point, which colours it when there are no groups. */
  readonly values?: ArrayLike<number>;
  /** What the values are, such as `layer`. */
  readonly unit?: string;
  /** Draws y = x, and gives both axes the same range. Default false. */
  readonly diagonal?: boolean;
  /** Draws x = 0 and y = 0. Default false. */
  readonly zero?: boolean;
}

/** Returns the spec of points; see `viz.scatter`. */
export function scatterSpec(x: ArrayLike<number>, y: ArrayLike<number>, options: ScatterOptions): ScatterSpec {
  const where = "viz.scatter";
  if (x.length === 0) throw nothingToDraw(where);
  checkLength(`${where}: y`, y.length, x.length);
  const {
    labels = [],
    groups = [],
    values = [],
    unit = "",
    labelKind = "names",
    diagonal = false,
    zero = false,
  } = options;
  for (const [name, list] of Object.entries({ labels, groups, values })) {
    if (list.length > 0) checkLength(`${where}: ${name}`, list.length, x.length);
  }
  const names = [...new Set(groups)];
  const axes = chooseAxes(where, [Array.from(x), Array.from(y)], options);
  return {
    ...header("scatter", options),
    ...axes,
    points: { x: Array.from(x, encodeCell), y: Array.from(y, encodeCell) },
    labels: [...labels],
    labelKind,
    groups: names,
    groupOf: groups.map((name) => names.indexOf(name)),
    values: Array.from(values, encodeCell),
    color: checkedScale(where, Array.from(values), options),
    unit,
    diagonal,
    zero,
  };
}

/** With a diagonal both axes cover the same numbers; with zero lines they cover 0. */
function chooseAxes(
  where: string,
  [allX, allY]: readonly [readonly number[], readonly number[]],
  { x = {}, y = {}, diagonal = false, zero = false }: ScatterOptions,
): { x: NumberAxis; y: NumberAxis } {
  const isWhole = (i: number): boolean => Number.isFinite(allX[i]) && Number.isFinite(allY[i]);
  const [xs, ys] = [allX.filter((_, i) => isWhole(i)), allY.filter((_, i) => isWhole(i))];
  const more = (options: NumberAxisOptions): readonly number[] => (zero && options.log !== true ? [0] : []);
  const both = diagonal ? [...xs, ...ys] : undefined;
  const ends = { defaultName: "", ends: "padded" } as const;
  return {
    x: numberAxis(`${where}: x`, [...(both ?? xs), ...more(x)], { ...x, ...ends, defaultName: "x" }),
    y: numberAxis(`${where}: y`, [...(both ?? ys), ...more(y)], { ...y, ...ends, defaultName: "y" }),
  };
}

/** Returns where the parts of the plane lie. */
export function layOutScatter(spec: ScatterSpec): Plane {
  return layOutPlane(spec, spec.diagonal ? fieldHeight : fieldWidth, fieldHeight);
}

/** Returns where each point lies, in pixels; NaN for those outside the axes. */
export function pointPlaces(spec: ScatterSpec, { x, y }: Plane): readonly Point[] {
  const isIn = (axis: NumberAxis, value: number): boolean => value >= axis.min && value <= axis.max;
  return spec.points.x.map((_, i): Point => {
    const [px, py] = [numberAt(spec.points.x, i), numberAt(spec.points.y, i)];
    return isIn(spec.x, px) && isIn(spec.y, py) ? [x.at(px), y.at(py)] : [Number.NaN, Number.NaN];
  });
}

function draw(spec: ScatterSpec, { theme }: DrawContext): Drawing {
  const plane = layOutScatter(spec);
  const places = pointPlaces(spec, plane);
  const color = pointColors(spec, theme);
  const isMany = places.length > mostCircles;
  const points = isMany
    ? [
        place(
          { marks: [bitmap(plane.field, places, { color, theme, isPlain: isPlain(spec) })] },
          plane.field.x,
          plane.field.y,
        ),
      ]
    : circles(spec, places, color);
  const lines = [...drawPlane(spec, plane), ...drawGuides(spec, plane)];
  // A bitmap has a ground of its own, so lines come over it.
  const marks = isMany ? [...points, ...lines] : [...lines, ...points, ...drawLabels(spec, places, plane)];
  const legend = legendOf(spec, theme);
  if (legend === undefined) return { width: plane.width, height: plane.height, marks };
  return {
    width: plane.width + 6 + legend.width,
    height: Math.max(plane.height, legend.height + 6),
    marks: [...marks, place(legend, plane.width + 6, 4)],
  };
}

function isPlain(spec: ScatterSpec): boolean {
  return spec.groups.length === 0 && spec.values.length === 0;
}

function legendOf(spec: ScatterSpec, theme: Theme): Drawing | undefined {
  if (spec.groups.length > 0) {
    const entries = spec.groups.map((name, i) => ({ name, style: seriesStyle(i, spec.groups.length, theme) }));
    return seriesLegend(entries, "dot");
  }
  return spec.values.length > 0 ? verticalLegend({ ...spec, theme }, 180) : undefined;
}

/** The colour of each point, by number. */
function pointColors(spec: ScatterSpec, theme: Theme): (index: number) => Rgb {
  if (spec.groups.length > 0) {
    const colors = spec.groups.map((_, i) => rgbOf(seriesStyle(i, spec.groups.length, theme).color));
    return (i) => colors[numberAt(spec.groupOf, i)] ?? [0, 0, 0];
  }
  const single = rgbOf(seriesStyle(0, 1, theme).color);
  if (spec.values.length === 0) return () => single;
  const colors = colorTable(spec.color, theme);
  return (i) => colors(numberAt(spec.values, i));
}

function circles(spec: ScatterSpec, places: readonly Point[], color: (index: number) => Rgb): readonly Mark[] {
  const r = places.length > 400 ? 2.5 : 3.5;
  // Pale values stand out from the ground by an outline.
  const outline = spec.values.length > 0 && spec.groups.length === 0 ? { stroke: "quiet", "stroke-width": 0.6 } : {};
  const look = { r, "fill-opacity": places.length > 400 ? 0.7 : 0.9, ...outline };
  return places.flatMap(([cx, cy], i) =>
    Number.isFinite(cx) ? [element("circle", { cx: round(cx), cy: round(cy), fill: cssColor(color(i)), ...look })] : [],
  );
}

/** The line y = x, a curve where one axis is logarithmic, and lines at 0. */
function drawGuides(spec: ScatterSpec, plane: Plane): readonly Mark[] {
  const { field, x, y } = plane;
  const marks: Mark[] = [];
  if (spec.zero && spec.x.kind === "linear") {
    marks.push(lineMark([x.at(0), field.y], [x.at(0), field.y + field.height], "quiet"));
  }
  if (spec.zero && spec.y.kind === "linear") {
    marks.push(lineMark([field.x, y.at(0)], [field.x + field.width, y.at(0)], "quiet"));
  }
  const [low, high] = [Math.max(spec.x.min, spec.y.min), Math.min(spec.x.max, spec.y.max)];
  if (!spec.diagonal || !(low < high)) return marks;
  const steps = spec.x.kind === spec.y.kind ? 1 : 64;
  const path = Array.from({ length: steps + 1 }, (_, i) => low + ((high - low) * i) / steps).map(
    (value) => `${round(x.at(value))},${round(y.at(value))}`,
  );
  return [
    ...marks,
    element("path", { d: `M${path.join("L")}`, fill: "none", stroke: "quiet", "stroke-dasharray": "4 3" }),
  ];
}

/** Few points carry their labels, right or left of them, unless another label stands there. */
function drawLabels(spec: ScatterSpec, places: readonly Point[], { field }: Plane): readonly Mark[] {
  if (spec.labels.length === 0 || spec.labels.length > mostLabels) return [];
  const taken: (readonly [left: number, right: number, y: number])[] = [];
  const isFree = (left: number, right: number, y: number): boolean =>
    places.every(([px, py]) => !(px + 4 > left && px - 4 < right && Math.abs(py - y) < 9)) &&
    taken.every(
      ([otherLeft, otherRight, otherY]) => right < otherLeft || left > otherRight || Math.abs(y - otherY) > 11,
    );
  const mono = spec.labelKind === "tokens";
  return places.flatMap(([x, y], i) => {
    const text = shorten(pointLabel(spec, i), 24);
    const width = textWidth(text, 11, mono);
    const sides = [
      { anchor: "start", left: x + 6, right: x + 6 + width, at: x + 6 },
      { anchor: "end", left: x - 6 - width, right: x - 6, at: x - 6 },
    ] as const;
    const side = sides.find(
      ({ left, right }) => left > field.x && right < field.x + field.width + 10 && isFree(left, right, y),
    );
    if (side === undefined || !Number.isFinite(x)) return [];
    taken.push([side.left, side.right, y]);
    return [textMark(side.at, y + 4, text, { size: 11, anchor: side.anchor, fill: "quiet", mono })];
  });
}

/** Returns the label of a point as it is written; its number when points have none. */
export function pointLabel(spec: ScatterSpec, index: number): string {
  const label = spec.labels[index];
  if (label === undefined) return `point ${index}`;
  return spec.labelKind === "tokens" ? visibleToken(label) : label;
}

/** Returns everything that is known about a point, as name and value. */
export function pointRows(spec: ScatterSpec, index: number): readonly (readonly [string, string])[] {
  const group = spec.groups[numberAt(spec.groupOf, index)];
  return [
    [spec.x.name, formatNumber(numberAt(spec.points.x, index))],
    [spec.y.name, formatNumber(numberAt(spec.points.y, index))],
    ...(group === undefined ? [] : [["group", group] as const]),
    ...(spec.values.length === 0 ? [] : [[spec.unit || "value", formatNumber(numberAt(spec.values, index))] as const]),
  ];
}

function finiteIndices(spec: ScatterSpec): readonly number[] {
  return spec.points.x.flatMap((_, i) =>
    Number.isFinite(numberAt(spec.points.x, i)) && Number.isFinite(numberAt(spec.points.y, i)) ? [i] : [],
  );
}

interface Reach {
  readonly low: number;
  readonly high: number;
}

/** The points with the lowest and highest number of one axis. */
function ends(cells: readonly Cell[], indices: readonly number[]): Reach | undefined {
  const [first] = indices;
  if (first === undefined) return undefined;
  let [low, high] = [first, first];
  for (const i of indices) {
    if (numberAt(cells, i) < numberAt(cells, low)) low = i;
    if (numberAt(cells, i) > numberAt(cells, high)) high = i;
  }
  return { low, high };
}

/** Pearson's correlation; NaN for fewer than two points or a constant. */
function correlation(spec: ScatterSpec, indices: readonly number[]): number {
  const [xs, ys] = [indices.map((i) => numberAt(spec.points.x, i)), indices.map((i) => numberAt(spec.points.y, i))];
  const mean = (list: readonly number[]): number => list.reduce((sum, value) => sum + value, 0) / list.length;
  const [mx, my] = [mean(xs), mean(ys)];
  let [xy, xx, yy] = [0, 0, 0];
  xs.forEach((x, i) => {
    const [dx, dy] = [x - mx, (ys[i] ?? my) - my];
    xy += dx * dy;
    xx += dx * dx;
    yy += dy * dy;
  });
  return xx > 0 && yy > 0 ? xy / Math.sqrt(xx * yy) : Number.NaN;
}

function axisFacts(spec: ScatterSpec, axis: "x" | "y", indices: readonly number[]): string {
  const cells = spec.points[axis];
  const reach = ends(cells, indices);
  if (reach === undefined) return `${spec[axis].name} not finite`;
  const at = (i: number): string => {
    const value = formatNumber(numberAt(cells, i));
    return spec.labels.length === 0 ? value : `${value} (${pointLabel(spec, i)})`;
  };
  return `${spec[axis].name} from ${at(reach.low)} to ${at(reach.high)}`;
}

function facts(spec: ScatterSpec): readonly string[] {
  const indices = finiteIndices(spec);
  const missing = spec.points.x.length - indices.length;
  const r = correlation(spec, indices);
  const sizes = spec.groups.map((name, g) => `${name} ${spec.groupOf.filter((cell) => decodeCell(cell) === g).length}`);
  const shown = sizes.slice(0, 8);
  const rest = sizes.length - shown.length;
  return [
    `${spec.points.x.length} points${missing > 0 ? `, ${missing} not finite` : ""}`,
    axisFacts(spec, "x", indices),
    axisFacts(spec, "y", indices),
    ...(Number.isFinite(r) ? [`correlation ${formatNumber(r)}`] : []),
    ...(shown.length > 0 ? [`groups: ${shown.join(", ")}${rest > 0 ? ` and ${rest} more` : ""}`] : []),
  ];
}

function table(spec: ScatterSpec): TableData {
  const hasLabels = spec.labels.length > 0;
  const rows = spec.points.x.map((_, i) => [
    hasLabels ? pointLabel(spec, i) : formatPlace(i),
    ...pointRows(spec, i).map(([, value]) => value),
  ]);
  return { columns: ["point", ...pointRows(spec, 0).map(([name]) => name)], rows };
}

/** How points are drawn and said. */
export const scatterKind: ViewKind<ScatterSpec> = {
  draw,
  table,
  text: (spec) => {
    const [first = "", ...rest] = facts(spec);
    return [first, ...rest.map((fact) => `  ${fact}`)];
  },
  summary: (spec) => facts(spec).join("; "),
};
