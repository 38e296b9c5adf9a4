/** Views in words: how far values reach, where the largest lie. */
import { axisLabel } from "./axes.js";
import { decodeCell, finiteExtent, formatNumber } from "./numbers.js";
import type { Cell, ViewAxis } from "./spec.js";

/** How many of the largest entries are named. */
const topCount = 5;

/** A value and the words for where it stands. */
export interface Entry {
  readonly where: string;
  readonly value: number;
}

/** Returns `0 to 1 logits, 2 not finite`. */
export function rangeText(values: Iterable<number>, unit: string): string {
  const extent = finiteExtent(values);
  let bad = 0;
  for (const value of values) if (!Number.isFinite(value)) bad += 1;
  const warning = bad === 0 ? "" : `, ${bad} not finite`;
  if (extent === undefined) return `no finite value${warning}`;
  return `${formatNumber(extent.min)} to ${formatNumber(extent.max)}${unit === "" ? "" : ` ${unit}`}${warning}`;
}

/** Returns the entries of the largest magnitude among `values`, largest first; ties keep their order. */
export function topEntries(values: ArrayLike<number>, where: (index: number) => string): readonly Entry[] {
  return topIndices(values, topCount).map((i) => ({ where: where(i), value: values[i] ?? Number.NaN }));
}

function largest(entries: readonly Entry[], count: number): readonly Entry[] {
  const indices = topIndices(
    entries.map((entry) => entry.value),
    count,
  );
  return indices.flatMap((i) => entries[i] ?? []);
}

function topIndices(values: ArrayLike<number>, count: number): readonly number[] {
  const kept: number[] = [];
  const sizeAt = (i: number | undefined): number => Math.abs(values[i ?? -1] ?? 0);
  for (let i = 0; i < values.length; i++) {
    const size = sizeAt(i);
    if (!Number.isFinite(size) || (kept.length === count && size <= sizeAt(kept[count - 1]))) continue;
    const place = kept.findIndex((other) => sizeAt(other) < size);
    kept.splice(place < 0 ? kept.length : place, 0, i);
    if (kept.length > count) kept.pop();
  }
  return kept;
}

/** Returns a line for each of the largest entries, numbers aligned. */
export function largestLines(entries: readonly Entry[]): readonly string[] {
  const top = largest(entries, topCount);
  const width = Math.max(0, ...top.map((entry) => formatNumber(entry.value).length));
  return top.map((entry) => `  ${formatNumber(entry.value).padStart(width)}  ${entry.where}`);
}

/** Returns `; largest at layer 3, head 1: 0.9`, or nothing when no value is finite. */
export function largestText(entries: readonly Entry[]): string {
  const [top] = largest(entries, 1);
  return top === undefined ? "" : `; largest at ${top.where}: ${formatNumber(top.value)}`;
}

/** Returns the words for one index of an axis: `layer 3`, `position 2 “·the”`. */
export function axisPlace(axis: ViewAxis, index: number): string {
  const label = axisLabel(axis, index);
  const text = axis.kind === "tokens" ? `${index} “${label}”` : label;
  return axis.name === "" ? text : `${axis.name} ${text}`;
}

/** Returns the number at `index`, NaN where there is none. */
export function numberAt(values: readonly Cell[] | undefined, index: number): number {
  return decodeCell(values?.[index] ?? "NaN");
}
