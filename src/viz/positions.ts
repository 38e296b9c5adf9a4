/** Where the points of lines stand on x, in few bytes. */
import { numberAt } from "./entries.js";
import { encodeCell } from "./numbers.js";
import type { Cell } from "./spec.js";

/** Positions, or evenly spaced ones: the first and the distance. */
export type Positions = readonly Cell[] | { readonly start: number; readonly step: number };

/** Returns evenly spaced positions as their start and step, when they are exactly so. */
function evenly(list: ArrayLike<number>): Positions | undefined {
  const [start = 0, next = 0] = [list[0], list[1]];
  const step = next - start;
  if (list.length < 3 || !Number.isFinite(step)) return undefined;
  for (let i = 0; i < list.length; i++) if (list[i] !== start + i * step) return undefined;
  return { start, step };
}

/** Returns one of the positions; NaN where there is none. */
export function placeAt(positions: Positions, index: number): number {
  return "step" in positions ? positions.start + index * positions.step : numberAt(positions, index);
}

/** Returns positions as JSON can hold them; `isCut` keeps six digits of each number. */
export function encodePositions(list: ArrayLike<number>, isCut: boolean): Positions {
  return evenly(list) ?? encodeCells(list, isCut);
}

/** Returns numbers as JSON can hold them; `isCut` keeps six digits of each. */
export function encodeCells(list: ArrayLike<number>, isCut: boolean): readonly Cell[] {
  return Array.from(list, (value) => encodeCell(isCut ? cut(value) : value));
}

/** Six digits show more than any picture does. */
function cut(value: number): number {
  return Number(value.toPrecision(6));
}
