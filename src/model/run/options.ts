/** What a caller may ask of one run. */
import type { LongCallOptions } from "../../core/index.js";
import type { PositionSelection } from "../edits/types.js";
import type { RunGradientOptions } from "../gradient/options.js";
import type { HookSpecs } from "../hooks/index.js";
import type { Metric } from "../metric/metric.js";
import type { LayerOptions } from "../plan/resolve.js";
import type { InputOptions } from "./input-types.js";

/** Which logits to compute: all positions, the last real one of each row, none, or positions. */
export type LogitSelection = "all" | "none" | PositionSelection;

/** Options of `model.run`. */
export interface RunOptions extends InputOptions, LayerOptions, LongCallOptions {
  /** Hook points to keep: names, short names, globs, RegExps, references. Nothing by default. */
  readonly capture?: HookSpecs;
  /** Default `"all"`, or `"none"` where a metric or gradients are asked for; `"last"` is cheaper. The `pos` axis stays. */
  readonly logits?: LogitSelection;
  /** Computes the mean next-token loss and the loss per token, in nats. */
  readonly loss?: boolean;
  /** A number for each row, computed from the logits in the graph; read it from `run.metric`. */
  readonly metric?: Metric;
  /** Which of the metric's prompts each row is; default 0, 1, 2, … */
  readonly metricRows?: readonly number[];
  /** Gradients of a metric at hook points and of weights; read them from `run.gradients`. */
  readonly gradients?: RunGradientOptions;
  /** Bytes that results may take; default the model's own limit. */
  readonly memoryLimit?: number;
  /** Whether each layer is checked for NaN and infinity. Default true. */
  readonly checks?: boolean;
}
