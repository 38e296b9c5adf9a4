/** What a caller may ask of one run. */
import type { LongCallOptions } from "../../core/index.js";
import type { PositionSelection } from "../edits/types.js";
import type { HookSpecs } from "../hooks/index.js";
import type { LayerOptions } from "../plan/resolve.js";
import type { InputOptions } from "./input-types.js";

/** Which logits to compute: all positions, the last real one of each row, none, or positions. */
export type LogitSelection = "all" | "none" | PositionSelection;

/** Options of `model.run`. */
export interface RunOptions extends InputOptions, LayerOptions, LongCallOptions {
  /** Hook points to keep: names, short names, globs, RegExps, references. Nothing by default. */
  readonly capture?: HookSpecs;
  /** Default `"all"`; `"last"` is cheaper. The `pos` axis stays. */
  readonly logits?: LogitSelection;
  /** Computes the mean next-token loss and the loss per token, in nats. */
  readonly loss?: boolean;
  /** Bytes that results may take; default the model's own limit. */
  readonly memoryLimit?: number;
  /** Whether each layer is checked for NaN and infinity. Default true. */
  readonly checks?: boolean;
}
