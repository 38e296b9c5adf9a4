/** What every tensor holds, and how results become tensors. */

import { sizeOf } from "./axes.js";
import type { BroadcastAxes } from "./axis-types.js";
import { type Axes, type ShapeOf } from "./axis-types.js";
import type { DataOf, DType, FloatOf, Promote } from "./dtype.js";
import { compactData, type Strided } from "./strided.js";
import type { Tensor } from "./tensor.js";

/** A tensor or a plain number. */
export type TensorOperand = Tensor | number;

/** The dtype of `t + other`; whole numbers keep integers, fractions turn them into float64. */
export type OperandDType<D extends DType, O> = O extends number
  ? D extends "float32" | "float16" | "bfloat16" | "float64"
    ? FloatOf<D>
    : Promote<D, D> | "float64"
  : O extends { readonly dtype: infer E extends DType }
    ? Promote<D, E>
    : never;

/** The dtype of `t / other`. */
export type QuotientDType<D extends DType, O> = FloatOf<OperandDType<D, O>>;

/** The axes of `t + other`. */
export type OperandAxes<A extends Axes, O> = O extends number
  ? A
  : O extends { readonly axes: infer B extends Axes }
    ? BroadcastAxes<A, B>
    : never;

/** Shared fields of tensors. The methods are in the classes below it: elementwise, reductions, then `Tensor`. */
export abstract class TensorCore<D extends DType = DType, A extends Axes = Axes> {
  /** Element type. */
  readonly dtype: D;
  /** Axis names, outermost first. */
  readonly axes: A;
  /** One size per axis. */
  readonly shape: ShapeOf<A>;
  /** Number of elements. */
  readonly size: number;
  /** Number of axes. */
  readonly rank: number;
  /** The view under this tensor, for limpid's own functions; read `data` instead. */
  readonly strided: Strided<D>;
  private compact: DataOf[D] | undefined;

  /** Wraps a view without copying. Use `Tensor.of`, `tensor` or `zeros`. */
  protected constructor(strided: Strided<D>) {
    this.strided = strided;
    this.dtype = strided.dtype;
    // The only place where names known at run time are trusted to be those in the type.
    this.axes = Object.freeze([...strided.axes]) as unknown as A;
    this.shape = Object.freeze([...strided.shape]) as unknown as ShapeOf<A>;
    this.size = sizeOf(strided.shape);
    this.rank = strided.shape.length;
  }

  /**
   * The elements in row-major order.
   *
   * Contiguous tensors share memory with their views; a strided view is copied once, on the first reading. Tensors are
   * immutable: never write to this array.
   */
  get data(): DataOf[D] {
    this.compact ??= compactData(this.strided);
    return this.compact;
  }

  /** Wraps the result of a function over views; `E` and `B` state what that function guarantees. */
  protected abstract derive<E extends DType, B extends Axes>(strided: Strided): Tensor<E, B>;
}

/** Returns the view under an operand. */
export function viewOf(operand: TensorOperand): Strided | number {
  return typeof operand === "number" ? operand : operand.strided;
}
