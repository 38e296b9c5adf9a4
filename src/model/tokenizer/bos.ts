/** What stands around a text: the tokenizer's own habit, the caller's wish, and the check that BOS is not doubled. */
import { TokenError } from "../../core/index.js";
import { type Backend, probeText } from "./backend.js";
import type { TokenizerFiles } from "./files.js";

/**
 * Who put the BOS token in front: `"tokenizer"` its own habit, `"option"` the caller's `prependBos: true`,
 * `"template"` a chat template, `"text"` the text itself (with control tokens allowed), `"none"` nobody.
 */
export type BosPolicy = "none" | "tokenizer" | "option" | "template" | "text";

/** The ids that a tokenizer puts before and after every text. */
export interface Affixes {
  readonly prefix: readonly number[];
  readonly suffix: readonly number[];
}

/** Tokenizer classes that rebuild their post-processor from `add_bos_token` and `add_eos_token`. */
const rebuilding = /^(?:CodeLlama|Llama|Gemma|GPTNeoX|Cohere)Tokenizer(?:Fast)?$/;

/** Finds a tokenizer's own affixes by encoding, then applies `add_bos_token`, `add_eos_token` where its class does. */
export function findAffixes(backend: Backend, files: TokenizerFiles, ids: RoleIds): Affixes {
  const probe = probeText(backend);
  const inner = backend.encodeSpecial(probe);
  const whole = backend.encodeWhole(probe);
  const start = whole.findIndex((_, at) => inner.every((id, i) => whole[at + i] === id));
  const prefix = whole.slice(0, Math.max(start, 0));
  const suffix = start < 0 ? [] : whole.slice(start + inner.length);
  if (!rebuilding.test(String(files.config["tokenizer_class"]))) return { prefix, suffix };
  return {
    prefix: rebuilt(prefix, files.config["add_bos_token"], ids.bosId),
    suffix: rebuilt(suffix, files.config["add_eos_token"], ids.eosId),
  };
}

/** Ids of the two tokens that affixes are made of. */
export interface RoleIds {
  readonly bosId: number | undefined;
  readonly eosId: number | undefined;
}

function rebuilt(found: readonly number[], wanted: unknown, id: number | undefined): readonly number[] {
  if (wanted === true && id !== undefined) return [id];
  return wanted === false ? found.filter((other) => other !== id) : found;
}

/** What {@link applyAffixes} needs to know. */
export interface AffixRequest extends Affixes {
  readonly bosId: number | undefined;
  /** `undefined` follows the tokenizer. */
  readonly prependBos: boolean | undefined;
}

/** Puts the affixes around `ids` and says who added BOS. */
export function applyAffixes(ids: readonly number[], request: AffixRequest): { ids: number[]; bos: BosPolicy } {
  const { prefix, suffix, bosId, prependBos } = request;
  const own = bosId !== undefined && prefix[0] === bosId;
  if (prependBos === true && bosId === undefined) throw noBos();
  const front = own && prependBos === false ? prefix.slice(1) : prefix;
  const extra = prependBos === true && !own && bosId !== undefined ? [bosId] : [];
  const result = [...extra, ...front, ...ids, ...suffix];
  return { ids: result, bos: policy(own, prependBos, result[0] === bosId && bosId !== undefined) };
}

function policy(own: boolean, prependBos: boolean | undefined, startsWithBos: boolean): BosPolicy {
  if (prependBos === true) return "option";
  if (own && prependBos === undefined) return "tokenizer";
  return startsWithBos ? "text" : "none";
}

function noBos(): TokenError {
  return new TokenError({
    where: "tokenizer.encode: prependBos",
    got: "true",
    expected: "a tokenizer with a BOS token; this one names none",
    fix: "Leave prependBos out, or name `bos_token` in tokenizer_config.json.",
  });
}

/** Throws a {@link TokenError} when `ids` begin with BOS twice. */
export function checkSingleBos(ids: ArrayLike<number>, bosId: number | undefined, where: string): void {
  if (bosId === undefined || ids.length < 2 || ids[0] !== bosId || ids[1] !== bosId) return;
  const expected = "one, as the model saw in training";
  const fix = "Remove it from the text, or pass prependBos: false.";
  throw new TokenError({ where, got: `the BOS token ${bosId} twice at the start`, expected, fix });
}

/** Throws a {@link TokenError} when text that begins with the BOS string would get another BOS in front. */
export function checkBosText(text: string, bosToken: string | undefined, bos: BosPolicy): void {
  if (bosToken === undefined || !text.startsWith(bosToken) || (bos !== "tokenizer" && bos !== "option")) return;
  throw new TokenError({
    where: "tokenizer.encode: text",
    got: `text that begins with ${JSON.stringify(bosToken)}, and BOS is prepended (policy "${bos}")`,
    expected: "one BOS token, as the model saw in training",
    fix: "Remove it from the text, or pass prependBos: false; allowSpecial: false reads those characters as plain text.",
  });
}
