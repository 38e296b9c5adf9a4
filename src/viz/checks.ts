/** What builders check before they draw. */
import { InputError, ShapeError } from "../core/index.js";
import { type ColorOptions, chooseScale } from "./color.js";
import type { ColorScale, ViewAxis } from "./spec.js";

/** How an axis is named and labelled. */
export interface AxisOptions {
  /** Default: `x`, `y` or empty. */
  readonly name?: string;
  /** One label for each index; default: the indices. */
  readonly labels?: readonly string[];
  /** `tokens` shows whitespace as `·` and `⏎`; default: `names`. */
  readonly kind?: "names" | "tokens";
}

/** Returns the axis of `size` entries that `options` ask for. */
export function checkedAxis(where: string, options: AxisOptions & { size: number; defaultName: string }): ViewAxis {
  const { size, defaultName, name = defaultName, kind = "names" } = options;
  const labels = options.labels ?? Array.from({ length: size }, (_, i) => String(i));
  checkLength(`${where}.labels`, labels.length, size);
  return { name, labels: [...labels], kind };
}

/** Returns the colour scale for `values`, or refuses an impossible range. */
export function checkedScale(where: string, values: Iterable<number>, options: ColorOptions): ColorScale {
  const [low = 0, high = 1] = options.range ?? [];
  if (options.range === undefined || (Number.isFinite(low) && Number.isFinite(high) && low < high))
    return chooseScale(values, options);
  throw new InputError({
    where: `${where}: range`,
    got: `[${low}, ${high}]`,
    expected: "two finite numbers, the lower first",
    fix: "Leave range out to follow the data.",
  });
}

/** Refuses rows that are not `height` lists of `width` entries. */
export function checkGrid(
  where: string,
  rows: readonly ArrayLike<unknown>[],
  [height, width]: readonly [number, number],
): void {
  checkLength(where, rows.length, height);
  for (const [y, row] of rows.entries()) checkLength(`${where}[${y}]`, row.length, width);
}

/** Refuses a list that is too short or too long. */
export function checkLength(where: string, got: number, expected: number): void {
  if (got === expected) return;
  const fix = "Give one entry for each index of the data.";
  throw new ShapeError({ where, got: `length ${got}`, expected: `length ${expected}`, fix });
}

/** Returns the error for data without a value. */
export function nothingToDraw(where: string): InputError {
  const fix = "Check the selection that made the data.";
  return new InputError({ where, got: "no values", expected: "at least one value", fix });
}
