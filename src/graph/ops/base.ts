/** What the families of typed ops share. */
import { GraphError } from "../../core/index.js";
import type { GraphBuilder, OpAttributes } from "../builder.js";
import type { GraphDType, Value } from "../ir.js";

/** An operand: a value, or a number that becomes a constant of the other operand's element type. */
export type Operand = Value | number;

/** Holds the builder and turns numbers into constants. Abstract: use `Ops`. */
export abstract class BaseOps {
  /** The builder that every method adds to. */
  readonly builder: GraphBuilder;

  constructor(builder: GraphBuilder) {
    this.builder = builder;
  }

  /** Returns a one-dimensional int64 constant. */
  ints(values: readonly number[]): Value {
    return this.builder.constant(values, "int64");
  }

  /** Returns a scalar constant. */
  scalar(value: number, dtype: GraphDType): Value {
    return this.builder.constant(value, dtype);
  }

  /** Adds an op over operands of one element type; numbers take the type of the first value among them. */
  protected combine(op: string, operands: readonly Operand[], attributes: OpAttributes = {}): Value {
    return this.builder.op(op, this.values(op, operands), attributes);
  }

  /** Adds an op with one input. */
  protected apply(op: string, x: Value, attributes: OpAttributes = {}): Value {
    return this.builder.op(op, [x], attributes);
  }

  /** Turns numbers into constants of the element type of the first value. */
  protected values(op: string, operands: readonly Operand[]): readonly Value[] {
    const first = operands.find((operand) => typeof operand !== "number");
    if (first === undefined) {
      throw new GraphError({
        where: `ops.${op}`,
        got: `only numbers (${operands.map(Number).join(", ")})`,
        expected: "at least one value",
        fix: "Compute numbers in JavaScript, or make a constant first.",
      });
    }
    return operands.map((operand) => (typeof operand === "number" ? this.scalar(operand, first.dtype) : operand));
  }
}
