/** Shape operations: most are views that share memory; joining axes copies where memory demands it. */
import { AxisError, formatList, formatShape, InputError, ShapeError } from "../core/index.js";
import { axisPosition, axisPositions, checkDistinct, checkedAxes, checkShape, formatNamed, sizeOf } from "./axes.js";
import type { DType } from "./dtype.js";
import { compactData, rowMajor, type Strided } from "./strided.js";

/** Returns the view with axes in the given order; every axis must be named once. */
export function transpose<D extends DType>(view: Strided<D>, axes: readonly string[]): Strided<D> {
  const positions = axisPositions(view, axes, "tensor.transpose");
  if (positions.length === view.axes.length) return permute(view, positions);
  throw new AxisError({
    where: "tensor.transpose",
    got: `the axes ${formatList(axes)} for ${formatNamed(view)}`,
    expected: "every axis once",
    fix: `Add ${formatList(view.axes.filter((axis) => !axes.includes(axis)))}.`,
  });
}

/** Returns the view with the axes at `positions`, in that order. */
export function permute<D extends DType>(view: Strided<D>, positions: readonly number[]): Strided<D> {
  return {
    ...view,
    axes: positions.map((i) => view.axes[i] ?? ""),
    shape: positions.map((i) => view.shape[i] ?? 1),
    strides: positions.map((i) => view.strides[i] ?? 0),
  };
}

/** Returns the view under other axis names; names that are not mentioned stay. */
export function rename(view: Strided, names: Readonly<Record<string, string | undefined>>): Strided {
  for (const axis of Object.keys(names)) axisPosition(view, axis, "tensor.rename");
  const axes = view.axes.map((axis) => names[axis] ?? axis);
  checkDistinct(axes, "tensor.rename");
  return { ...view, axes };
}

/** Returns the elements in row-major order under another shape; one size may be -1. */
export function reshape(view: Strided, shape: readonly number[], axes: readonly string[] | undefined): Strided {
  const sizes = inferredShape(view, shape);
  return rowMajor(view.dtype, compactData(view), sizes, checkedAxes(axes, sizes.length, "tensor.reshape"));
}

function inferredShape(view: Strided, shape: readonly number[]): readonly number[] {
  const total = sizeOf(view.shape);
  const known = sizeOf(shape.filter((size) => size !== -1));
  const sizes = shape.map((size) => (size === -1 ? total / known : size));
  const isUnique = shape.filter((size) => size === -1).length <= 1;
  if (isUnique && sizes.every((size) => Number.isInteger(size) && size >= 0) && sizeOf(sizes) === total) return sizes;
  throw new ShapeError({
    where: "tensor.reshape",
    got: `the shape ${formatShape(shape)} for ${formatNamed(view)}`,
    expected: `sizes whose product is ${total}, at most one of them -1`,
    fix: "Check the sizes; flatten() and unflatten() join and split axes by name.",
  });
}

/** Returns the view with `axes` joined to one axis at the place of the first named one, in the order named. */
export function flatten(view: Strided, axes: readonly string[], name: string): Strided {
  const positions = axisPositions(view, axes, "tensor.flatten");
  const first = positions[0];
  if (first === undefined) throw nothingToFlatten(view);
  const before = view.axes.map((_, i) => i).filter((i) => i < first && !positions.includes(i));
  const after = view.axes.map((_, i) => i).filter((i) => i > first && !positions.includes(i));
  const ordered = permute(view, [...before, ...positions, ...after]);
  const joined = sizeOf(positions.map((i) => view.shape[i] ?? 1));
  const sizesOf = (kept: readonly number[]): number[] => kept.map((i) => view.shape[i] ?? 1);
  const namesOf = (kept: readonly number[]): string[] => kept.map((i) => view.axes[i] ?? "");
  const names = [...namesOf(before), name, ...namesOf(after)];
  checkDistinct(names, "tensor.flatten");
  return rowMajor(view.dtype, compactData(ordered), [...sizesOf(before), joined, ...sizesOf(after)], names);
}

function nothingToFlatten(view: Strided): AxisError {
  return new AxisError({
    where: "tensor.flatten",
    got: "no axes",
    expected: `one or more axes of ${formatNamed(view)}`,
    fix: "Name the axes to join; insertAxis() adds an axis of size 1.",
  });
}

/** Returns the view with one axis split into several, given by name and size in order; one size may be -1. */
export function unflatten(view: Strided, axis: string, sizes: Readonly<Record<string, number>>): Strided {
  const where = "tensor.unflatten";
  const position = axisPosition(view, axis, where);
  const total = view.shape[position] ?? 1;
  const known = sizeOf(Object.values(sizes).filter((size) => size !== -1));
  const parts = Object.values(sizes).map((size) => (size === -1 ? total / known : size));
  if (parts.some((size) => !Number.isInteger(size) || size < 0) || sizeOf(parts) !== total) {
    throw new ShapeError({
      where,
      got: `${JSON.stringify(sizes)} for axis "${axis}" of ${formatNamed(view)}`,
      expected: `sizes whose product is ${total}, at most one of them -1`,
      fix: "Check the sizes.",
    });
  }
  const stride = view.strides[position] ?? 0;
  const strides = parts.map((_, i) => stride * sizeOf(parts.slice(i + 1)));
  const axes = view.axes.toSpliced(position, 1, ...Object.keys(sizes));
  checkDistinct(axes, where);
  return {
    ...view,
    axes,
    shape: view.shape.toSpliced(position, 1, ...parts),
    strides: view.strides.toSpliced(position, 1, ...strides),
  };
}

/** Returns the view with a new axis of `size` repeats (stride 0) at `position` (negative counts from the end). */
export function insertAxis(view: Strided, name: string, position: number, size: number): Strided {
  const where = "tensor.insertAxis";
  checkShape([size], where);
  const place = position < 0 ? position + view.axes.length + 1 : position;
  if (!Number.isInteger(place) || place < 0 || place > view.axes.length) {
    throw new InputError({
      where: `${where}: position`,
      got: `${position} for ${formatNamed(view)}`,
      expected: `a whole number from ${-view.axes.length - 1} to ${view.axes.length}`,
      fix: "Use 0 for the outermost place or -1 for the innermost.",
    });
  }
  const axes = view.axes.toSpliced(place, 0, name);
  checkDistinct(axes, where);
  return { ...view, axes, shape: view.shape.toSpliced(place, 0, size), strides: view.strides.toSpliced(place, 0, 0) };
}

/** Returns the view without the named axes, which must have size 1; without all such axes when none is named. */
export function squeeze(view: Strided, axis: string | readonly string[] | undefined): Strided {
  const isSingle = (i: number): boolean => view.shape[i] === 1;
  const all = view.axes.map((_, i) => i);
  const dropped = axis === undefined ? all.filter(isSingle) : axisPositions(view, axis, "tensor.squeeze");
  const tooLarge = dropped.find((i) => !isSingle(i));
  if (tooLarge !== undefined) {
    throw new ShapeError({
      where: "tensor.squeeze",
      got: `axis "${view.axes[tooLarge]}" of ${formatNamed(view)}`,
      expected: "an axis of size 1",
      fix: "Select one position with at(), or reduce the axis.",
    });
  }
  return permute(
    view,
    all.filter((i) => !dropped.includes(i)),
  );
}

/** Returns the view with an axis in reverse order. */
export function flip(view: Strided, axis: string): Strided {
  const position = axisPosition(view, axis, "tensor.flip");
  const [size, stride] = [view.shape[position] ?? 0, view.strides[position] ?? 0];
  const strides = view.strides.with(position, -stride);
  return { ...view, strides, offset: view.offset + (size === 0 ? 0 : (size - 1) * stride) };
}
