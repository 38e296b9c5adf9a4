/** The plane that lines, histograms and points are drawn in: two number axes, their ticks, and where values lie. */
import { nice, ticks } from "d3-array";
import { InputError } from "../core/index.js";
import { drawXAxis } from "./axes.js";
import { type Box, type Drawing, lineMark, type Mark, place, textMark, textWidth } from "./marks.js";
import { finiteExtent, formatNumber } from "./numbers.js";
import type { ViewAxis } from "./spec.js";

const tickSize = 11;

/** Axes reach no farther, and not below its reciprocal: beyond, products of numbers overflow. */
export const farthest = 1e150;

/** An axis of numbers. */
export interface NumberAxis {
  readonly name: string;
  readonly kind: "linear" | "log";
  readonly min: number;
  readonly max: number;
}

/** How an axis of numbers is named and scaled. */
export interface NumberAxisOptions {
  /** Default: `x`, `y` or empty. */
  readonly name?: string;
  /** A logarithmic axis; values that are not above 0 are left out. Default false. */
  readonly log?: boolean;
  /** Both ends of the axis; default: the extent of the data. */
  readonly range?: readonly [number, number];
}

/** What an axis is made from besides the caller's options. */
export interface NumberAxisInput extends NumberAxisOptions {
  readonly defaultName: string;
  /** `tight` ends at the data, `nice` at round numbers, `padded` a little beyond the data. */
  readonly ends: "nice" | "padded" | "tight";
}

/** Returns the axis for `values`, or refuses an impossible range, or a logarithmic axis without a value above 0. */
export function numberAxis(where: string, values: Iterable<number>, input: NumberAxisInput): NumberAxis {
  const { name = input.defaultName, log = false, range } = input;
  const kind = log ? "log" : "linear";
  if (range !== undefined) {
    checkRange(where, range, log);
    return { name, kind, min: range[0], max: range[1] };
  }
  const extent = finiteExtent(reachable(values, log));
  if (extent === undefined && log) {
    throw new InputError({
      where,
      got: "log: true, and no finite value above 0",
      expected: "a value above 0",
      fix: "Use a linear axis.",
    });
  }
  const { min, max } = extent ?? { min: 0, max: 1 };
  const [low, high] = widen([min, max], log);
  return { name, kind, ...ended(low, high, { log, ends: low < min ? "tight" : input.ends }) };
}

/** The numbers that an axis can hold. */
function* reachable(values: Iterable<number>, log: boolean): Iterable<number> {
  for (const value of values) if (Math.abs(value) <= farthest && (!log || value >= 1 / farthest)) yield value;
}

/** Refuses a range that is upside down, not finite, or not above 0 on a logarithmic axis. */
export function checkRange(where: string, [low, high]: readonly [number, number], isLog = false): void {
  const isHeld = [low, high].every((end) => Math.abs(end) <= farthest && (!isLog || end >= 1 / farthest));
  if (isHeld && low < high) return;
  throw new InputError({
    where: `${where}: range`,
    got: `[${low}, ${high}]`,
    expected: `two finite numbers${isLog ? " above 0" : ""}, the lower first`,
    fix: "Leave range out to follow the data.",
  });
}

/** A single value, or values that hardly differ, get room on both sides. */
export function widen([min, max]: readonly [number, number], isLog = false): readonly [number, number] {
  const size = Math.max(Math.abs(min), Math.abs(max));
  if (max - min > Math.max(1e-9 * size, 1 / farthest)) return [min, max];
  if (isLog) return [min / 2, max * 2];
  const room = size > 2 / farthest ? size / 2 : 1;
  return [min - room, max + room];
}

function ended(
  min: number,
  max: number,
  { log, ends }: { log: boolean; ends: NumberAxisInput["ends"] },
): { min: number; max: number } {
  if (ends === "tight") return { min, max };
  if (ends === "padded") {
    if (log) return { min: min / (max / min) ** 0.04, max: max * (max / min) ** 0.04 };
    return { min: min - 0.04 * (max - min), max: max + 0.04 * (max - min) };
  }
  if (log) return { min: 10 ** Math.floor(Math.log10(min) + 1e-9), max: 10 ** Math.ceil(Math.log10(max) - 1e-9) };
  const [low, high] = nice(min, max, 6);
  return { min: low, max: high };
}

/** Where the values of an axis lie, in pixels. */
export interface AxisScale {
  /** NaN for values that the axis cannot hold. */
  readonly at: (value: number) => number;
  readonly ticks: readonly Tick[];
}

/** A place on an axis that is marked; its label may be empty. */
export interface Tick {
  readonly value: number;
  readonly label: string;
}

/** Returns where the values of `axis` lie between two pixels, with about `count` ticks. */
export function axisScale(axis: NumberAxis, [from, to]: readonly [number, number], count: number): AxisScale {
  if (axis.kind === "log") return logScale(axis, [from, to], count);
  const values = ticks(axis.min, axis.max, count);
  const step = Math.abs((values[1] ?? 1) - (values[0] ?? 0));
  const reach = Math.max(Math.abs(axis.min), Math.abs(axis.max));
  const pixels = (to - from) / (axis.max - axis.min);
  return {
    at: (value) => from + (value - axis.min) * pixels,
    ticks: values.map((value) => ({ value, label: tickLabel(value, step, reach) })),
  };
}

/** Powers of ten are named; between them other ticks stand while few, and they are named when there is room. */
function logScale(axis: NumberAxis, [from, to]: readonly [number, number], count: number): AxisScale {
  const decades = Math.log10(axis.max / axis.min);
  const pixels = (to - from) / decades;
  const values = decades < 0.5 ? ticks(axis.min, axis.max, count) : digitTicks(axis, decades > 8 ? [1] : digits);
  const every = Math.max(1, Math.ceil(decades / count));
  const named = (value: number): boolean => {
    const power = Math.floor(Math.log10(value) + 1e-9);
    const digit = Math.round(value / 10 ** power);
    if (decades < 0.8) return true;
    return digit === 1 ? power % every === 0 : decades < 2 && (digit === 2 || digit === 5);
  };
  return {
    at: (value) => (value > 0 ? from + Math.log10(value / axis.min) * pixels : Number.NaN),
    ticks: values.map((value) => ({ value, label: named(value) ? formatNumber(value) : "" })),
  };
}

const digits = [1, 2, 3, 4, 5, 6, 7, 8, 9];

/** Returns each of `digits` times each power of ten that the axis holds. */
function digitTicks({ min, max }: NumberAxis, digits: readonly number[]): readonly number[] {
  const first = Math.floor(Math.log10(min) + 1e-9);
  const powers = Array.from({ length: Math.floor(Math.log10(max) + 1e-9) - first + 1 }, (_, i) => first + i);
  // Negative powers are divided, so that 0.3 is 0.3.
  const at = (digit: number, power: number): number => (power < 0 ? digit / 10 ** -power : digit * 10 ** power);
  const all = powers.flatMap((power) => digits.map((digit) => at(digit, power)));
  return all.filter((value) => value >= min * (1 - 1e-9) && value <= max * (1 + 1e-9));
}

/** Decimals as the step needs them; thousands as `20k`, millions as `3M`. */
function tickLabel(value: number, step: number, reach: number): string {
  if (value === 0) return "0";
  const sign = value < 0 ? "−" : "";
  const size = Math.abs(value);
  if (reach >= 1e12 || step < 1e-4) return formatNumber(value);
  const [unit, suffix] = unitOf(reach, step);
  const decimals = Math.max(0, -Math.floor(Math.log10(step / unit) + 1e-9));
  return `${sign}${(size / unit).toFixed(Math.min(decimals, 6))}${suffix}`;
}

function unitOf(reach: number, step: number): readonly [number, string] {
  const units = [
    [1e9, "G"],
    [1e6, "M"],
    [1e3, "k"],
  ] as const;
  // Below 20k whole numbers are short enough, and years stay years.
  return (reach < 20_000 ? undefined : units.find(([unit]) => reach >= unit && step >= unit / 1000)) ?? [1, ""];
}

/** Where things lie in a plane. */
export interface Plane {
  /** The field inside the axes. */
  readonly field: Box;
  readonly x: AxisScale;
  readonly y: AxisScale;
  /** Of the whole, axes included, without a legend. */
  readonly width: number;
  readonly height: number;
}

/** What a plane is laid out from. */
export interface PlaneSpec {
  readonly x: NumberAxis;
  readonly y: NumberAxis;
  /** Labels of x at 0, 1, 2, …; absent when x is plain numbers. */
  readonly xLabels?: ViewAxis;
}

/** Returns where things lie in a plane whose field has the given size. */
export function layOutPlane(spec: PlaneSpec, width: number, height: number): Plane {
  const y = axisScale(spec.y, [height, 0], Math.max(2, Math.round(height / 48)));
  const widest = Math.max(0, ...y.ticks.map(({ label }) => textWidth(label, tickSize)));
  const left = Math.ceil(widest + 10 + (spec.y.name === "" ? 0 : 20));
  const x = axisScale(spec.x, [0, width], Math.max(2, Math.round(width / 84)));
  const top = 6;
  const bottom = spec.xLabels === undefined ? 18 + (spec.x.name === "" ? 0 : 20) : labelAxis(spec, width).height;
  return {
    field: { x: left, y: top, width, height },
    x: { ...x, at: (value) => left + x.at(value) },
    y: { ...y, at: (value) => top + y.at(value) },
    width: left + width + 14,
    height: top + height + bottom,
  };
}

/** Returns grid lines, tick labels and the names of a plane's axes. */
export function drawPlane(spec: PlaneSpec, plane: Plane): readonly Mark[] {
  return [...drawY(spec.y, plane), ...drawX(spec, plane)];
}

function drawY(axis: NumberAxis, { field, y }: Plane): readonly Mark[] {
  const right = field.x + field.width;
  const style = { size: tickSize, anchor: "end", fill: "quiet" } as const;
  const ticks = y.ticks.flatMap(({ value, label }) => {
    const at = y.at(value);
    const line = lineMark([field.x, at], [right, at], value === 0 && axis.min < 0 ? "quiet" : "rule");
    return label === "" ? [] : [line, textMark(field.x - 6, at + 4, label, style)];
  });
  if (axis.name === "") return ticks;
  return [...ticks, textMark(12, field.y + field.height / 2, axis.name, { anchor: "middle", rotate: -90 })];
}

function drawX(spec: PlaneSpec, plane: Plane): readonly Mark[] {
  const { field, x } = plane;
  const bottom = field.y + field.height;
  const ground = lineMark([field.x, bottom], [field.x + field.width, bottom], "quiet");
  if (spec.xLabels !== undefined) return [ground, place(labelAxis(spec, field.width), field.x, bottom)];
  const style = { size: tickSize, anchor: "middle", fill: "quiet" } as const;
  const ticks = x.ticks.flatMap(({ value, label }) => {
    const at = x.at(value);
    const tick = lineMark([at, bottom], [at, bottom + (label === "" ? 3 : 4)], "quiet");
    const zero = value === 0 && spec.x.min < 0 && spec.x.max > 0;
    return [
      tick,
      ...(zero ? [lineMark([at, field.y], [at, bottom], "rule")] : []),
      ...(label === "" ? [] : [textMark(at, bottom + 16, label, style)]),
    ];
  });
  if (spec.x.name === "") return [ground, ...ticks];
  const middle = field.x + field.width / 2;
  return [ground, ...ticks, textMark(middle, bottom + 34, spec.x.name, { anchor: "middle" })];
}

/** Labels in place of numbers: each stands for a cell of the field. */
function labelAxis(spec: PlaneSpec, width: number): Drawing {
  const labels = spec.xLabels ?? { name: "", labels: [], kind: "names" };
  const nx = Math.max(1, labels.labels.length);
  return drawXAxis({ ...labels, name: spec.x.name }, { nx, ny: 1, cellWidth: width / nx, cellHeight: 1 });
}

/** Tells whether a point of the drawing lies in the plane's field, or just outside. */
export function isInField({ field }: Plane, x: number, y: number): boolean {
  const slack = 6;
  const inX = x >= field.x - slack && x <= field.x + field.width + slack;
  return inX && y >= field.y - slack && y <= field.y + field.height + slack;
}

/** Prints a position on an axis: whole numbers in full, others to three digits. */
export function formatPlace(value: number): string {
  if (!Number.isSafeInteger(value)) return formatNumber(value);
  return String(value).replace("-", "−");
}
