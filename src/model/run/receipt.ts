/** What a run did, so that nothing is taken on trust. */
import type { Precision } from "../components/context.js";
import type { Batch } from "./input.js";

/** The record of the gradients of one run. */
export interface GradientReceipt {
  /** Full names of hook points. */
  readonly wrt: readonly string[];
  /** Names of weights, as they were asked for. */
  readonly weights: readonly string[];
  /** Full names of hook points that no gradient passed. */
  readonly stopAt: readonly string[];
  /** Edits of gradients, in the order they act. */
  readonly edits: readonly { readonly name: string; readonly hooks: readonly string[] }[];
  readonly reduce: "mean" | "sum";
}

/** The record of one run. */
export interface Receipt {
  /** The model as it was named when loaded. */
  readonly model: string;
  /** Identity of its weights. */
  readonly identity: string;
  readonly batch: number;
  readonly pos: number;
  /** Who put BOS in front: the tokenizer, an option, the text, a chat template, nobody, or ids came as given. */
  readonly bos: Batch["bos"];
  /** Slots of padding that attention, positions and loss leave out. */
  readonly maskedSlots: number;
  /** Full names of captured hook points. */
  readonly captured: readonly string[];
  /** Edits in the order they act, with the hook points at which each fired. */
  readonly edits: readonly { readonly name: string; readonly hooks: readonly string[] }[];
  /** The metric that was computed; absent without one. */
  readonly metric?: string;
  /** What was differentiated, with respect to what, and what was done to gradients; absent without gradients. */
  readonly gradients?: GradientReceipt;
  /** Layer ids in the order they ran. */
  readonly layers: readonly number[];
  readonly precision: Precision;
  /** Pieces that the graph was cut into. */
  readonly segments: number;
}
