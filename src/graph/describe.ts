/** Short texts for values and attributes, in errors and printed graphs. */
import type { Attribute, Dim, Value } from "./ir.js";

/** Returns `[batch, pos, 64]`. */
export function describeShape(shape: readonly Dim[]): string {
  return `[${shape.join(", ")}]`;
}

/** Returns `float32[batch, pos, 64]`. */
export function describeType(value: Pick<Value, "dtype" | "shape">): string {
  return `${value.dtype}${describeShape(value.shape)}`;
}

/** Returns `%name: float32[batch, pos, 64]`, or `nothing` for an absent input. */
export function describeValue(value: Value | undefined): string {
  return value === undefined ? "nothing" : `%${value.name}: ${describeType(value)}`;
}

/** Returns `Softmax(%x: float32[2, 3])`, how errors name an operation. */
export function describeOp(op: string, inputs: readonly (Value | undefined)[]): string {
  return `${op}(${inputs.map(describeValue).join(", ")})`;
}

/** Returns an attribute as JSON-like text; infinities and NaN are written out. */
export function describeAttribute(value: Attribute): string {
  if (typeof value === "string") return JSON.stringify(value);
  return typeof value === "number" ? String(value) : `[${value.join(", ")}]`;
}
