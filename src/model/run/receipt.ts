/** What a run did, so that nothing is taken on trust. */
import type { Precision } from "../components/context.js";
import type { Batch } from "./input.js";

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
  /** Layer ids in the order they ran. */
  readonly layers: readonly number[];
  readonly precision: Precision;
  /** Pieces that the graph was cut into. */
  readonly segments: number;
}
