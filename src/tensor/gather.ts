/** Picking along an axis by a tensor of indices. */
import { DTypeError, ShapeError } from "../core/index.js";
import { axisPosition, formatNamed, sizeOf } from "./axes.js";
import { align, alignedStrides } from "./broadcast.js";
import { allocate, dtypes } from "./dtype.js";
import { numeric, rowMajor, type Strided } from "./strided.js";
import { walk } from "./walk.js";

/**
 * Returns the elements of `view` at `index` along `axis`.
 *
 * The axis is replaced by those axes of `index` that `view` lacks; axes that both have are matched, one with one. So
 * `W_E.gather("dVocab", tokens)` is `[batch, pos, dModel]`, and `logProbs.gather("dVocab", tokens)` is `[batch, pos]`.
 * When `index` itself has `axis`, it stays, with the size that it has there. Negative indices are errors.
 */
export function gather(view: Strided, axis: string, index: Strided): Strided {
  const where = "tensor.gather";
  const position = axisPosition(view, axis, where);
  const size = view.shape[position] ?? 0;
  const step = view.strides[position] ?? 0;
  const source = withoutAxis(view, position);
  const ids = checkedIndices(index, size, { axis, view });
  const axes = resultAxes(view, position, index);
  const alignment = { axes, shape: axes.map((name) => sizeAmong(name, [source, ids], where)) };
  const operands = [alignedStrides(source, alignment), alignedStrides(ids, alignment)];
  const out = allocate(view.dtype, sizeOf(alignment.shape));
  const [target, data] = [out as Float64Array, view.data as Float64Array];
  let done = 0;
  walk(alignment.shape, operands, ([i = 0, j = 0], length, [di = 0, dj = 0]) => {
    for (let k = 0; k < length; k++) {
      target[done++] = data[i + k * di + (ids.data[j + k * dj] as number) * step] as number;
    }
  });
  return rowMajor(view.dtype, out, alignment.shape, alignment.axes);
}

/** Returns a view without the axis at `position`, at its index 0. */
function withoutAxis(view: Strided, position: number): Strided {
  const others = <T>(items: readonly T[]): T[] => items.filter((_, i) => i !== position);
  return { ...view, axes: others(view.axes), shape: others(view.shape), strides: others(view.strides) };
}

function resultAxes(view: Strided, position: number, index: Strided): readonly string[] {
  const axis = view.axes[position];
  const added = index.axes.filter((name) => name === axis || !view.axes.includes(name));
  return [...view.axes.slice(0, position), ...added, ...view.axes.slice(position + 1)];
}

function sizeAmong(name: string, operands: readonly Pick<Strided, "axes" | "shape">[], where: string): number {
  const alignment = align(operands, where);
  return alignment.shape[alignment.axes.indexOf(name)] ?? 1;
}

function checkedIndices(
  index: Strided,
  size: number,
  target: { axis: string; view: Strided },
): ReturnType<typeof numeric> {
  if (dtypes[index.dtype].isFloat || index.dtype === "bool") {
    throw new DTypeError({
      where: "tensor.gather: index",
      got: `${index.dtype} ${formatNamed(index)}`,
      expected: "int32, int64 or uint8 indices",
      fix: 'Cast with cast("int32"), or use where() for a mask.',
    });
  }
  const ids = numeric(index, "tensor.gather: index");
  walk(ids.shape, [ids], ([start = 0], length, [stride = 0]) => {
    for (let k = 0; k < length; k++) {
      const id = ids.data[start + k * stride] as number;
      if (id < 0 || id >= size) throw outOfRange(id, target);
    }
  });
  return ids;
}

function outOfRange(id: number, target: { axis: string; view: Strided }): ShapeError {
  const { axis, view } = target;
  const size = view.shape[view.axes.indexOf(axis)] ?? 0;
  return new ShapeError({
    where: "tensor.gather: index",
    got: `index ${id} for axis "${axis}" of ${formatNamed(view)}`,
    expected: size > 0 ? `indices from 0 to ${size - 1}` : "no index at all: the axis is empty",
    fix: "Check the indices; negative ones are not counted from the end here, because they often mean padding.",
  });
}
