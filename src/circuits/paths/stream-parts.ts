/** What a direction of the stream is, and what it is made of. */
import { dot } from "../attribution/vectors.js";

/** A place in the stream: which writes are in it, and at which position. */
export interface StreamPlace {
  /** Layers of attention, and of MLPs, that have written. */
  readonly attention: number;
  readonly mlp: number;
  readonly pos: number;
}

/** A direction at a place: `dependent * vector` is what it is worth there. */
export interface OpenDirection {
  readonly place: StreamPlace;
  /** Only weights decide it. */
  readonly vector: Float64Array;
  /** The prompt decides it. */
  readonly dependent: number;
  /** Added whatever the stream is: biases of the feature's encoder, or of the logit. */
  readonly constant: number;
}

/** A write into the stream that a path can step to. */
export type Source =
  | {
      readonly kind: "feature";
      readonly layer: number;
      readonly pos: number;
      readonly feature: number;
      readonly activation: number;
    }
  /** A head that moved what it read at `pos` to the position `to`. */
  | { readonly kind: "head"; readonly layer: number; readonly head: number; readonly pos: number; readonly to: number }
  /** The linear part of a skip transcoder. */
  | { readonly kind: "skip"; readonly layer: number; readonly pos: number }
  | { readonly kind: "token"; readonly pos: number; readonly token: number }
  /** A learned position. */
  | { readonly kind: "position"; readonly pos: number };

/** One step back: `contribution = invariant * dependent`. */
export interface Contribution {
  readonly source: Source;
  readonly contribution: number;
  /**
   * The part that weights decide: `W_dec · w` for features, embedding times direction for tokens, and for heads and skip
   * connections, which read the whole stream, the length of the direction that they read along.
   */
  readonly invariant: number;
  /** The part that the prompt decides: activations, patterns, one over scales, the stream along a unit direction. */
  readonly dependent: number;
}

/** A step through a head. */
export type HeadContribution = Contribution & { readonly source: Extract<Source, { kind: "head" }> };

/** A head's part of a target, and the direction behind it. */
export interface HeadPart {
  readonly source: HeadContribution["source"];
  readonly contribution: number;
  readonly direction: OpenDirection;
}

/** A target carried down its own position, past all attention. */
export interface Descent {
  readonly pos: number;
  /** The direction where each MLP writes, and where each layer's attention writes. */
  readonly atMlp: ReadonlyMap<number, Float64Array>;
  readonly atAttention: ReadonlyMap<number, Float64Array>;
  /** The direction at the embedding. */
  readonly end: Float64Array;
  /** Biases on the way, and the target's own. */
  readonly bias: number;
}

/** Everything that a direction is made of: the parts sum to what it is worth. */
export interface Parts {
  readonly sources: readonly Contribution[];
  /** What dictionaries leave of their MLPs' writes. */
  readonly error: number;
  /** Biases of attention and decoders, and the direction's own constant. */
  readonly bias: number;
}

/** Returns a contribution from its two factors. */
export function product(source: Source, invariant: number, dependent: number): Contribution {
  return { source, contribution: invariant * dependent, invariant, dependent };
}

/** Returns a sum over the stream as its direction's length times what lies along it. */
export function along(source: Source, vector: Float64Array, contribution: number): Contribution {
  const length = Math.sqrt(dot(vector, vector));
  return { source, contribution, invariant: length, dependent: length === 0 ? 0 : contribution / length };
}
