/** Everything that a model takes as input. */
import type { Tensor } from "../../tensor/index.js";
import type { ChatMessage } from "../tokenizer/index.js";

/** Token ids of one row. */
export type TokenRow = readonly number[] | Int32Array;

/** Prepared input, field by field. Give tokens or embeddings. */
export interface FieldsInput {
  /** Token ids `[batch, pos]` or of one row. */
  readonly tokens?: TokenRow | readonly TokenRow[] | Tensor;
  /** Replaces `hook_embed`: `[batch, pos, dModel]` or `[pos, dModel]`. */
  readonly embeddings?: Tensor;
  /** The residual stream that enters `startAtLayer`: `[batch, pos, dModel]` or `[pos, dModel]`. */
  readonly residual?: Tensor;
  /** 1 where a slot holds a real token, `[batch, pos]`. */
  readonly attentionMask?: readonly (readonly number[])[] | Tensor;
  /** Position ids `[batch, pos]`; by default real tokens are counted from 0. */
  readonly positions?: readonly (readonly number[])[] | Tensor;
}

/** A string, strings, token ids, messages of a chat, or fields. */
export type ModelInput =
  | string
  | readonly string[]
  | TokenRow
  | readonly TokenRow[]
  | readonly ChatMessage[]
  | Tensor
  | FieldsInput;

/** How text and unequal rows become a batch. */
export interface InputOptions {
  /** Puts BOS in front (`true`, TransformerLens's habit) or never (`false`); default: the tokenizer's own habit. */
  readonly prependBos?: boolean;
  /** Where unequal rows get padding. Text pads on the right by default; ids only when this is given. */
  readonly padding?: "left" | "right";
  /** Text such as `</s>` becomes control tokens; by default it stays text. */
  readonly allowSpecial?: boolean;
}
