/** A model's own tokenizer: text to ids and back, BOS policy, control tokens as text, chat templates. */
export type { BosPolicy } from "./bos.js";
export type { ChatMessage, ChatOptions } from "./chat.js";
export {
  type DecodeOptions,
  type EncodedChat,
  type EncodedText,
  type EncodeOptions,
  openTokenizer,
  Tokenizer,
} from "./tokenizer.js";
