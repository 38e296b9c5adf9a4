/** Numbers as views hold and print them. */
import type { Cell } from "./spec.js";

/** Returns `value` as JSON can hold it. */
export function encodeCell(value: number): Cell {
  if (Number.isFinite(value)) return value;
  if (Number.isNaN(value)) return "NaN";
  return value > 0 ? "Infinity" : "-Infinity";
}

/** Returns the number that `cell` stands for. */
export function decodeCell(cell: Cell): number {
  return typeof cell === "number" ? cell : Number(cell);
}

/**
 * Prints a number to three significant digits, with a true minus sign.
 *
 * Values of 1e5 and more, or below 1e-3, come in scientific notation.
 */
export function formatNumber(value: number): string {
  if (Number.isNaN(value)) return "NaN";
  const size = Math.abs(value);
  const sign = value < 0 ? "−" : "";
  if (size === Number.POSITIVE_INFINITY) return `${sign}∞`;
  if (size === 0) return "0";
  if (size >= 99_950 || size < 1e-3) return sign + size.toExponential(1).replace("e+", "e").replace("e-", "e−");
  const digits = Math.max(0, 2 - Math.floor(Math.log10(size)));
  return sign + trimZeros(size.toFixed(Math.min(digits, 5)));
}

function trimZeros(text: string): string {
  return text.includes(".") ? text.replace(/\.?0+$/, "") : text;
}

/** The smallest and largest finite value. */
export interface Extent {
  readonly min: number;
  readonly max: number;
}

/** Returns the finite extent of `values`, or `undefined` when none is finite. */
export function finiteExtent(values: Iterable<number>): Extent | undefined {
  let min = Number.POSITIVE_INFINITY;
  let max = Number.NEGATIVE_INFINITY;
  for (const value of values) {
    if (!Number.isFinite(value)) continue;
    if (value < min) min = value;
    if (value > max) max = value;
  }
  return min <= max ? { min, max } : undefined;
}
