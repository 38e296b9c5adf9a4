/** Joining and cutting: concat, stack, split and repeats. Axes of several operands are matched by name. */
import { DTypeError, InputError, ShapeError } from "../core/index.js";
import { axisPosition, checkDistinct, formatNamed, sizeOf } from "./axes.js";
import { allocate, type DType } from "./dtype.js";
import { slice } from "./index-view.js";
import { insertAxis, transpose } from "./reshape.js";
import { copyInto, rowMajor, type Strided } from "./strided.js";

/** Returns the operands one after the other along `axis`; the other axes must agree in name and size. */
export function concat(views: readonly Strided[], axis: string): Strided {
  const where = "concat";
  const first = firstOf(views, where);
  const position = axisPosition(first, axis, where);
  const matched = views.map((view) => matchedTo(first, view, { views, where, except: position }));
  const total = matched.reduce((size, view) => size + (view.shape[position] ?? 0), 0);
  const shape = first.shape.with(position, total);
  const target = rowMajor<DType>(first.dtype, allocate(first.dtype, sizeOf(shape)), shape, first.axes);
  let from = 0;
  for (const view of matched) {
    const length = view.shape[position] ?? 0;
    copyInto(slice(target, position, { from, length, step: 1 }), view);
    from += length;
  }
  return target;
}

/** Returns operands of equal axes and sizes side by side along a new axis at `position`. */
export function stack(views: readonly Strided[], axis: string, position: number): Strided {
  const where = "stack";
  const first = firstOf(views, where);
  checkDistinct([...first.axes, axis], where);
  const matched = views.map((view) => matchedTo(first, view, { views, where, except: -1 }));
  return concat(
    matched.map((view) => insertAxis(view, axis, position, 1)),
    axis,
  );
}

function firstOf(views: readonly Strided[], where: string): Strided {
  const first = views[0];
  if (first !== undefined) return first;
  throw new InputError({
    where,
    got: "an empty list",
    expected: "one or more tensors",
    fix: "Check the list; zeros() makes an empty tensor of a known shape.",
  });
}

interface MatchContext {
  readonly views: readonly Strided[];
  readonly where: string;
  /** The position whose size may differ. */
  readonly except: number;
}

function matchedTo(first: Strided, view: Strided, context: MatchContext): Strided {
  const { views, where, except } = context;
  const list = views.slice(0, 8).map((each) => `${each.dtype} ${formatNamed(each)}`);
  const got = `${list.join(", ")}${views.length > 8 ? ` and ${views.length - 8} more` : ""}`;
  if (view.dtype !== first.dtype) {
    throw new DTypeError({ where, got, expected: "one dtype", fix: "Cast the others with cast()." });
  }
  const hasAll = view.axes.length === first.axes.length && first.axes.every((axis) => view.axes.includes(axis));
  const ordered = hasAll ? transpose(view, first.axes) : view;
  if (hasAll && ordered.shape.every((size, i) => i === except || size === first.shape[i])) return ordered;
  const expected =
    except < 0 ? "equal axes and sizes" : `equal axes, and equal sizes but along "${first.axes[except]}"`;
  throw new ShapeError({ where, got, expected, fix: "Rename axes, or select so that the sizes agree." });
}

/** Returns consecutive pieces of an axis as views: `sizes` lists their lengths, or is their number. */
export function split(view: Strided, axis: string, sizes: number | readonly number[]): Strided[] {
  const position = axisPosition(view, axis, "tensor.split");
  const total = view.shape[position] ?? 0;
  const lengths = typeof sizes === "number" ? equalParts(total, sizes) : sizes;
  const isWhole = lengths.every((length) => Number.isInteger(length) && length >= 0);
  if (!isWhole || lengths.reduce((sum, length) => sum + length, 0) !== total) {
    throw new ShapeError({
      where: "tensor.split",
      got: `${JSON.stringify(sizes)} for axis "${axis}" of ${formatNamed(view)}`,
      expected: `lengths that sum to ${total}, or a number of parts that divides it`,
      fix: "List the lengths to cut unequal pieces.",
    });
  }
  let next = 0;
  return lengths.map((length) => {
    const from = next;
    next += length;
    return slice(view, position, { from, length, step: 1 });
  });
}

function equalParts(total: number, count: number): readonly number[] {
  const isUsable = Number.isInteger(count) && count > 0;
  return isUsable ? new Array<number>(count).fill(total / count) : [Number.NaN];
}

/** Returns a copy in which each position of `axis` comes `times` times in a row. */
export function repeatInterleave(view: Strided, axis: string, times: number): Strided {
  const where = "tensor.repeatInterleave";
  const position = axisPosition(view, axis, where);
  if (!Number.isSafeInteger(times) || times < 0) {
    throw new InputError({
      where: `${where}: times`,
      got: String(times),
      expected: "a whole number, zero or more",
      fix: "Check how it was computed.",
    });
  }
  const size = view.shape[position] ?? 0;
  const shape = view.shape.with(position, size * times);
  const target = rowMajor<DType>(view.dtype, allocate(view.dtype, sizeOf(shape)), shape, view.axes);
  for (let k = 0; k < times && size > 0; k++) {
    const strides = target.strides.with(position, (target.strides[position] ?? 0) * times);
    const offset = k * (target.strides[position] ?? 0);
    copyInto({ ...target, shape: view.shape, strides, offset }, view);
  }
  return target;
}
