/** What a component sees while it builds its part of a graph. */
import type { Ops, Value } from "../../graph/index.js";
import type { ModelConfig } from "../config.js";
import type { Processing } from "../processing.js";

/** The floating-point type that a whole graph computes in. */
export type Precision = "float32" | "float64";

/** A row block of a stored weight, read as another shape over the same bytes. */
export interface WeightView {
  /** The shape to read the bytes as. */
  readonly shape: readonly number[];
  /** First element, counted from the start of the stored tensor; 0 when absent. */
  readonly offset?: number;
}

/**
 * The builder's surroundings: operations, weights, hook points and the values that every layer shares.
 *
 * Components never know what is captured or edited beyond {@link isEdited} and {@link isWanted}; they name their values.
 */
export interface BuildContext {
  readonly ops: Ops;
  readonly config: ModelConfig;
  readonly processing: Processing;
  readonly precision: Precision;
  readonly inputs: SharedInputs;

  /** A stored weight, mapped from its file; cast when the graph computes in float64. */
  weight(name: string, view?: WeightView): Value;
  /** Returns what the first call with this key made: a value that does not differ from layer to layer. */
  once(key: string, make: () => Value): Value;
  /** Names a value that lies on the path: returns it as the edits leave it. */
  hook(name: string, value: Value, axes: readonly string[]): Value;
  /** Names a value that only a capture can want here: built on demand, on no path. */
  offer(name: string, axes: readonly string[], make: () => Value): void;
  /**
   * A value that stands for a hook point in one head's own copy of the stream: a constant for gradients where they stop at
   * that point. Absent where nothing is differentiated.
   */
  ownCopy?(name: string, value: Value): Value;
  /** Whether an edit acts at this hook point. */
  isEdited(name: string): boolean;
  /** Whether this hook point is captured or edited; questions with another answer get a graph of their own. */
  isWanted(name: string): boolean;
  /** Remembers a named output that is no hook point: keys and values for a cache, per-layer checks. */
  output(name: string, value: Value): void;
}

/** Graph inputs and masks shared by all layers. */
export interface SharedInputs {
  /** Token ids `[batch, pos]`; absent when embeddings or a residual stream come instead. */
  readonly tokens?: Value;
  /** Embeddings `[batch, pos, dModel]` used in place of the token embedding. */
  readonly embeddings?: Value;
  /** A residual stream `[batch, pos, dModel]` that enters before the first layer of the program. */
  readonly residual?: Value;
  /** Position ids `[batch, pos]`, int64. */
  readonly positions: Value;
  /** True where a slot holds a real token, `[batch, key]`; absent when nothing is padded. */
  readonly keyIsReal?: Value;
  /** True where a query slot holds a real token, `[batch, pos]`; absent when nothing is padded. */
  readonly queryIsReal?: Value;
  /** Cached keys and values per program step, `[batch, past, head, dHead]`; absent without a cache. */
  readonly past?: readonly { readonly key: Value; readonly value: Value }[];
  /** `[batch, count]` slots whose logits are wanted; absent for all. */
  readonly logitSlots?: Value;
  /** Whether logits of every slot are computed although only some are wanted: for a loss. */
  readonly needsAllLogits: boolean;
}

/** A floating-point constant in the graph's precision. */
export function floatConstant(ctx: BuildContext, value: number | readonly number[], shape?: readonly number[]): Value {
  return ctx.ops.builder.constant(value, ctx.precision, shape);
}
