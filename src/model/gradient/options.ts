/** What a caller may ask about the gradients of a run. */
import type { Tensor } from "../../tensor/index.js";
import type { Edit, ValueSource } from "../edits/types.js";
import type { HookSpec, HookSpecs } from "../hooks/index.js";
import type { Metric } from "../metric/metric.js";

/**
 * Gradients of a metric; pass it as `model.run(input, { gradients: { of, wrt } })` and read `run.gradients`.
 *
 * Rows of a run are independent, so the gradient of the sum over rows holds each row's own gradient.
 */
export interface RunGradientOptions {
  /** The metric to differentiate; `run.metric` comes along. */
  readonly of: Metric;
  /**
   * Hook points (any spec that `capture` takes; `"*"` is every one on the path), `"embeddings"` for `hook_embed`, and
   * weights by their stored name, by TransformerLens's full name, or by its short name for all layers (`"W_Q"`).
   */
  readonly wrt: HookSpec | readonly HookSpec[];
  /**
   * Edits that act on gradients on their way back, as backward hooks: every builder of `edit` but `callback`. What they
   * return is what goes further back, and what is reported for their hook point.
   */
  readonly edits?: readonly Edit[];
  /**
   * Hook points that count as constants: no gradient passes them. A name inside a block, such as `"pattern"` or
   * `"ln1.hook_scale"`, means that point in every block.
   */
  readonly stopAt?: HookSpecs;
  /**
   * A direction at each hook point of `wrt`: one tensor for all, or values by hook name such as a cache. Adds the
   * products of the metric's Hessian with it; read them with `run.gradients.hessianVector(...)`.
   */
  readonly along?: Tensor | ValueSource;
  /** What is differentiated: the metric's sum over rows (the default), or its mean. */
  readonly reduce?: "mean" | "sum";
}
