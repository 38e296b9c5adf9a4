/** Selection by axis name: numbers, slices, lists and masks. */
import { AxisError, InputError, ShapeError } from "../core/index.js";
import { axisPosition, formatNamed } from "./axes.js";
import { gather } from "./gather.js";
import { compactData, numeric, rowMajor, type Strided } from "./strided.js";

/** A range of positions. Negative ends count from the end of the axis; nothing is clamped. */
export interface AxisSlice {
  /** First position; 0 when absent. */
  readonly from?: number;
  /** Position after the last; the size of the axis when absent. */
  readonly to?: number;
  /** Distance between positions, 1 or more. */
  readonly step?: number;
}

/** What one axis can be indexed by, with tensors as views. */
export type ViewIndex = number | AxisSlice | readonly number[] | Int32Array | Strided;

/** Returns the selection: numbers drop their axis, slices share memory, lists and masks copy. */
export function at(view: Strided, selector: Readonly<Record<string, ViewIndex | undefined>>): Strided {
  let selected = view;
  for (const [axis, index] of Object.entries(selector)) {
    axisPosition(view, axis, "tensor.at");
    if (index === undefined) throw badIndex(view, axis, index);
    selected = selectOne(selected, axis, index, view);
  }
  return selected;
}

function selectOne(view: Strided, axis: string, index: ViewIndex, original: Strided): Strided {
  const position = axisPosition(view, axis, "tensor.at");
  const size = view.shape[position] ?? 0;
  if (typeof index === "number") return dropAt(view, position, checkedPosition(index, size, { axis, view: original }));
  if (isList(index)) {
    const list = Int32Array.from(index, (i) => checkedPosition(i, size, { axis, view: original }));
    return gather(view, axis, rowMajor("int32", list, [list.length], [axis]));
  }
  if (typeof index !== "object" || index === null) throw badIndex(original, axis, index);
  if ("dtype" in index) return selectOne(view, axis, positionsOf(index, axis, original), original);
  return slice(view, position, checkedSlice(index, size, { axis, view: original }));
}

function isList(index: ViewIndex): index is readonly number[] | Int32Array {
  return Array.isArray(index) || index instanceof Int32Array;
}

/** Returns the view at one position of an axis, without that axis. */
export function dropAt(view: Strided, position: number, index: number): Strided {
  const others = <T>(items: readonly T[]): T[] => items.filter((_, i) => i !== position);
  return {
    ...view,
    axes: others(view.axes),
    shape: others(view.shape),
    strides: others(view.strides),
    offset: view.offset + index * (view.strides[position] ?? 0),
  };
}

/** Returns the view of `length` positions of an axis, from `from` by `step`. */
export function slice(
  view: Strided,
  position: number,
  range: { readonly from: number; readonly length: number; readonly step: number },
): Strided {
  const stride = view.strides[position] ?? 0;
  return {
    ...view,
    shape: view.shape.map((size, i) => (i === position ? range.length : size)),
    strides: view.strides.map((old, i) => (i === position ? stride * range.step : old)),
    offset: view.offset + (range.length === 0 ? 0 : range.from * stride),
  };
}

interface Place {
  readonly axis: string;
  readonly view: Strided;
}

function checkedPosition(index: number, size: number, place: Place): number {
  const position = index < 0 ? index + size : index;
  if (Number.isInteger(index) && position >= 0 && position < size) return position;
  throw new ShapeError({
    where: "tensor.at",
    got: `index ${index} for axis "${place.axis}" of ${formatNamed(place.view)}`,
    expected: size > 0 ? `whole numbers from ${-size} to ${size - 1}` : "no index at all: the axis is empty",
    fix: `Axis "${place.axis}" has size ${size}; -1 is its last position.`,
  });
}

function checkedSlice(slice: AxisSlice, size: number, place: Place): { from: number; length: number; step: number } {
  const { from = 0, to = size, step = 1 } = slice;
  const [first, end] = [from < 0 ? from + size : from, to < 0 ? to + size : to];
  const isWithin = first >= 0 && first <= end && end <= size && step >= 1;
  if (isWithin && [from, to, step].every(Number.isInteger) && Object.keys(slice).every(isSliceKey)) {
    return { from: first, length: Math.ceil((end - first) / step), step };
  }
  throw new ShapeError({
    where: "tensor.at",
    got: `slice ${JSON.stringify(slice)} for axis "${place.axis}" of ${formatNamed(place.view)}`,
    expected: `{ from, to, step } with 0 <= from <= to <= ${size} and step >= 1`,
    fix: "Slices are not clamped; negative ends count from the end; use flip() to go backwards.",
  });
}

function isSliceKey(key: string): boolean {
  return key === "from" || key === "to" || key === "step";
}

/** Returns the positions that a one-axis tensor of integers, or a mask as long as the axis, selects. */
function positionsOf(index: Strided, axis: string, view: Strided): Int32Array {
  const size = view.shape[view.axes.indexOf(axis)] ?? 0;
  const isMask = index.dtype === "bool";
  if (index.shape.length !== 1 || (isMask && index.shape[0] !== size)) {
    throw new ShapeError({
      where: `tensor.at: ${axis}`,
      got: `a ${index.dtype} tensor ${formatNamed(index)}`,
      expected: isMask ? `a mask with one axis of size ${size}` : "indices with one axis",
      fix: "Flatten the indices first; gather() takes indices with more axes.",
    });
  }
  const compact = rowMajor(index.dtype, compactData(index), index.shape, index.axes);
  const values = Array.from(numeric(compact, `tensor.at: ${axis}`).data);
  return Int32Array.from(isMask ? values.flatMap((value, i) => (value === 0 ? [] : [i])) : checkedWhole(values, axis));
}

function checkedWhole(values: readonly number[], axis: string): readonly number[] {
  const bad = values.find((value) => !Number.isInteger(value));
  if (bad === undefined) return values;
  throw new InputError({
    where: `tensor.at: ${axis}`,
    got: `the index ${bad}`,
    expected: "whole numbers",
    fix: 'Cast with cast("int32").',
  });
}

function badIndex(view: Strided, axis: string, index: unknown): AxisError {
  return new AxisError({
    where: "tensor.at",
    got: `${String(index)} for axis "${axis}" of ${formatNamed(view)}`,
    expected: "a number, a list of numbers, { from, to, step } or a one-axis tensor",
    fix: "Leave the axis out to keep all of it.",
  });
}
