/** What the op table says about an operation. */
import type { Attribute, Dim, GraphDType, Value } from "../ir.js";
import type { OpName } from "./names.js";

/**
 * How an attribute is written to ONNX.
 *
 * `scalar` becomes a one-element tensor whose element type is the attribute `dtype`; `hidden` is not written.
 */
export type AttributeKind = "int" | "float" | "ints" | "floats" | "string" | "scalar" | "hidden";

/** Element type and shape of one value. */
export interface TypedShape {
  readonly dtype: GraphDType;
  readonly shape: readonly Dim[];
}

/** What an inference rule may look at. */
export interface InferContext {
  /** Names the op in errors: `MatMul(%x: float32[2, 3], …)`. */
  readonly where: () => string;
  readonly inputs: readonly (Value | undefined)[];
  readonly attributes: Readonly<Record<string, Attribute>>;
  readonly outputCount: number;
  /** Returns the contents of an integer value of rank 0 or 1 where they are known when the graph is built. */
  known(value: Value): readonly Dim[] | undefined;
  /** Returns a new symbolic size for an axis whose size is only known when the graph runs. */
  fresh(axis: number): Dim;
}

/** One row of the op table. */
export interface OpSchema {
  readonly op: OpName;
  /** `""` for standard ONNX, `"com.microsoft"`, or `"limpid"`. */
  readonly domain: string;
  readonly attributes: Readonly<Record<string, AttributeKind>>;
  /** Least and largest number of inputs. */
  readonly inputs: readonly [number, number];
  /** Least and largest number of outputs. */
  readonly outputs: readonly [number, number];
  /** Tells which outputs may be left unnamed when nobody reads them; left out, none. */
  readonly optionalOutput?: ((index: number, inputs: readonly (Value | undefined)[]) => boolean) | undefined;
  /** Returns element types and shapes of all outputs, or throws GraphError. */
  readonly infer: (context: InferContext) => readonly TypedShape[];
}
