/** Axis names and sizes at run time: checked, looked up, and named in errors. */
import { AxisError, formatList, formatShape, nearestHint, ShapeError } from "../core/index.js";

/** What naming functions need of a tensor. */
export interface Named {
  readonly axes: readonly string[];
  readonly shape: readonly number[];
}

/** Returns `d0, d1, …` when names are absent; otherwise checks that they are as many as sizes, and different. */
export function checkedAxes(axes: readonly string[] | undefined, rank: number, where: string): readonly string[] {
  if (axes === undefined) return Array.from({ length: rank }, (_, i) => `d${i}`);
  if (axes.length !== rank) {
    throw new AxisError({
      where: `${where}: axes`,
      got: `${axes.length} names (${formatList(axes)}) for ${rank} axes`,
      expected: "one name per axis",
      fix: "Name every axis, or none to get d0, d1, and so on.",
    });
  }
  checkDistinct(axes, where);
  return axes;
}

/** Checks that names differ and can be keys of an object without being reordered. */
export function checkDistinct(axes: readonly string[], where: string): void {
  const isName = (axis: unknown): boolean => typeof axis === "string" && axis !== "" && !/^\d+$/.test(axis);
  const bad = axes.find((axis, i) => !isName(axis) || axes.indexOf(axis) !== i);
  if (bad === undefined) return;
  throw new AxisError({
    where: `${where}: axes`,
    got: `${formatList(axes)}${isName(bad) ? `, with "${bad}" twice` : ""}`,
    expected: "different names that are not empty and not whole numbers",
    fix: "Rename the axes so that each name says one thing, such as queryPos and keyPos.",
  });
}

/** Returns the position of `axis`, or throws an AxisError with the nearest names. */
export function axisPosition(tensor: Named, axis: string, where: string): number {
  const position = tensor.axes.indexOf(axis);
  if (position >= 0) return position;
  throw new AxisError({
    where,
    got: `axis ${JSON.stringify(axis)}`,
    expected: `an axis of ${formatNamed(tensor)}`,
    fix: `Check the spelling.${nearestHint(axis, tensor.axes)}`,
  });
}

/** Returns the positions of one axis, of several different ones, or of all when `axis` is undefined. */
export function axisPositions(
  tensor: Named,
  axis: string | readonly string[] | undefined,
  where: string,
): readonly number[] {
  if (axis === undefined) return tensor.axes.map((_, i) => i);
  if (typeof axis === "string") return [axisPosition(tensor, axis, where)];
  const positions = axis.map((name) => axisPosition(tensor, name, where));
  checkDistinct(axis, where);
  return positions;
}

/** Checks sizes: whole and not negative. */
export function checkShape(shape: readonly number[], where: string): void {
  if (shape.every((size) => Number.isSafeInteger(size) && size >= 0)) return;
  throw new ShapeError({
    where: `${where}: shape`,
    got: formatShape(shape),
    expected: "sizes that are whole numbers, zero or more",
    fix: "Check how the sizes were computed.",
  });
}

/** Returns `[batch=2, pos=7]`. */
export function formatNamed(tensor: Named): string {
  return formatShape(tensor.shape, tensor.axes);
}

/** Returns the number of elements of a shape. */
export function sizeOf(shape: readonly number[]): number {
  return shape.reduce((size, n) => size * n, 1);
}
