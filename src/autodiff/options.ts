/** What a caller may choose about gradients. */
import type { Ops, Value } from "../graph/index.js";
import type { CustomGradient } from "./custom.js";

/** Changes a gradient on its way back; the result has the same shape and element type. */
export type GradientEdit = (ops: Ops, gradient: Value) => Value;

/** Choices for every function that takes gradients. */
export interface GradientOptions {
  /** Rules of your own for parts of the graph; see `customGradient`. */
  readonly custom?: readonly CustomGradient[];
  /** Values through which no gradient passes, as if they were constants. */
  readonly stop?: readonly Value[];
  /**
   * Functions on the gradient with respect to a value, the sum over all of its uses. What they return is what goes
   * further back, and what is reported for that value.
   */
  readonly edits?: ReadonlyMap<Value, GradientEdit>;
  /** What a value gets that the outputs do not depend on: an error (the default) or zeros. */
  readonly unreached?: "error" | "zero";
  /**
   * Values that the backward part may read as they are. Every other activation between them is computed again from
   * these, once its gradient is there: less memory, more time. Left out, everything is kept.
   *
   * In a transformer, keep the residual stream before each block.
   */
  readonly keep?: readonly Value[];
}
