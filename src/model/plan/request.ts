/** A question to a model as plain data: everything that decides the shape of the graph, nothing that only feeds it. */
import type { Precision } from "../components/context.js";
import type { Edit } from "../edits/types.js";
import type { GradientRequest } from "../gradient/request.js";
import type { MetricRequest } from "../metric/request.js";
import type { Processing } from "../processing.js";

/** One edit with the hook points it was found to mean. */
export interface ResolvedEdit {
  readonly edit: Edit;
  /** Full hook names. */
  readonly hooks: readonly string[];
}

/** What enters the first layer. */
export type EntryKind = "tokens" | "embeddings" | "residual";

/** What a graph computes. Two equal requests give the same graph. */
export interface GraphRequest {
  /** Full names of captured hook points. */
  readonly captures: readonly string[];
  readonly edits: readonly ResolvedEdit[];
  /** Logits at every slot, at slots given with the run, or none. */
  readonly logits: "all" | "slots" | "none";
  /** Per-token loss from the logits. */
  readonly loss: boolean;
  /** A number per row from the logits. */
  readonly metric: MetricRequest | undefined;
  /** Gradients of the metric. */
  readonly gradients: GradientRequest | undefined;
  /** Layer ids in the order they run. */
  readonly layers: readonly number[];
  readonly entry: EntryKind;
  /** Whether an attention mask is fed. */
  readonly isPadded: boolean;
  /** Whether cached keys and values are fed. */
  readonly hasPast: boolean;
  /** Whether cached keys and values are one row per prompt, and `past_rows` says which prompt each row is. */
  readonly sharesPast?: boolean;
  /** Whether keys and values are returned for a cache. */
  readonly keepsCache: boolean;
  /** Whether the stream after the last layer of the program is returned. */
  readonly stream: boolean;
  /** Whether each layer's stream is checked for NaN and infinity. */
  readonly checks: boolean;
  /** Whether every hook point is built only to learn its name and shape. */
  readonly describes: boolean;
  readonly precision: Precision;
  readonly processing: Processing;
}
