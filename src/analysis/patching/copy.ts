/** Copies of parts of arrays: the window of positions that a row runs, and the elements that a patch writes. */
import type { FloatArray } from "../../model/index.js";
import { patchAxis, type SiteShape } from "./sites.js";

/** One array inside a longer one. */
export interface Stretch {
  readonly data: FloatArray;
  readonly offset: number;
}

/** A site's shape, and the first position of the window that a row runs. */
export interface WindowShape extends SiteShape {
  readonly from: number;
}

function product(sizes: readonly number[]): number {
  return sizes.reduce((a, b) => a * b, 1);
}

function positionAxis({ axes }: SiteShape): number {
  return axes.findIndex((axis) => patchAxis(axis) === "pos");
}

/** The sizes of a window. */
export function windowSizes(shape: WindowShape): readonly number[] {
  const axis = positionAxis(shape);
  return shape.sizes.map((size, i) => (i === axis ? size - shape.from : size));
}

/** Copies the positions of a window of one prompt. */
export function copyWindow(shape: WindowShape, source: Stretch, target: Stretch): void {
  const axis = positionAxis(shape);
  const size = shape.sizes[axis] ?? 1;
  const inner = product(shape.sizes.slice(axis + 1));
  const kept = (size - shape.from) * inner;
  for (let outer = 0; outer < product(shape.sizes.slice(0, axis)); outer++) {
    const start = source.offset + (outer * size + shape.from) * inner;
    target.data.set(source.data.subarray(start, start + kept), target.offset + outer * kept);
  }
}

/** Which indices of each axis are copied; all where `undefined`. */
export type Indices = readonly (readonly number[] | undefined)[];

/** Copies chosen elements from one prompt's whole array into a window of another's. */
export function copyChosen(shape: WindowShape, chosen: Indices, source: Stretch, target: Stretch): void {
  const position = positionAxis(shape);
  const sizes = windowSizes(shape);
  const depth = chosen.findLastIndex((indices) => indices !== undefined);
  const visit = (axis: number, from: number, to: number): void => {
    const inner = product(shape.sizes.slice(axis));
    if (axis > depth && !(shape.from > 0 && axis <= position)) {
      target.data.set(
        source.data.subarray(source.offset + from * inner, source.offset + (from + 1) * inner),
        target.offset + to * inner,
      );
      return;
    }
    const shift = axis === position ? shape.from : 0;
    const size = shape.sizes[axis] ?? 1;
    const all = chosen[axis] ?? Array.from({ length: size - shift }, (_, i) => i + shift);
    for (const index of all) visit(axis + 1, from * size + index, to * (sizes[axis] ?? 1) + index - shift);
  };
  visit(0, 0, 0);
}
