/**
 * The intermediate representation: an immutable, typed graph of ONNX operations.
 *
 * Every question that limpid asks of a model is one such graph. Values carry dtype, shape (with symbolic sizes) and,
 * where they are known, axis names; nodes are in topological order; weights point into files.
 */

/** A size: a number, or a symbolic size such as `"batch"`, `"pos"` or `"past+pos"`. */
export type Dim = number | string;

/** Element types that graphs compute with. */
export type GraphDType = "float32" | "float64" | "int32" | "int64" | "bool";

/** One value that flows through a graph. Identity is the object; `name` is unique within its builder. */
export interface Value {
  readonly name: string;
  readonly dtype: GraphDType;
  readonly shape: readonly Dim[];
  /** Axis names, outermost first, where known; same length as `shape`. */
  readonly axes?: readonly string[];
}

/** An attribute of a node. Whether a number is an ONNX int or float is decided by the op's schema. */
export type Attribute = number | string | readonly number[];

/** One operation. `domain` is `""` for standard ONNX, `"com.microsoft"`, or `"limpid"` for segment boundaries. */
export interface Node {
  readonly op: string;
  readonly domain: string;
  readonly inputs: readonly (Value | undefined)[];
  readonly outputs: readonly Value[];
  readonly attributes: Readonly<Record<string, Attribute>>;
}

/** Typed arrays that hold constants, feeds and results. `int64` is `BigInt64Array`, `bool` is `Uint8Array`. */
export type GraphData = Float32Array | Float64Array | Int32Array | BigInt64Array | Uint8Array;

/** Bytes of a weight: a range of a file (never copied) or a typed array (embedded in the graph). */
export type WeightSource =
  | { readonly kind: "file"; readonly path: string; readonly offset: number; readonly length: number }
  | { readonly kind: "data"; readonly data: GraphData };

/** A value that is fixed: a checkpoint weight or a small constant. */
export interface Initializer {
  readonly value: Value;
  readonly source: WeightSource;
}

/** A named output. */
export interface Output {
  readonly name: string;
  readonly value: Value;
}

/** A complete, immutable graph. */
export interface Graph {
  readonly inputs: readonly Value[];
  readonly initializers: readonly Initializer[];
  readonly nodes: readonly Node[];
  readonly outputs: readonly Output[];
}
