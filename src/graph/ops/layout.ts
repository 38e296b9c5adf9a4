/** Typed ops that move elements, and those that make or read shapes. */
import { GraphError } from "../../core/index.js";
import { describeShape, describeValue } from "../describe.js";
import { dimProduct, sameCount, sameShape } from "../dims.js";
import type { Dim, GraphDType, Value } from "../ir.js";
import type { Operand } from "./base.js";
import { ElementwiseOps } from "./elementwise.js";
import { reshapeDims, shapeValue, sizeValue } from "./sizes.js";

/** Stands for the end of an axis in {@link LayoutOps.slice}. */
const axisEnd = 2 ** 31 - 1;

/** Which elements {@link LayoutOps.stride} takes. */
export interface StrideRange {
  readonly start?: number;
  readonly end?: number;
  /** Distance between neighbours, not 0. */
  readonly step: number;
}

/** Layout methods. Axes count from 0, or back from -1. Abstract: use `Ops`. */
export abstract class LayoutOps extends ElementwiseOps {
  /**
   * Returns the elements of `x` in another shape.
   *
   * Symbolic sizes are copied from `x`, left to the runtime (one of them), or read from an axis of `x` or `like`.
   *
   * @param dims - The new shape; one size may be -1.
   * @throws GraphError when the sizes do not multiply to the size of `x`, or a symbol cannot be read from anywhere.
   */
  reshape(x: Value, dims: readonly Dim[], ...like: readonly Value[]): Value {
    if (!dims.includes(-1) && !sameCount(dims, x.shape)) {
      throw new GraphError({
        where: `ops.reshape(${describeValue(x)})`,
        got: `the shape ${describeShape(dims)}`,
        expected: `sizes whose product is ${dimProduct(x.shape)}`,
        fix: "Check the sizes; a symbolic size cannot be renamed.",
      });
    }
    const sources = [x, ...like];
    if (dims.includes(0))
      return this.builder.op("Reshape", [x, shapeValue(this.builder, dims, sources)], { allowzero: 1 });
    const encoded = reshapeDims(this.builder, x, dims, like);
    return this.builder.op("Reshape", [x, shapeValue(this.builder, encoded, sources)]);
  }

  /** Returns `x` with axis `i` of the result taken from axis `perm[i]`. */
  transpose(x: Value, perm: readonly number[]): Value {
    return this.apply("Transpose", x, { perm });
  }

  /** Returns `x` with its last two axes swapped. */
  swapLast(x: Value): Value {
    const axes = x.shape.map((_, axis) => axis);
    return this.transpose(x, [...axes.slice(0, -2), x.shape.length - 1, x.shape.length - 2]);
  }

  /** Returns `x` with new axes of size 1 at `axes` of the result. */
  unsqueeze(x: Value, axes: readonly number[]): Value {
    return this.builder.op("Unsqueeze", [x, this.ints(axes)]);
  }

  /** Returns `x` without `axes`, which have size 1. */
  squeeze(x: Value, axes: readonly number[]): Value {
    return this.builder.op("Squeeze", [x, this.ints(axes)]);
  }

  /** Returns `x` broadcast to `dims`; symbolic sizes are read from `x` or `like`. */
  expand(x: Value, dims: readonly Dim[], ...like: readonly Value[]): Value {
    const offset = dims.length - x.shape.length;
    const encoded = dims.map((dim, axis) => (x.shape[axis - offset] === dim ? 1 : dim));
    // The runtime's optimiser drops an Expand of one element to none.
    const emptied = x.shape.flatMap((dim, axis) => (dim === 1 && dims[axis + offset] === 0 ? [axis] : []));
    const source = emptied.reduce((value, axis) => this.slice(value, axis, 0, 0), x);
    return this.builder.op("Expand", [source, shapeValue(this.builder, encoded, [x, ...like])]);
  }

  /** Returns `x` broadcast to the shape of `other`. */
  expandLike(x: Value, other: Value): Value {
    return sameShape(x.shape, other.shape) ? x : this.expand(x, other.shape, other);
  }

  /** Returns values joined along `axis`. */
  concat(values: readonly Value[], axis: number): Value {
    return this.builder.op("Concat", values, { axis });
  }

  /**
   * Returns the elements of one axis from `start` up to `end`.
   *
   * @param start - First index; negative counts from the end. A scalar or `[1]` int64 value is allowed.
   * @param end - Index behind the last; left out, the end of the axis. Bounds are taken to lie inside the axis.
   */
  slice(x: Value, axis: number, start: Operand, end: Operand = axisEnd): Value {
    return this.builder.op("Slice", [x, this.bound(start), this.bound(end), this.ints([axis])]);
  }

  /** Returns the elements `start`, `start + step`, … of one axis, before `end`; a negative step runs backwards. */
  stride(x: Value, axis: number, range: StrideRange): Value {
    const { step } = range;
    const start = range.start ?? (step < 0 ? -1 : 0);
    const end = range.end ?? (step < 0 ? -axisEnd - 1 : axisEnd);
    const bounds = [this.bound(start), this.bound(end), this.ints([axis]), this.ints([step])];
    return this.builder.op("Slice", [x, ...bounds]);
  }

  /** Returns the parts of `x` along `axis`, of the given sizes. */
  split(x: Value, axis: number, sizes: readonly number[]): readonly Value[] {
    return this.builder.ops("Split", [x, this.ints(sizes)], { axis }, sizes.length);
  }

  /** Returns `x` repeated `repeats[i]` times along axis `i`. */
  tile(x: Value, repeats: readonly number[]): Value {
    return this.builder.op("Tile", [x, this.ints(repeats)]);
  }

  /** Returns `x` with `before[i]` and `after[i]` elements of `value` added along axis `i`; negative sizes crop. */
  pad(x: Value, before: readonly number[], after: readonly number[], value = 0): Value {
    return this.builder.op("Pad", [x, this.ints([...before, ...after]), this.scalar(value, x.dtype)]);
  }

  /** Returns the lower triangle of the last two axes (or the upper one), zero elsewhere, from diagonal `k`. */
  trilu(x: Value, options: { readonly upper?: boolean; readonly k?: number } = {}): Value {
    const { upper = false, k = 0 } = options;
    return this.builder.op("Trilu", [x, this.scalar(k, "int64")], { upper: upper ? 1 : 0 });
  }

  /** Returns the shape of `x` as an int64 value of shape `[rank]`. */
  shapeOf(x: Value): Value {
    return this.apply("Shape", x);
  }

  /**
   * Returns a shape as an int64 value of shape `[rank]`, a constant where all sizes are numbers.
   *
   * Symbolic sizes are read from the graph's inputs or, where they do not have them, from `like`.
   */
  sizes(dims: readonly Dim[], ...like: readonly Value[]): Value {
    return shapeValue(this.builder, dims, like);
  }

  /** Returns the size of one axis as a scalar int64 value; a constant where the size is a number. */
  dimOf(x: Value, axis: number): Value {
    const at = axis < 0 ? axis + x.shape.length : axis;
    const dim = x.shape[at];
    if (typeof dim === "number") return this.scalar(dim, "int64");
    if (dim !== undefined) return this.squeeze(sizeValue(this.builder, dim, [x]), [0]);
    throw new GraphError({
      where: `ops.dimOf(${describeValue(x)})`,
      got: `axis ${axis}`,
      expected: `an axis of a value of rank ${x.shape.length}`,
      fix: "Count axes from 0, or back from -1.",
    });
  }

  /** Returns the number of elements of `x` as a scalar int64 value. */
  sizeOf(x: Value): Value {
    return this.apply("Size", x);
  }

  /** Returns `start`, `start + delta`, … before `limit`; all numbers makes int64. */
  range(start: Operand, limit: Operand, delta: Operand = 1): Value {
    const numbers = [start, limit, delta].every((operand) => typeof operand === "number");
    const operands = numbers ? [this.scalar(Number(start), "int64"), limit, delta] : [start, limit, delta];
    return this.combine("Range", operands);
  }

  /** Returns a value of shape `dims` filled with a number; symbolic sizes are read from `like`. */
  full(dims: readonly Dim[], value: number, dtype: GraphDType, ...like: readonly Value[]): Value {
    return this.expand(this.scalar(value, dtype), dims, ...like);
  }

  /** Returns a value filled with a number whose shape is the contents of an int64 value. */
  constantOfShape(shape: Value, value: number, dtype: GraphDType): Value {
    return this.builder.op("ConstantOfShape", [shape], { value, dtype });
  }

  /** Returns a value of the shape and element type of `x` filled with a number. */
  fullLike(x: Value, value: number): Value {
    const symbolic = x.shape.some((dim) => typeof dim === "string");
    if (!symbolic) return this.full(x.shape, value, x.dtype);
    return this.builder.op("Expand", [this.scalar(value, x.dtype), this.shapeOf(x)]);
  }

  /** Returns zeros of the shape and element type of `x`. */
  zerosLike(x: Value): Value {
    return this.fullLike(x, 0);
  }

  /** Returns ones of the shape and element type of `x`. */
  onesLike(x: Value): Value {
    return this.fullLike(x, 1);
  }

  /** Returns 1 at each index and 0 elsewhere, on a new axis of size `depth` (the last one). */
  oneHot(indices: Value, depth: number, dtype: GraphDType = "float32", axis = -1): Value {
    const values = this.builder.constant([0, 1], dtype === "float32" ? "float32" : "int64");
    const hot = this.builder.op("OneHot", [this.cast(indices, "int64"), this.scalar(depth, "int64"), values], { axis });
    return this.cast(hot, dtype);
  }

  /**
   * Returns `values` after a JavaScript function of the user's has seen or replaced them.
   *
   * The graph is cut here when it runs; the function is found by `id`. Shapes and element types stay.
   */
  callback(id: string, values: readonly Value[]): readonly Value[] {
    return this.builder.ops("Callback", values, { id }, values.length);
  }

  /** Returns a slice bound as an int64 value of shape `[1]`. */
  protected bound(operand: Operand): Value {
    if (typeof operand === "number") return this.ints([operand]);
    return operand.shape.length === 0 ? this.unsqueeze(operand, [0]) : operand;
  }
}
