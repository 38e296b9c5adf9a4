/** The elementwise methods of tensors. */
import type { Axes } from "./axis-types.js";
import type { DType, FloatOf, Promote } from "./dtype.js";
import { floatOf } from "./dtype.js";
import { type BinaryOp, binary, mapUnary, select, type UnaryOp, unary } from "./elementwise.js";
import type { Tensor } from "./tensor.js";
import {
  type OperandAxes,
  type OperandDType,
  type QuotientDType,
  TensorCore,
  type TensorOperand,
  viewOf,
} from "./tensor-core.js";

/**
 * Elementwise methods.
 *
 * Operands are aligned by axis name: an axis that one lacks, or has with size 1, is repeated. The result's order of
 * axes is that of the operand that has them all, else the left operand's followed by the right operand's new ones.
 * Results are float64 if either operand is, else float32 if either is a float, else int32 (int64 with int64); a plain
 * number never widens a float, and a fraction turns integers into float64. Integer overflow is an error.
 */
export abstract class ElementwiseTensor<D extends DType = DType, A extends Axes = Axes> extends TensorCore<D, A> {
  /** Returns `this + other`. */
  add<O extends TensorOperand>(other: O): Tensor<OperandDType<D, O>, OperandAxes<A, O>> {
    return this.binary("add", other);
  }
  /** Returns `this - other`. */
  sub<O extends TensorOperand>(other: O): Tensor<OperandDType<D, O>, OperandAxes<A, O>> {
    return this.binary("sub", other);
  }
  /** Returns `this * other`, element by element. */
  mul<O extends TensorOperand>(other: O): Tensor<OperandDType<D, O>, OperandAxes<A, O>> {
    return this.binary("mul", other);
  }
  /** Returns `this / other`; integers are divided as float64. */
  div<O extends TensorOperand>(other: O): Tensor<QuotientDType<D, O>, OperandAxes<A, O>> {
    return this.binary("div", other);
  }
  /** Returns `this ** other`, floating. */
  pow<O extends TensorOperand>(other: O): Tensor<QuotientDType<D, O>, OperandAxes<A, O>> {
    return this.binary("pow", other);
  }
  /** Returns the greater of both; NaN when either is. */
  maximum<O extends TensorOperand>(other: O): Tensor<OperandDType<D, O>, OperandAxes<A, O>> {
    return this.binary("maximum", other);
  }
  /** Returns the lesser of both; NaN when either is. */
  minimum<O extends TensorOperand>(other: O): Tensor<OperandDType<D, O>, OperandAxes<A, O>> {
    return this.binary("minimum", other);
  }
  /** Returns `this === other`; NaN equals nothing. */
  eq<O extends TensorOperand>(other: O): Tensor<"bool", OperandAxes<A, O>> {
    return this.binary("eq", other);
  }
  /** Returns `this !== other`. */
  ne<O extends TensorOperand>(other: O): Tensor<"bool", OperandAxes<A, O>> {
    return this.binary("ne", other);
  }
  /** Returns `this < other`. */
  lt<O extends TensorOperand>(other: O): Tensor<"bool", OperandAxes<A, O>> {
    return this.binary("lt", other);
  }
  /** Returns `this <= other`. */
  le<O extends TensorOperand>(other: O): Tensor<"bool", OperandAxes<A, O>> {
    return this.binary("le", other);
  }
  /** Returns `this > other`. */
  gt<O extends TensorOperand>(other: O): Tensor<"bool", OperandAxes<A, O>> {
    return this.binary("gt", other);
  }
  /** Returns `this >= other`. */
  ge<O extends TensorOperand>(other: O): Tensor<"bool", OperandAxes<A, O>> {
    return this.binary("ge", other);
  }
  /** Returns whether both are not zero. */
  and<O extends TensorOperand>(other: O): Tensor<"bool", OperandAxes<A, O>> {
    return this.binary("and", other);
  }
  /** Returns whether either is not zero. */
  or<O extends TensorOperand>(other: O): Tensor<"bool", OperandAxes<A, O>> {
    return this.binary("or", other);
  }
  /** Returns whether the element is zero. */
  not(): Tensor<"bool", A> {
    return this.unary("not");
  }
  /** Returns this where `condition` is not zero, and `otherwise` elsewhere; all three broadcast. */
  where<O extends TensorOperand>(condition: Tensor, otherwise: O): Tensor<OperandDType<D, O> | (D & "bool")> {
    return this.derive(select(condition.strided, this.strided, viewOf(otherwise)));
  }

  /** Returns `-this`. */
  neg(): Tensor<Promote<D, D>, A> {
    return this.unary("neg");
  }
  /** Returns the absolute value. */
  abs(): Tensor<Promote<D, D>, A> {
    return this.unary("abs");
  }
  /** Returns -1, 0 or 1. */
  sign(): Tensor<Promote<D, D>, A> {
    return this.unary("sign");
  }
  /** Returns max(this, 0). */
  relu(): Tensor<Promote<D, D>, A> {
    return this.unary("relu");
  }
  /** Returns `this * this`. */
  square(): Tensor<Promote<D, D>, A> {
    return this.unary("square");
  }
  /** Returns the greatest integer not above. */
  floor(): Tensor<Promote<D, D>, A> {
    return this.unary("floor");
  }
  /** Returns the least integer not below. */
  ceil(): Tensor<Promote<D, D>, A> {
    return this.unary("ceil");
  }
  /** Returns the nearest integer, ties to even. */
  round(): Tensor<Promote<D, D>, A> {
    return this.unary("round");
  }
  /** Returns e to the power of this. */
  exp(): Tensor<FloatOf<D>, A> {
    return this.unary("exp");
  }
  /** Returns the natural logarithm; -Infinity at 0, NaN below. */
  log(): Tensor<FloatOf<D>, A> {
    return this.unary("log");
  }
  /** Returns the square root; NaN below 0. */
  sqrt(): Tensor<FloatOf<D>, A> {
    return this.unary("sqrt");
  }
  /** Returns the sine of radians. */
  sin(): Tensor<FloatOf<D>, A> {
    return this.unary("sin");
  }
  /** Returns the cosine of radians. */
  cos(): Tensor<FloatOf<D>, A> {
    return this.unary("cos");
  }
  /** Returns the hyperbolic tangent. */
  tanh(): Tensor<FloatOf<D>, A> {
    return this.unary("tanh");
  }
  /** Returns 1 / (1 + exp(-this)). */
  sigmoid(): Tensor<FloatOf<D>, A> {
    return this.unary("sigmoid");
  }
  /** Returns 1 / this. */
  reciprocal(): Tensor<FloatOf<D>, A> {
    return this.unary("reciprocal");
  }
  /** Returns whether the element is NaN. */
  isNaN(): Tensor<"bool", A> {
    return this.unary("isNaN");
  }
  /** Returns whether the element is neither NaN nor infinite. */
  isFinite(): Tensor<"bool", A> {
    return this.unary("isFinite");
  }
  /** Returns the elements moved into `[min, max]`; either may be infinite, NaN stays. */
  clamp(min: number, max: number): Tensor<OperandDType<D, number>, A> {
    const raised = min === -Infinity ? this.strided : binary("maximum", this.strided, min);
    return this.derive(max === Infinity ? raised : binary("minimum", raised, max));
  }
  /** Returns `apply` of every element as floats, for what no method does; slow on large tensors. */
  map(apply: (value: number) => number): Tensor<FloatOf<D>, A> {
    return this.derive(mapUnary(this.strided, floatOf(this.dtype), apply, "tensor.map"));
  }

  private unary<E extends DType>(op: UnaryOp): Tensor<E, A> {
    return this.derive(unary(op, this.strided));
  }

  private binary<E extends DType, B extends Axes>(op: BinaryOp, other: TensorOperand): Tensor<E, B> {
    return this.derive(binary(op, this.strided, viewOf(other)));
  }
}
