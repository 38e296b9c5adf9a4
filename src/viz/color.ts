/** Values to colours: RdBu centred at 0, or Blues; never red against green. */
import { interpolateBlues, interpolateRdBu } from "d3-scale-chromatic";
import { type Extent, finiteExtent } from "./numbers.js";
import type { ColorScale } from "./spec.js";
import type { Theme } from "./theme.js";

/** Red, green and blue, 0 to 255. */
export type Rgb = readonly [number, number, number];

/** Colour of cells that hold NaN. */
export const missingColor: Rgb = [214, 214, 214];
const missingInDark: Rgb = [88, 94, 102];

/** How a caller asks for colours: the kind, and the range when it must not follow the data. */
export interface ColorOptions {
  /** `diverging` is centred at 0; default: diverging when any value is negative. */
  readonly scale?: "diverging" | "sequential";
  /** Values drawn in the end colours; default: the finite extent of the data. */
  readonly range?: readonly [number, number];
}

/** Returns the colour scale for `values`: symmetric about 0 when diverging. */
export function chooseScale(values: Iterable<number>, options: ColorOptions = {}): ColorScale {
  const extent = finiteExtent(values) ?? { min: 0, max: 0 };
  const kind = options.scale ?? (extent.min < 0 ? "diverging" : "sequential");
  const [low, high] = options.range ?? automaticRange(kind, extent);
  return { kind, min: low, max: high };
}

function automaticRange(kind: ColorScale["kind"], extent: Extent): readonly [number, number] {
  // A range that all but starts at 0 starts there: probabilities, attention weights, activations.
  const startsAtZero = extent.min >= 0 && extent.min < 0.05 * extent.max;
  if (kind === "sequential") return [startsAtZero ? 0 : extent.min, extent.max];
  const reach = Math.max(Math.abs(extent.min), Math.abs(extent.max));
  return [-reach, reach];
}

/** Returns the colour of `value`; beyond the scale it is clipped, NaN is grey. */
export function colorOf(value: number, scale: ColorScale, theme: Theme = "light"): Rgb {
  if (Number.isNaN(value)) return theme === "light" ? missingColor : missingInDark;
  const span = scale.max - scale.min;
  const neutral = scale.kind === "diverging" ? 0.5 : 0;
  const position = span > 0 ? Math.min(1, Math.max(0, (value - scale.min) / span)) : neutral;
  return colorAt(position, scale.kind, theme);
}

/**
 * Positions of a {@link colorTable}: even, so that the middle of a diverging scale is one of them; together with the
 * colour of missing values they fill the palette of a PNG.
 */
const tableSteps = 254;

/** Returns {@link colorOf} for many values of one scale: rounded to 255 colours, each computed once. */
export function colorTable(scale: ColorScale, theme: Theme): (value: number) => Rgb {
  const table: Rgb[] = [];
  const span = scale.max - scale.min;
  if (!(span > 0)) return (value) => colorOf(value, scale, theme);
  return (value) => {
    if (Number.isNaN(value)) return colorOf(value, scale, theme);
    const step = Math.round(Math.min(1, Math.max(0, (value - scale.min) / span)) * tableSteps);
    return (table[step] ??= colorAt(step / tableSteps, scale.kind, theme));
  };
}

/** Returns the colour at `position`, 0 to 1, along a scale. */
export function colorAt(position: number, kind: ColorScale["kind"], theme: Theme = "light"): Rgb {
  if (theme === "dark") return between(darkStops[kind], position);
  // The darkest tenth of each scheme is left out: text on it is hard to read.
  const text =
    kind === "diverging" ? interpolateRdBu(0.08 + 0.84 * position) : interpolateBlues(0.02 + 0.88 * position);
  const [red = 0, green = 0, blue = 0] = (text.match(/\d+/g) ?? []).map(Number);
  return [red, green, blue];
}

/** On a dark ground nothing is dark and much is light; red stays below 0 and blue above. */
const darkStops: Readonly<Record<ColorScale["kind"], readonly Rgb[]>> = {
  diverging: [
    [255, 176, 148],
    [226, 96, 74],
    [124, 42, 46],
    [38, 42, 49],
    [29, 70, 116],
    [62, 140, 208],
    [164, 212, 250],
  ],
  sequential: [
    [33, 37, 44],
    [28, 62, 104],
    [44, 112, 180],
    [104, 172, 228],
    [206, 232, 252],
  ],
};

function between(stops: readonly Rgb[], position: number): Rgb {
  const at = Math.min(1, Math.max(0, position)) * (stops.length - 1);
  const from = stops[Math.floor(at)] ?? missingInDark;
  const to = stops[Math.ceil(at)] ?? from;
  const part = (i: 0 | 1 | 2): number => Math.round(from[i] + (to[i] - from[i]) * (at % 1));
  return [part(0), part(1), part(2)];
}

/** Returns a colour as CSS text, `#rrggbb`. */
export function cssColor(color: Rgb): string {
  return `#${color.map((part) => part.toString(16).padStart(2, "0")).join("")}`;
}

/** Returns black or white, whichever has the higher WCAG contrast on `background`. */
export function textColorOn(background: Rgb): string {
  const luminance = relativeLuminance(background);
  return 1.05 / (luminance + 0.05) > (luminance + 0.05) / 0.05 ? "#ffffff" : "#111111";
}

/** Returns the WCAG relative luminance of a colour, 0 to 1. */
export function relativeLuminance([red, green, blue]: Rgb): number {
  return 0.2126 * linear(red) + 0.7152 * linear(green) + 0.0722 * linear(blue);
}

function linear(part: number): number {
  const unit = part / 255;
  return unit <= 0.03928 ? unit / 12.92 : ((unit + 0.055) / 1.055) ** 2.4;
}
