/** Typed ops that work element by element. */

import { graphDTypes } from "../dtypes.js";
import type { GraphDType, Value } from "../ir.js";
import { BaseOps, type Operand } from "./base.js";

/** Element-wise methods. Operands broadcast; numbers become constants. Abstract: use `Ops`. */
export abstract class ElementwiseOps extends BaseOps {
  /** Returns `a + b`. */
  add(a: Operand, b: Operand): Value {
    return this.combine("Add", [a, b]);
  }

  /** Returns `a - b`. */
  sub(a: Operand, b: Operand): Value {
    return this.combine("Sub", [a, b]);
  }

  /** Returns `a * b`. */
  mul(a: Operand, b: Operand): Value {
    return this.combine("Mul", [a, b]);
  }

  /** Returns `a / b`; integers are divided towards zero. */
  div(a: Operand, b: Operand): Value {
    return this.combine("Div", [a, b]);
  }

  /** Returns `a` to the power `b`. */
  pow(a: Operand, b: Operand): Value {
    return this.combine("Pow", [a, b]);
  }

  /** Returns the remainder of `a / b`, with the sign of `b` (integers) or of `a` (floats). */
  mod(a: Operand, b: Operand): Value {
    const [x, y] = this.values("mod", [a, b]);
    const fmod = x?.dtype === "float32" || x?.dtype === "float64" ? 1 : 0;
    return this.builder.op("Mod", [x, y], { fmod });
  }

  /** Returns the element-wise smallest of its operands; NaN wins. */
  minimum(...operands: readonly Operand[]): Value {
    return this.combine("Min", operands);
  }

  /** Returns the element-wise largest of its operands; NaN wins. */
  maximum(...operands: readonly Operand[]): Value {
    return this.combine("Max", operands);
  }

  /** Returns `x` limited to `[low, high]`; either bound may be left out. */
  clip(x: Value, low?: number, high?: number): Value {
    const bound = (value: number | undefined): Value | undefined =>
      value === undefined ? undefined : this.scalar(value, x.dtype);
    return this.builder.op("Clip", [x, bound(low), bound(high)]);
  }

  /** Returns `-x`. */
  neg(x: Value): Value {
    return this.apply("Neg", x);
  }

  /** Returns `|x|`. */
  abs(x: Value): Value {
    return this.apply("Abs", x);
  }

  /** Returns -1, 0 or 1. */
  sign(x: Value): Value {
    return this.apply("Sign", x);
  }

  /** Returns the square root. */
  sqrt(x: Value): Value {
    return this.apply("Sqrt", x);
  }

  /** Returns `1 / x`. */
  reciprocal(x: Value): Value {
    return this.apply("Reciprocal", x);
  }

  /** Returns `e` to the power `x`. */
  exp(x: Value): Value {
    return this.apply("Exp", x);
  }

  /** Returns the natural logarithm. */
  log(x: Value): Value {
    return this.apply("Log", x);
  }

  /** Returns the hyperbolic tangent. */
  tanh(x: Value): Value {
    return this.apply("Tanh", x);
  }

  /** Returns `1 / (1 + exp(-x))`. */
  sigmoid(x: Value): Value {
    return this.apply("Sigmoid", x);
  }

  /** Returns `max(x, 0)`. */
  relu(x: Value): Value {
    return this.apply("Relu", x);
  }

  /** Returns the sine of `x` in radians. */
  sin(x: Value): Value {
    return this.apply("Sin", x);
  }

  /** Returns the cosine of `x` in radians. */
  cos(x: Value): Value {
    return this.apply("Cos", x);
  }

  /** Returns the largest integer not above `x`. */
  floor(x: Value): Value {
    return this.apply("Floor", x);
  }

  /** Returns the nearest integer, halves to even. */
  round(x: Value): Value {
    return this.apply("Round", x);
  }

  /** Returns `x` itself under a new value. */
  identity(x: Value): Value {
    return this.apply("Identity", x);
  }

  /** Returns where `x` is NaN. */
  isNaN(x: Value): Value {
    return this.apply("IsNaN", x);
  }

  /** Returns where `x` is plus or minus infinity. */
  isInf(x: Value): Value {
    return this.apply("IsInf", x);
  }

  /** Returns `x` as another element type; `x` itself when it has that type. */
  cast(x: Value, dtype: GraphDType): Value {
    return x.dtype === dtype ? x : this.apply("Cast", x, { to: graphDTypes[dtype].onnx });
  }

  /** Returns `x` where `condition` holds and `y` elsewhere; at most one branch is a number. */
  where(condition: Value, x: Operand, y: Operand): Value {
    const [yes, no] = this.values("where", [x, y]);
    if (yes === undefined || no === undefined || yes.dtype !== "bool") {
      return this.builder.op("Where", [condition, yes, no]);
    }
    return this.or(this.and(condition, yes), this.and(this.not(condition), no));
  }

  /** Returns where `a` equals `b`. */
  equal(a: Operand, b: Operand): Value {
    return this.combine("Equal", [a, b]);
  }

  /** Returns where `a < b`. */
  less(a: Operand, b: Operand): Value {
    return this.combine("Less", [a, b]);
  }

  /** Returns where `a <= b`. */
  lessOrEqual(a: Operand, b: Operand): Value {
    return this.combine("LessOrEqual", [a, b]);
  }

  /** Returns where `a > b`. */
  greater(a: Operand, b: Operand): Value {
    return this.combine("Greater", [a, b]);
  }

  /** Returns where `a >= b`. */
  greaterOrEqual(a: Operand, b: Operand): Value {
    return this.combine("GreaterOrEqual", [a, b]);
  }

  /** Returns where both hold. */
  and(a: Value, b: Value): Value {
    return this.combine("And", [a, b]);
  }

  /** Returns where at least one holds. */
  or(a: Value, b: Value): Value {
    return this.combine("Or", [a, b]);
  }

  /** Returns where exactly one holds. */
  xor(a: Value, b: Value): Value {
    return this.combine("Xor", [a, b]);
  }

  /** Returns where `x` does not hold. */
  not(x: Value): Value {
    return this.apply("Not", x);
  }
}
