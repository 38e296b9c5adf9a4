/** Text to token ids and back, as the model's own tokenizer does it. */
import { stat } from "node:fs/promises";
import { join } from "node:path";
import { CheckpointError, formatList, printsItself, TokenError } from "../../core/index.js";
import { type Backend, createBackend } from "./backend.js";
import { type Affixes, applyAffixes, type BosPolicy, checkBosText, checkSingleBos, findAffixes } from "./bos.js";
import { type ChatMessage, type ChatOptions, chooseTemplate, renderChat, shieldChat } from "./chat.js";
import { type AddedToken, readTokenizerFiles, type SpecialRole, type TokenizerFiles } from "./files.js";
import { createPieces, type Pieces } from "./pieces.js";
import { createShield, shieldCharacter, splitAtSpecial, unshield } from "./special-text.js";

/** Options of `Tokenizer.encode`. */
export interface EncodeOptions {
  /** `true` puts BOS in front (TransformerLens's habit), `false` never; by default the tokenizer's own habit. */
  readonly prependBos?: boolean;
  /**
   * `true` reads `</s>` and the like as control tokens; by default they stay text. An explicit `false` also accepts
   * text that begins with the BOS string after a prepended BOS, which is otherwise an error.
   */
  readonly allowSpecial?: boolean;
}

/** Options of `Tokenizer.decode`. */
export interface DecodeOptions {
  /** Leaves control tokens out. Default `false`. */
  readonly skipSpecial?: boolean;
}

/** Token ids, and who put BOS in front of them. */
export interface EncodedText {
  readonly ids: readonly number[];
  readonly bos: BosPolicy;
}

/** A rendered chat as ids, with the text that the template made. */
export interface EncodedChat extends EncodedText {
  /** The rendered template, control tokens spelled out. */
  readonly text: string;
}

interface Loaded {
  readonly files: TokenizerFiles;
  readonly backend: Backend;
  readonly special: readonly AddedToken[];
  readonly specialIds: ReadonlySet<number>;
  readonly pieces: Pieces;
  readonly affixes: Affixes;
}

/**
 * A model's own tokenizer.
 *
 * Nothing is read until something is asked: a vocabulary takes 0.1–0.3 s to read.
 */
export class Tokenizer {
  /** The folder whose `tokenizer.json` this is. */
  readonly folder: string;
  #loaded: Loaded | undefined;

  static {
    printsItself(this.prototype);
  }

  constructor(folder: string) {
    this.folder = folder;
  }

  /**
   * Encodes text; what looks like a control token stays text unless `allowSpecial` is `true`.
   *
   * @throws TokenError when BOS would be doubled, or `prependBos` is asked of a tokenizer without BOS.
   */
  encode(text: string, options: EncodeOptions = {}): EncodedText {
    const { backend, affixes } = this.#load();
    const { prependBos, allowSpecial } = options;
    const inner = allowSpecial === true ? backend.encodeSpecial(text) : backend.encodePlain(text, true);
    const encoded = applyAffixes(inner, { ...affixes, bosId: this.bosId, prependBos });
    if (allowSpecial === undefined) checkBosText(text, this.#bosToken(), encoded.bos);
    checkSingleBos(encoded.ids, this.bosId, "tokenizer.encode: text");
    return encoded;
  }

  /**
   * Decodes ids to text, spaces exactly as encoded.
   *
   * @throws TokenError when an id is not in the vocabulary.
   */
  decode(ids: ArrayLike<number>, options: DecodeOptions = {}): string {
    return this.#load().backend.decode(this.#checked(ids, "tokenizer.decode: ids"), options.skipSpecial ?? false);
  }

  /**
   * Returns one string per token, leading spaces visible; joined they are the text (control tokens spelled out).
   *
   * A token that holds part of a character shows as U+FFFD. At the start of the ids, where SentencePiece-like
   * tokenizers add a space of their own, that space is left out as in decoding.
   */
  pieces(ids: ArrayLike<number>): string[] {
    const { pieces } = this.#load();
    let isStart = true;
    return this.#checked(ids, "tokenizer.pieces: ids").map((id) => {
      if (!isStart || this.isSpecial(id)) return pieces.inside(id);
      isStart = false;
      return pieces.first(id);
    });
  }

  /** Returns one token's string as it looks inside running text, its leading space visible. */
  piece(id: number): string {
    return this.#load().pieces.inside(this.#checked([id], "tokenizer.piece: id")[0] ?? id);
  }

  /**
   * Returns the id of text that is exactly one token.
   *
   * `" John"` finds the token that follows a space also in SentencePiece-like tokenizers, which put a space in front
   * of every text themselves. Control tokens are found by their string.
   *
   * @throws TokenError that lists the pieces when the text is not one token.
   */
  toSingleToken(text: string): number {
    const { backend } = this.#load();
    const control = this.#load().special.find((token) => token.content === text);
    if (control !== undefined) return control.id;
    const ids = backend.encodePlain(text, true);
    if (ids[0] !== undefined && ids.length === 1) return ids[0];
    const spaced = text.startsWith(" ") ? backend.encodePlain(text.slice(1), true) : [];
    if (spaced[0] !== undefined && spaced.length === 1 && this.piece(spaced[0]) === text) return spaced[0];
    throw notSingle(text, this.pieces(ids));
  }

  /** Returns the id of a token by its string in the vocabulary (`"Ġthe"`, `"▁the"`), or `undefined`. */
  tokenToId(token: string): number | undefined {
    return this.#load().backend.idOf.get(token);
  }

  /** Returns a token's string in the vocabulary, or `undefined`. */
  idToToken(id: number): string | undefined {
    return this.#load().backend.vocab[id];
  }

  /** Tells whether `id` is a control token. */
  isSpecial(id: number): boolean {
    return this.#load().specialIds.has(id);
  }

  /** Number of ids, added tokens included; a model's own vocabulary may be padded beyond it. */
  get vocabSize(): number {
    return this.#load().backend.vocab.length;
  }

  /** Id of the token that begins a text, if the tokenizer names one. */
  get bosId(): number | undefined {
    return this.#roleId("bos");
  }

  /** Id of the token that ends a text, if the tokenizer or the model names one. */
  get eosId(): number | undefined {
    return this.#roleId("eos") ?? this.#load().files.eosIds[0];
  }

  /** Every id that ends a generation: those of `generation_config.json` (else `config.json`) and {@link eosId}. */
  get eosIds(): readonly number[] {
    const { eosId } = this;
    return [...new Set([...(eosId === undefined ? [] : [eosId]), ...this.#load().files.eosIds])];
  }

  /** Id of the padding token, if the tokenizer names one. */
  get padId(): number | undefined {
    return this.#roleId("pad");
  }

  /** Id of the token for text that the vocabulary cannot spell, if there is one. */
  get unkId(): number | undefined {
    return this.#roleId("unk") ?? this.#load().backend.unkId;
  }

  /** Whether the tokenizer itself puts BOS in front of every text; the default of `prependBos`. */
  get prependsBos(): boolean {
    return this.bosId !== undefined && this.#load().affixes.prefix[0] === this.bosId;
  }

  /** Whether the model comes with a chat template. */
  get hasChatTemplate(): boolean {
    return this.#load().files.templates.size > 0;
  }

  /** Returns the source of the chat template that `chat` would use. */
  chatTemplate(options: ChatOptions = {}): string {
    return chooseTemplate(this.#load().files, options);
  }

  /**
   * Encodes a chat through the model's template.
   *
   * Control tokens of the template are control tokens; the same strings inside messages, tools and variables stay
   * text. (Only a template that itself looks for such a string in a message can tell the difference.)
   *
   * @throws UnsupportedError when the model has no template, InputError when the template refuses the messages.
   */
  chat(messages: readonly ChatMessage[], options: ChatOptions = {}): EncodedChat {
    const { files, special, backend } = this.#load();
    const character = shieldCharacter([messages, options]);
    const safe = shieldChat(createShield(special, character), messages, options);
    const rendered = renderChat(files, safe.messages, safe.options);
    const ids = splitAtSpecial(rendered, special).flatMap((part, index) =>
      "id" in part ? [part.id] : backend.encodePlain(unshield(part.text, character), index === 0),
    );
    checkSingleBos(ids, this.bosId, "tokenizer.chat: messages");
    const bos = ids[0] !== undefined && ids[0] === this.bosId ? "template" : "none";
    return { ids, bos, text: unshield(rendered, character) };
  }

  /** Throws a {@link TokenError} when `ids` begin with BOS twice; for ids that a caller brings along. */
  checkSingleBos(ids: ArrayLike<number>, where = "tokens"): void {
    checkSingleBos(ids, this.bosId, where);
  }

  /** Shows the vocabulary's size and the BOS habit in consoles and cells. */
  toString(): string {
    const bos = this.prependsBos ? "prepends" : "does not prepend";
    return `Tokenizer of ${this.vocabSize} tokens, ${bos} BOS (${this.folder})`;
  }

  #load(): Loaded {
    this.#loaded ??= load(this.folder);
    return this.#loaded;
  }

  #bosToken(): string | undefined {
    return this.#load().files.roles.get("bos");
  }

  #roleId(role: SpecialRole): number | undefined {
    return roleId(this.#load().files, this.#load().backend, role);
  }

  #checked(ids: ArrayLike<number>, where: string): number[] {
    const { vocab } = this.#load().backend;
    const list = Array.from(ids);
    const bad = list.findIndex((id) => !Number.isInteger(id) || vocab[id] === undefined);
    if (bad < 0) return list;
    const expected = `ids of this vocabulary (0 to ${vocab.length - 1})`;
    const fix = "Use ids that this model's tokenizer made.";
    throw new TokenError({ where: `${where}[${bad}]`, got: String(list[bad]), expected, fix });
  }
}

function load(folder: string): Loaded {
  const files = readTokenizerFiles(folder);
  const backend = createBackend(files);
  const ids = { bosId: roleId(files, backend, "bos"), eosId: roleId(files, backend, "eos") };
  const special = files.added.filter((token) => token.special);
  return {
    files,
    backend,
    special,
    specialIds: new Set(special.map((token) => token.id)),
    pieces: createPieces(backend),
    affixes: findAffixes(backend, files, ids),
  };
}

function roleId(files: TokenizerFiles, backend: Backend, role: SpecialRole): number | undefined {
  const token = files.roles.get(role);
  return token === undefined ? undefined : backend.idOf.get(token);
}

function notSingle(text: string, pieces: readonly string[]): TokenError {
  return new TokenError({
    where: "tokenizer.toSingleToken: text",
    got: `${JSON.stringify(text)}, which is ${pieces.length} tokens: ${formatList(pieces)}`,
    expected: "text that is exactly one token",
    fix: "Mind the leading space; most words are one token only after one.",
  });
}

/**
 * Opens the tokenizer of a model folder; it is read when first used.
 *
 * @throws CheckpointError when the folder holds no `tokenizer.json`.
 */
export async function openTokenizer(folder: string): Promise<Tokenizer> {
  const path = join(folder, "tokenizer.json");
  const found = await stat(path).catch(() => undefined);
  if (found?.isFile() === true) return new Tokenizer(folder);
  throw new CheckpointError({
    where: `openTokenizer: ${folder}`,
    got: "a folder without tokenizer.json",
    expected: "a fast tokenizer file",
    fix: "Save it there with AutoTokenizer.from_pretrained(...).save_pretrained(folder), or pass token ids instead of text.",
  });
}
