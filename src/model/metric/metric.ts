/** Numbers computed from the logits of a run inside its graph, one for each row. */
import type { Dim, Ops, Value } from "../../graph/index.js";
import type { Tensor } from "../../tensor/index.js";

/** What {@link Metric.of} may be told besides the logits. */
export interface MetricRows {
  /** Which prompt each row is; default 0, 1, 2, … */
  readonly rows?: readonly number[];
  /** Token ids `[batch, pos]`; only metrics of the prompt's own next tokens need them. */
  readonly tokens?: Tensor;
  /** 1 where a slot holds a real token, `[batch, pos]`; all when absent. Metrics of `"all"` logits leave the rest out. */
  readonly attentionMask?: Tensor;
}

/**
 * A number for each row of a run, computed from its logits.
 *
 * Make one with `metric.logitDiff(...)` and its siblings, or `metric.custom(...)`; pass it to `model.run(input, { metric })`
 * or differentiate it with `gradients: { of: metric, wrt: [...] }`. Rows are independent: a row's number depends on the
 * logits of that row only.
 */
export interface Metric {
  readonly name: string;
  /** The unit of its values, such as `"logits"`, `"nats"` or `"probability"`. */
  readonly unit: string;
  /** Which logits it reads: those of the last real token of each row, or of every position. */
  readonly logits: "last" | "all";
  /** How many prompts it holds answers for; `undefined` when it fits any number of rows. */
  readonly prompts: number | undefined;
  /**
   * Computes it from logits that are already there, in float64.
   *
   * @param logits - `[batch, pos, dVocabOut]` (`pos` of size 1 for `logits: "last"`) or `[batch, dVocabOut]`.
   * @returns `[batch]`.
   * @throws ShapeError, InputError when logits, rows and prompts do not fit.
   */
  of(logits: Tensor, options?: MetricRows): Tensor<"float64", readonly ["batch"]>;
  /** One line of text. */
  toString(): string;
  /** @internal Metrics with the same structure and shapes of data make the same nodes; absent: only the same object does. */
  readonly structure?: string;
  /** @internal Numbers that belong to each prompt, by name: graph inputs, so that one session serves all prompts. */
  readonly data: Readonly<Record<string, PromptData>>;
  /** @internal Adds the nodes of the metric and returns `[batch]`, or the same with axes of size 1. */
  readonly trace: (scope: MetricScope) => Value;
}

/** Numbers that belong to each prompt of a metric. */
export interface PromptData {
  /** `"id"` becomes int64, `"number"` the graph's precision. */
  readonly kind: "id" | "number";
  /** Shape of one prompt's numbers; `"pos"` is the length of the run. */
  readonly shape: readonly Dim[];
  /** One array for each prompt, row-major. */
  readonly prompts: readonly ArrayLike<number>[];
}

/** What a metric builds with. */
export interface MetricScope {
  readonly ops: Ops;
  /** `[batch, 1, dVocabOut]` for `logits: "last"`, else `[batch, pos, dVocabOut]`. */
  readonly logits: Value;
  /** True where a slot holds a real token, `[batch, pos]`; absent when nothing is padded. */
  readonly isReal?: Value;
  /** Declares the next-token ids `[batch, pos]`, int64; the last of each row means nothing. */
  readonly labels: () => Value;
  /** Declares a graph input `[batch, ...shape]` whose row `i` is that of the prompt that row `i` is. */
  readonly perPrompt: (name: string) => Value;
}
