/**
 * Two views of one library tokenizer: one that knows control tokens, one that reads them as ordinary text.
 *
 * Both share one model (vocabulary and merges), so the second costs next to nothing. Where the model itself would
 * still produce a control token from text (a unigram vocabulary that lists `</s>`), the second view gets a copy of the
 * model whose control entries have unreachable names.
 */
import { Tokenizer as LibraryTokenizer } from "@huggingface/tokenizers";
import { FormatError, isLimpidError, TokenError } from "../../core/index.js";
import { isJsonObject } from "../../io/index.js";
import type { AddedToken, TokenizerFiles } from "./files.js";
import type { JsonObject } from "./json.js";

/** Encodes and decodes with a Hugging Face tokenizer; knows nothing of BOS policies. */
export interface Backend {
  /** Token strings by id; may have holes. */
  readonly vocab: readonly (string | undefined)[];
  readonly idOf: ReadonlyMap<string, number>;
  readonly unkId: number | undefined;
  /** Encodes with control tokens recognised, without the tokenizer's own BOS and EOS. */
  readonly encodeSpecial: (text: string) => number[];
  /** Encodes with control tokens recognised and with what the tokenizer itself puts around a text. */
  readonly encodeWhole: (text: string) => number[];
  /**
   * Encodes with control tokens read as text.
   *
   * `isFirst` tells whether the text starts the sequence; `false` after a control token (matters to some tokenizers).
   */
  readonly encodePlain: (text: string, isFirst: boolean) => number[];
  readonly decode: (ids: number[], skipSpecial: boolean) => string;
}

/** Returns a short text that the vocabulary can spell, to find out how the tokenizer treats texts. */
export function probeText({ vocab, encodePlain, decode }: Backend): string {
  const candidates = function* (): Iterable<string> {
    yield* ["a", "A", "0"];
    for (const id of vocab.keys()) if (vocab[id] !== undefined) yield decode([id], true).trim();
  };
  const canSpell = (text: string): boolean => {
    try {
      return text !== "" && encodePlain(text, true).length > 0;
    } catch (error) {
      if (isLimpidError(error, "TOKEN")) return false;
      throw error;
    }
  };
  for (const text of candidates()) if (canSpell(text)) return text;
  return "a";
}

/**
 * Stands for "a control token was before this" in front of a text, and starts the unreachable names.
 *
 * Two low surrogates in a row: well-formed text never holds them.
 */
const marker = "\udc00\udc00";

/** Builds both views; `unusable` parts of the file become a {@link FormatError}. */
export function createBackend(files: TokenizerFiles): Backend {
  try {
    return build(files);
  } catch (cause) {
    const where = `${files.folder}: tokenizer.json`;
    const got = cause instanceof Error ? cause.message : String(cause);
    const expected = "parts that the tokenizers library reads (BPE, Unigram or WordPiece and their helpers)";
    throw new FormatError({ where, got, expected, fix: "Save the tokenizer again as a fast tokenizer." }, { cause });
  }
}

function build(files: TokenizerFiles): Backend {
  const { config, added } = files;
  const whole = new LibraryTokenizer(withAdded(files, added), config);
  const plain = plainView(files, whole);
  return {
    vocab: whole.model.vocab,
    idOf: whole.model.tokens_to_ids,
    unkId: whole.model.unk_token_id,
    encodeSpecial: (text) => defined(whole.encode(wellFormed(text), { add_special_tokens: false }).ids),
    encodeWhole: (text) => defined(whole.encode(wellFormed(text), { add_special_tokens: true }).ids),
    encodePlain: (text, isFirst) => defined(plainIds(plain, text, isFirst)),
    decode: (ids, skipSpecial) =>
      ids.length === 0
        ? ""
        : whole.decode(ids, { skip_special_tokens: skipSpecial, clean_up_tokenization_spaces: false }),
  };
}

function plainIds(plain: LibraryTokenizer, text: string, isFirst: boolean): (number | undefined)[] {
  const clean = wellFormed(text);
  const { ids } = plain.encode(isFirst ? clean : marker + clean, { add_special_tokens: false });
  return isFirst ? ids : ids.slice(1);
}

/** Puts U+FFFD for every half of a surrogate pair, as encoding to UTF-8 does. */
function wellFormed(text: string): string {
  return text.replace(/\p{Surrogate}/gu, "\ufffd");
}

/** A token outside the vocabulary of a model without an unknown token has no id: the library leaves a hole. */
function defined(ids: readonly (number | undefined)[]): number[] {
  const known = ids.filter((id) => id !== undefined);
  if (known.length === ids.length) return known;
  throw new TokenError({
    where: "tokenizer.encode: text",
    got: `${ids.length - known.length} pieces that the vocabulary lacks, from position ${ids.indexOf(undefined)} on`,
    expected: "text that this vocabulary can spell (it has no unknown token)",
    fix: "Remove those characters.",
  });
}

function withAdded(files: TokenizerFiles, added: readonly AddedToken[]): JsonObject {
  const given = listOf(files.tokenizer["added_tokens"]);
  const normalized = new Map(given.filter(isJsonObject).map((entry) => [entry["id"], entry["normalized"]]));
  const list = added.map((token) => ({ ...token, normalized: normalized.get(token.id) ?? !token.special }));
  return {
    decoder: null,
    post_processor: null,
    pre_tokenizer: null,
    normalizer: null,
    ...files.tokenizer,
    added_tokens: list,
  };
}

function plainView(files: TokenizerFiles, whole: LibraryTokenizer): LibraryTokenizer {
  const special = files.added.filter((token) => token.special);
  const stub = { type: "BPE", vocab: {}, merges: [] };
  const plain = new LibraryTokenizer({ ...plainJson(files), model: stub }, files.config);
  plain.model = whole.model;
  const leaks = special.some(({ id, content }) => plainIds(plain, content, true).includes(id));
  if (!leaks) return plain;
  return new LibraryTokenizer(
    { ...plainJson(files), model: hideTokens(files.tokenizer["model"], special) },
    files.config,
  );
}

function plainJson(files: TokenizerFiles): JsonObject {
  const ordinary = files.added.filter((token) => !token.special);
  const json = withAdded(files, ordinary);
  const entry = { id: markerId, content: marker, special: true, normalized: false };
  return { ...json, added_tokens: [...listOf(json["added_tokens"]), entry] };
}

/** Never returned: the marker's id is cut off before anyone sees it. */
const markerId = 0;

/** Returns the model with the control tokens' entries under names that no text can spell; ids stay. */
function hideTokens(model: unknown, special: readonly AddedToken[]): JsonObject {
  if (!isJsonObject(model)) return {};
  const contents = new Set(special.map((token) => token.content));
  const hide = (name: string): string => (contents.has(name) ? `${marker}${name}` : name);
  const hideAny = (name: unknown): unknown => (typeof name === "string" ? hide(name) : name);
  const vocab = model["vocab"];
  const hidden = isJsonObject(vocab)
    ? Object.fromEntries(Object.entries(vocab).map(([name, id]) => [hide(name), id]))
    : listOf(vocab).map((entry) => listOf(entry).map((part, i) => (i === 0 ? hideAny(part) : part)));
  return { ...model, vocab: hidden, ...("unk_token" in model ? { unk_token: hideAny(model["unk_token"]) } : {}) };
}

function listOf(value: unknown): readonly unknown[] {
  if (!Array.isArray(value)) return [];
  const list: readonly unknown[] = value;
  return list;
}
