/** The tensor: named axes over a typed array, immutable to callers. */
import { InputError, printsItself } from "../core/index.js";
import { axisPosition, checkedAxes, checkShape, formatNamed, sizeOf } from "./axes.js";
import type { Axes, Drop, MatmulAxes, OnlyAxes, Renamed, Selected } from "./axis-types.js";
import { cast } from "./cast.js";
import { allclose, type CloseOptions, equals, maxAbsDiff } from "./compare.js";
import { matmul } from "./contract.js";
import { type DataOf, type DType, type DTypeOfData, dtypeOfData, type Promote, type TensorData } from "./dtype.js";
import { gather } from "./gather.js";
import { type AxisSlice, at, type ViewIndex } from "./index-view.js";
import { repeatInterleave, split } from "./join.js";
import { type NestedNumbers, nest } from "./nested.js";
import { print } from "./print.js";
import { flatten, flip, insertAxis, rename, reshape, squeeze, transpose, unflatten } from "./reshape.js";
import { copiedData, isRowMajor, rowMajor, type Strided } from "./strided.js";
import { dataLengthError } from "./tensor-errors.js";
import { ReducingTensor } from "./tensor-reduce.js";

/** What one axis can be indexed by: a position, a slice, a list of positions, or a one-axis tensor or mask. */
export type AxisIndex = number | AxisSlice | readonly number[] | Int32Array | Tensor;

/** Options of `insertAxis`. */
export interface InsertAxisOptions {
  /** Place among the axes; 0 (default) is outermost, -1 innermost. */
  readonly position?: number;
  /** How often the elements repeat along it. Default 1. */
  readonly size?: number;
}

/**
 * An array of numbers with named axes.
 *
 * Operations work by axis name, never by place. Views (`at` with numbers and slices, `transpose`, `rename`, `split`,
 * `flip`, `expand`) share memory; everything else copies. Nothing changes a tensor in place.
 *
 * @typeParam D - Element type, such as `"float32"`.
 * @typeParam A - Axis names, where known: `readonly ["batch", "pos"]`.
 */
export class Tensor<D extends DType = DType, A extends Axes = Axes> extends ReducingTensor<D, A> {
  /**
   * Wraps a typed array without copying; the caller must not write to it afterwards.
   *
   * @param data - Elements in row-major order; their type gives the dtype.
   * @param shape - One size per axis; their product is the number of elements.
   * @param axes - One name per axis; `d0, d1, …` when absent.
   * @param dtype - Needed for `"bool"`, `"float16"` and `"bfloat16"`.
   */
  static of<T extends TensorData, B extends Axes = Axes>(
    data: T,
    shape: readonly number[],
    axes?: readonly [...B],
  ): Tensor<DTypeOfData<T>, B>;
  /** Wraps a typed array as the dtype named, which must be one that the array can hold. */
  static of<E extends DType, B extends Axes = Axes>(
    data: DataOf[E],
    shape: readonly number[],
    axes: readonly [...B] | undefined,
    dtype: E,
  ): Tensor<E, B>;
  /**
   *
   */
  static of(data: TensorData, shape: readonly number[], axes?: readonly string[], dtype?: DType): Tensor {
    const where = "Tensor.of";
    const elementType = dtypeOfData(data, dtype, where);
    checkShape(shape, where);
    const names = checkedAxes(axes, shape.length, where);
    if (sizeOf(shape) !== data.length) throw dataLengthError(data.length, { shape, axes: names });
    return new Tensor(rowMajor(elementType, data, [...shape], names));
  }

  /** Wraps the result of a function over views; limpid's own door. */
  static fromStrided<E extends DType, B extends Axes>(strided: Strided): Tensor<E, B> {
    // The function that made the view guarantees E; `derive` callers state it beside the function they call.
    return new Tensor<E, B>(strided as Strided<E>);
  }

  /** Returns the part selected per axis: a number drops its axis; lists and masks copy; the rest is a view. */
  at<const S extends { readonly [K in A[number]]?: AxisIndex }>(
    selector: S & OnlyAxes<A, keyof S>,
  ): Tensor<D, Selected<A, S>> {
    const views: Record<string, ViewIndex | undefined> = {};
    for (const [axis, index] of Object.entries<AxisIndex | undefined>(selector)) {
      views[axis] = index instanceof Tensor ? index.strided : index;
    }
    return this.derive(at(this.strided, views));
  }

  /** Returns the tensors at each position of `axis`, as views without it. */
  unbind<X extends A[number]>(axis: X): Tensor<D, Drop<A, X>>[] {
    return this.split(axis, Math.max(1, this.sizeOf(axis)))
      .filter((part) => part.sizeOf(axis) > 0)
      .map((part) => this.derive(squeeze(part.strided, axis)));
  }

  /** Returns the size of `axis`. */
  sizeOf(axis: A[number]): number {
    return this.strided.shape[axisPosition(this.strided, axis, "tensor.sizeOf")] ?? 0;
  }

  /**
   * Returns the elements at `index` along `axis`.
   *
   * The axis gives way to those axes of `index` that this tensor lacks; axes of both are matched by name:
   * `logProbs.gather("dVocab", tokens)` with tokens `[batch, pos]` is `[batch, pos]`. Negative indices are errors.
   */
  gather(axis: A[number], index: Tensor): Tensor<D> {
    return this.derive(gather(this.strided, axis, index.strided));
  }

  /** Returns the sum of products over `axis`, batched over other shared axes: left axes, then the right's new ones. */
  matmul<E extends DType, B extends Axes, X extends A[number] & B[number]>(
    other: Tensor<E, B>,
    axis: X | readonly X[],
  ): Tensor<Promote<D, E>, MatmulAxes<A, B, X>> {
    return this.derive(matmul(this.strided, other.strided, axis));
  }

  /** Returns the tensor with its axes in another order, a view. */
  transpose<B extends readonly A[number][]>(axes: readonly [...B]): Tensor<D, B> {
    return this.derive(transpose(this.strided, axes));
  }

  /** Returns the tensor under other axis names, a view. */
  rename<const N extends { readonly [K in A[number]]?: string }>(names: N): Tensor<D, Renamed<A, N>> {
    return this.derive(rename(this.strided, { ...names }));
  }

  /** Returns the elements in row-major order under another shape; one size may be -1. */
  reshape<B extends Axes = Axes>(shape: readonly number[], axes?: readonly [...B]): Tensor<D, B> {
    return this.derive(reshape(this.strided, shape, axes));
  }

  /** Returns the tensor with `axes` joined to one, in the order named, at the place of the first. */
  flatten(axes: readonly A[number][], name: string): Tensor<D> {
    return this.derive(flatten(this.strided, axes, name));
  }

  /** Returns the tensor with one axis split in several, such as `{ head: 12, dHead: -1 }`; a view. */
  unflatten(axis: A[number], sizes: Readonly<Record<string, number>>): Tensor<D> {
    return this.derive(unflatten(this.strided, axis, sizes));
  }

  /** Returns the tensor with a new axis along which it repeats, a view. */
  insertAxis(name: string, options: InsertAxisOptions = {}): Tensor<D> {
    return this.derive(insertAxis(this.strided, name, options.position ?? 0, options.size ?? 1));
  }

  /** Returns the tensor without the named axes of size 1, or without all such axes; a view. */
  squeeze(axis?: A[number] | readonly A[number][]): Tensor<D> {
    return this.derive(squeeze(this.strided, axis));
  }

  /** Returns the tensor with `axis` in reverse order, a view. */
  flip(axis: A[number]): Tensor<D, A> {
    return this.derive(flip(this.strided, axis));
  }

  /** Returns consecutive pieces of `axis` as views: their lengths, or how many equal ones. */
  split(axis: A[number], sizes: number | readonly number[]): Tensor<D, A>[] {
    return split(this.strided, axis, sizes).map((part) => this.derive(part));
  }

  /** Returns a copy with each position of `axis` repeated `times` times in a row. */
  repeatInterleave(axis: A[number], times: number): Tensor<D, A> {
    return this.derive(repeatInterleave(this.strided, axis, times));
  }

  /** Returns the tensor in another dtype: rounded for floats, cut towards zero and range-checked for integers. */
  cast<E extends DType>(dtype: E): Tensor<E, A> {
    return this.derive(cast(this.strided, dtype));
  }

  /** Returns a copy that shares no memory. */
  clone(): Tensor<D, A> {
    return this.derive(rowMajor<DType>(this.dtype, copiedData<DType>(this.strided), this.shape, this.axes));
  }

  /** Returns this tensor if its elements lie row-major without gaps, else a compact copy. */
  contiguous(): Tensor<D, A> {
    return isRowMajor(this.strided) ? this : this.clone();
  }

  /** Tells whether dtype, axes, sizes and all elements are the same; NaN equals NaN. */
  equals(other: Tensor): boolean {
    return equals(this.strided, other.strided);
  }

  /** Tells whether |this - other| <= atol + rtol |other| everywhere; the same axes and sizes are required. */
  allclose(other: Tensor, options?: CloseOptions): boolean {
    return allclose(this.strided, other.strided, options);
  }

  /** Returns the largest |this - other|; NaN when only one of two elements is NaN. */
  maxAbsDiff(other: Tensor): number {
    return maxAbsDiff(this.strided, other.strided);
  }

  /** Returns nested lists of numbers; bools are 0 and 1. */
  toArray(): NestedNumbers {
    return nest(this.strided);
  }

  /** Returns the only element as a number. */
  item(): number {
    const nested = this.size === 1 ? nest(reshape(this.strided, [], [])) : undefined;
    if (typeof nested === "number") return nested;
    throw new InputError({
      where: "tensor.item",
      got: `${this.size} elements, ${formatNamed(this.strided)}`,
      expected: "exactly one element",
      fix: "Select one with at(), or use toArray().",
    });
  }

  /** Returns one to ten lines: dtype, axes with sizes, some values, mean, least and greatest. */
  override toString(): string {
    return print(this.strided);
  }

  static {
    printsItself(Tensor.prototype);
  }

  protected override derive<E extends DType, B extends Axes>(strided: Strided): Tensor<E, B> {
    return Tensor.fromStrided(strided);
  }
}
