/** The colour bar beside a drawing. */
import { colorAt, cssColor } from "./color.js";
import { type Drawing, rectMark, textMark, textWidth } from "./marks.js";
import { formatNumber } from "./numbers.js";
import type { ColorScale } from "./spec.js";
import type { Theme } from "./theme.js";

const barWidth = 12;
const tickSize = 11;

/** What a colour bar stands for. */
export interface LegendOptions {
  readonly color: ColorScale;
  readonly unit: string;
  readonly theme: Theme;
}

/** Returns an upright colour bar of `height` pixels with its end values, zero where it lies within, and the unit. */
export function verticalLegend({ color, unit, theme }: LegendOptions, height: number): Drawing {
  const top = unit === "" ? 0 : 18;
  const length = Math.max(48, height - top);
  const steps = Array.from({ length: 32 }, (_, i) => {
    const fill = cssColor(colorAt(1 - i / 31, color.kind, theme));
    return rectMark({ x: 0, y: top + (i * length) / 32, width: barWidth, height: length / 32 + 0.5 }, fill);
  });
  const labels = ticks(color).map(({ value, position }) => {
    const y = top + (1 - position) * length;
    return textMark(barWidth + 6, Math.min(top + length, Math.max(top + 9, y + 4)), formatNumber(value), {
      size: tickSize,
      fill: "quiet",
    });
  });
  const unitLabel = unit === "" ? [] : [textMark(0, 10, unit, { size: tickSize, fill: "quiet" })];
  const widest = Math.max(...ticks(color).map(({ value }) => textWidth(formatNumber(value), tickSize)));
  const width = Math.max(barWidth + 6 + widest, textWidth(unit, tickSize));
  return { width, height: top + length, marks: [...unitLabel, ...steps, ...labels] };
}

/** Returns a lying colour bar, for under running text. */
export function horizontalLegend({ color, unit, theme }: LegendOptions): Drawing {
  const length = 180;
  const low = formatNumber(color.min);
  const left = textWidth(low, tickSize) + 8;
  const steps = Array.from({ length: 32 }, (_, i) => {
    const fill = cssColor(colorAt(i / 31, color.kind, theme));
    return rectMark({ x: left + (i * length) / 32, y: 0, width: length / 32 + 0.5, height: barWidth }, fill);
  });
  const high = [formatNumber(color.max), unit].filter((part) => part !== "").join(" ");
  const ends = [
    textMark(left - 6, 10, low, { size: tickSize, fill: "quiet", anchor: "end" }),
    textMark(left + length + 6, 10, high, { size: tickSize, fill: "quiet" }),
  ];
  return {
    width: left + length + 6 + textWidth(high, tickSize),
    height: barWidth,
    marks: [...steps, ...ends],
  };
}

function ticks({ min, max }: ColorScale): readonly { value: number; position: number }[] {
  if (!(max > min)) return [{ value: min, position: 0.5 }];
  const ends = [
    { value: max, position: 1 },
    { value: min, position: 0 },
  ];
  return min < 0 && max > 0 ? [...ends, { value: 0, position: -min / (max - min) }] : ends;
}
