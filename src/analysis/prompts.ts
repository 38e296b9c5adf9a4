/** Prompts as rows of token ids, so that unequal ones can run in groups of equal length, without padding. */
import { InputError } from "../core/index.js";
import type { InputOptions, Model, ModelInput, TokenRow } from "../model/index.js";

/** One prompt or several: texts or rows of token ids, of any lengths. */
export type Prompts = string | readonly string[] | TokenRow | readonly TokenRow[];

/** A prompt as the model reads it. */
export interface PromptTokens {
  /** BOS included where the tokenizer puts it. */
  readonly ids: Int32Array;
  /** One string per token; ids as text for models without a tokenizer. */
  readonly pieces: readonly string[];
}

/** Prompts of one length, with their places among all prompts. */
export interface PromptGroup {
  readonly length: number;
  readonly places: readonly number[];
  readonly rows: readonly Int32Array[];
}

function isRow(prompts: Prompts): prompts is TokenRow {
  return prompts instanceof Int32Array || (Array.isArray(prompts) && typeof prompts[0] === "number");
}

/** One model input for each prompt. */
export function listPrompts(prompts: Prompts): readonly ModelInput[] {
  return typeof prompts === "string" || isRow(prompts) ? [prompts] : prompts;
}

function noPrompts(where: string): InputError {
  return new InputError({ where, got: "no prompts", expected: "one prompt or more", fix: "Pass a text." });
}

/**
 * Returns each prompt as the model reads it.
 *
 * @throws InputError for an empty list; TokenError for ids that the model does not have.
 */
export function readPrompts(
  model: Model,
  prompts: Prompts,
  options: InputOptions,
  where: string,
): readonly PromptTokens[] {
  const list = listPrompts(prompts);
  if (list.length === 0) throw noPrompts(where);
  return list.map((prompt) => {
    const ids = Int32Array.from(model.toTokens(prompt, options).data);
    if (ids.length === 0) throw noPrompts(where);
    return { ids, pieces: piecesOf(model, ids) };
  });
}

/** One string per token id; the ids themselves for models without a tokenizer. */
export function piecesOf(model: Model, ids: ArrayLike<number>): readonly string[] {
  const { tokenizer } = model.view.core;
  return tokenizer === undefined ? Array.from(ids, (id) => `#${id}`) : tokenizer.pieces(ids);
}

/** Most tokens of one run. */
const runTokens = 4096;

/** Groups prompts by length, in the order in which lengths first appear; a group is one run of bounded size. */
export function groupByLength(
  prompts: readonly PromptTokens[],
  mostTokens: number = runTokens,
): readonly PromptGroup[] {
  const lengths = [...new Set(prompts.map(({ ids }) => ids.length))];
  return lengths.flatMap((length) => {
    const places = prompts.flatMap(({ ids }, place) => (ids.length === length ? [place] : []));
    const size = Math.max(1, Math.floor(mostTokens / length));
    return Array.from({ length: Math.ceil(places.length / size) }, (_, i) => {
      const own = places.slice(i * size, (i + 1) * size);
      return { length, places: own, rows: own.map((place) => prompts[place]?.ids ?? new Int32Array(0)) };
    });
  });
}

/** The options that say how text becomes tokens, without undefined fields. */
export function pickInput({ prependBos, allowSpecial }: InputOptions): InputOptions {
  return {
    ...(prependBos === undefined ? {} : { prependBos }),
    ...(allowSpecial === undefined ? {} : { allowSpecial }),
  };
}
