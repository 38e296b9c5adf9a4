/** What batching needs of a tokenizer, and how documents become token ids. */
import { InputError, isLimpidError, TokenError } from "../core/index.js";
import { contentOf } from "./document.js";
import type { Entry } from "./source.js";

/** Any tokenizer that says how it begins and ends a text. */
export interface TokenizerLike {
  /** Encodes a text; `prependBos` follows the tokenizer's own habit when absent. */
  encode(text: string, options?: { readonly prependBos?: boolean }): { readonly ids: readonly number[] };
  readonly bosId?: number | undefined;
  readonly eosId?: number | undefined;
  readonly padId?: number | undefined;
  /** Whether it puts BOS in front of every text by itself. */
  readonly prependsBos?: boolean;
}

/** A tokenizer, or a model that has one and a context length. */
export type TokenizerSource =
  | TokenizerLike
  | { readonly tokenizer: TokenizerLike; readonly config?: { readonly nCtx: number } };

/** A tokenizer once it is needed, and the model's context when it is known. */
export interface Encoder {
  readonly contextLength: number | undefined;
  /** `undefined` when there is none; only text needs one. */
  tokenizer(): TokenizerLike | undefined;
  /** Returns a document's ids; `prependBos` as in {@link TokenizerLike}; ids of the document's own get BOS only when `true`. */
  encode(entry: Entry<unknown>, prependBos: boolean | undefined): readonly number[] | Int32Array;
}

/** Returns the encoder of a tokenizer or model. */
export function encoderOf(source: TokenizerSource | undefined): Encoder {
  const contextLength = source !== undefined && "tokenizer" in source ? source.config?.nCtx : undefined;
  const tokenizer = (): TokenizerLike | undefined => findTokenizer(source);
  return { contextLength, tokenizer, encode: (entry, prependBos) => encodeEntry(entry, source, prependBos) };
}

/** A model without a tokenizer throws when asked for it; ids need none. */
function findTokenizer(source: TokenizerSource | undefined): TokenizerLike | undefined {
  if (source === undefined || !("tokenizer" in source)) return source;
  try {
    return source.tokenizer;
  } catch (error) {
    if (isLimpidError(error, "INPUT")) return undefined;
    throw error;
  }
}

function encodeEntry(
  { value, place }: Entry<unknown>,
  source: TokenizerSource | undefined,
  prependBos: boolean | undefined,
): readonly number[] | Int32Array {
  const content = contentOf(value, place);
  if (content.kind === "tokens")
    return prependBos === true ? withBos(content.tokens, findTokenizer(source), place) : content.tokens;
  if (source === undefined) throw noTokenizer(place);
  const tokenizer = "tokenizer" in source ? source.tokenizer : source;
  if (content.text === "") return [];
  return tokenizer.encode(content.text, prependBos === undefined ? {} : { prependBos }).ids;
}

function withBos(
  tokens: readonly number[] | Int32Array,
  tokenizer: TokenizerLike | undefined,
  place: string,
): readonly number[] | Int32Array {
  const bosId = needBos(tokenizer, place);
  return tokens.length === 0 || tokens[0] === bosId ? tokens : [bosId, ...tokens];
}

/** Returns the BOS id, or throws when there is none. */
export function needBos(tokenizer: TokenizerLike | undefined, where: string): number {
  if (tokenizer?.bosId !== undefined) return tokenizer.bosId;
  throw new TokenError({
    where,
    got: tokenizer === undefined ? "BOS asked for without a tokenizer" : "BOS asked of a tokenizer that has none",
    expected: "a tokenizer with a BOS token",
    fix: 'Pass bos: "none", or a model whose tokenizer names `bos_token`.',
  });
}

/** Returns an id for slots of padding: never the BOS id, so that a row cannot seem to begin with BOS twice. */
export function paddingId(tokenizer: TokenizerLike | undefined): number {
  const candidates = [tokenizer?.padId, tokenizer?.eosId, 0, 1];
  return candidates.find((id) => id !== undefined && id !== tokenizer?.bosId) ?? 0;
}

function noTokenizer(place: string): InputError {
  return new InputError({
    where: place,
    got: "a text and no tokenizer",
    expected: "a model or a tokenizer to encode it with",
    fix: "Pass the model: dataset.pack(model, options).",
  });
}
