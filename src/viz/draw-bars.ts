/** Horizontal signed bars with their values written out. */
import { colorAt, cssColor } from "./color.js";
import { decodeCell, finiteExtent, formatNumber } from "./numbers.js";
import type { BarsSpec } from "./spec.js";
import { type Drawing, look, round, svgLine, svgRect, svgText, textWidth } from "./svg.js";
import { shorten, visibleToken } from "./token-text.js";

const rowHeight = 20;
const plotWidth = 380;

interface Geometry {
  /** Where the bars' zero lies. */
  readonly zero: number;
  readonly pixelsPerUnit: number;
  readonly labelEnd: number;
}

/** Returns the drawing of bars, without its title. */
export function drawBars(spec: BarsSpec): Drawing {
  const labels = spec.axis.labels.map((label) =>
    shorten(spec.axis.kind === "tokens" ? visibleToken(label) : label, 34),
  );
  const values = spec.values.map(decodeCell);
  const geometry = measure(labels, values, spec.axis.kind === "tokens");
  const rows = values.map((value, i) => drawBar({ label: labels[i] ?? "", value, top: i * rowHeight }, geometry, spec));
  const bottom = values.length * rowHeight;
  const axis = svgLine([geometry.zero, -2], [geometry.zero, bottom], look.quiet);
  const unit = svgText(geometry.zero, bottom + 18, [spec.axis.name, spec.unit].filter((t) => t !== "").join(" · "), {
    size: 11,
    anchor: "middle",
    fill: look.quiet,
  });
  return { width: geometry.labelEnd + plotWidth + 110, height: bottom + 24, body: rows.join("") + axis + unit };
}

function measure(labels: readonly string[], values: readonly number[], mono: boolean): Geometry {
  const labelEnd = Math.max(0, ...labels.map((label) => textWidth(label, 12, mono))) + 4;
  const { min, max } = finiteExtent(values) ?? { min: 0, max: 0 };
  const span = Math.max(max, 0) - Math.min(min, 0);
  const pixelsPerUnit = span > 0 ? plotWidth / span : 0;
  // Values of negative bars are written to their left, so labels stand clear of them.
  const leftSpace = min < 0 ? 60 : 8;
  return { labelEnd, pixelsPerUnit, zero: round(labelEnd + leftSpace + Math.max(0, -min) * pixelsPerUnit) };
}

function drawBar(bar: { label: string; value: number; top: number }, geometry: Geometry, spec: BarsSpec): string {
  const { zero, pixelsPerUnit, labelEnd } = geometry;
  const { value, top } = bar;
  const length = Number.isFinite(value) ? Math.abs(value) * pixelsPerUnit : 0;
  const isNegative = value < 0;
  const left = isNegative ? zero - length : zero;
  const fill = cssColor(colorAt(isNegative ? 0.12 : 0.88, "diverging"));
  const mono = spec.axis.kind === "tokens";
  const label = svgText(labelEnd, top + 14, bar.label, { anchor: "end", mono });
  const rect = svgRect({ x: left, y: top + 3, width: length, height: rowHeight - 6 }, fill, 1);
  const textX = isNegative ? left - 5 : left + length + 5;
  const number = { size: 11, fill: look.quiet, anchor: isNegative ? "end" : "start" } as const;
  return label + rect + svgText(textX, top + 14, formatNumber(value), number);
}
