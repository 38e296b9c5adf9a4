/** What is minimised: a function that adds a scalar to a graph, and what it may build with. */
import type { GradientOptions } from "../autodiff/index.js";
import type { Dim, GraphDType, Ops, Value } from "../graph/index.js";

/** Element type and shape of one tensor of a batch; sizes may be symbolic, such as `"batch"`. */
export interface InputSpec {
  readonly dtype: GraphDType;
  readonly shape: readonly Dim[];
  readonly axes?: readonly string[];
}

/** What a loss is built with. */
export interface LossContext {
  readonly ops: Ops;
  /** Parameters by name, float32. */
  readonly parameters: ReadonlyMap<string, Value>;
  /** Returns a parameter by name. */
  readonly parameter: (name: string) => Value;
  /** Returns a tensor of the batch by name. */
  readonly batch: (name: string) => Value;
  /** Returns a scheduled number of `scalars` by name, a float32 scalar. */
  readonly scalar: (name: string) => Value;
  /** Returns a tensor of `buffers` by name, as the step before left it. */
  readonly buffer: (name: string) => Value;
  /** Gives a value a name that a message about NaN can use; returns it. */
  readonly label: (name: string, value: Value) => Value;
}

/** What a loss returns. */
export interface LossResult {
  /** A float32 value with one element. */
  readonly loss: Value;
  /** Further values with one element each, reported with every step. */
  readonly metrics?: Readonly<Record<string, Value>>;
  /** New contents of buffers; those left out stay as they are. */
  readonly buffers?: Readonly<Record<string, Value>>;
  /** Rules of your own, stops, edits, and what the backward part keeps. */
  readonly gradients?: Omit<GradientOptions, "unreached">;
}

/** Adds a loss to a graph; called once for each graph that the trainer compiles, and must build the same each time. */
export type LossFunction = (context: LossContext) => LossResult;

/** A parameter with its gradient inside a step. */
export interface ParameterGradient {
  readonly name: string;
  readonly parameter: Value;
  readonly gradient: Value;
}
