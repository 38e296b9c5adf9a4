/** Pairs of prompts: one whose activations are copied, one into whose run they are written. */
import { InputError, TokenError } from "../../core/index.js";
import type { Model, ModelInput } from "../../model/index.js";
import { Tensor } from "../../tensor/index.js";

/** PatchInput as text or token ids; text is read by the model's own tokenizer. */
export type PatchInput = string | readonly string[] | readonly number[] | readonly (readonly number[])[] | Tensor;

/** Two prompts of the same number of tokens. */
export interface TokenPair {
  /** Its place among the prompts, which is its place among the metric's. */
  readonly index: number;
  readonly from: readonly number[];
  readonly into: readonly number[];
}

function isRows(input: readonly unknown[]): input is readonly (readonly number[])[] {
  return input.every((one) => Array.isArray(one));
}

function isTexts(input: readonly unknown[]): input is readonly string[] {
  return input.every((one) => typeof one === "string");
}

function rowsOf(model: Model, input: ModelInput): readonly (readonly number[])[] {
  const tokens = model.toTokens(input);
  const [batch, pos] = [tokens.sizeOf("batch"), tokens.sizeOf("pos")];
  return Array.from({ length: batch }, (_, row) => Array.from(tokens.data.subarray(row * pos, (row + 1) * pos)));
}

/** The token ids of each prompt, read one by one, so that nothing is padded. */
export function promptTokens(model: Model, prompts: PatchInput, where: string): readonly (readonly number[])[] {
  if (typeof prompts === "string" || prompts instanceof Tensor) return rowsOf(model, prompts);
  if (prompts.length === 0) throw noPrompts(where);
  if (isTexts(prompts)) return prompts.flatMap((text) => rowsOf(model, text));
  if (isRows(prompts)) return prompts.flatMap((ids) => rowsOf(model, [ids]));
  return rowsOf(model, [prompts]);
}

function noPrompts(where: string): InputError {
  return new InputError({ where, got: "no prompts", expected: "at least one", fix: "Give a prompt." });
}

/**
 * Pairs prompts one to one.
 *
 * @throws InputError when there are more of one kind; TokenError when the two of a pair differ in length.
 */
export function pairPrompts(
  from: readonly (readonly number[])[],
  into: readonly (readonly number[])[],
  where: string,
): readonly TokenPair[] {
  if (from.length !== into.length) throw unpaired(from.length, into.length, where);
  return from.map((tokens, index) => {
    const other = into[index] ?? [];
    if (tokens.length !== other.length) throw misaligned(index, [tokens.length, other.length], where);
    return { index, from: tokens, into: other };
  });
}

function unpaired(from: number, into: number, where: string): InputError {
  return new InputError({
    where,
    got: `${from} prompts to copy from and ${into} to write into`,
    expected: "pairs: as many of one as of the other",
    fix: "Give one source for each prompt; repeat it where several share one.",
  });
}

function misaligned(index: number, [from, into]: readonly [number, number], where: string): TokenError {
  return new TokenError({
    where: `${where}: pair ${index}`,
    got: `${from} tokens to copy from and ${into} to write into, without an alignment`,
    expected: "prompts of the same number of tokens, position by position",
    fix: "Choose words of equal length in tokens; the generators of tasks do so.",
  });
}

/** Pairs of the same length, in the order of their first prompt. */
export function byLength(pairs: readonly TokenPair[]): readonly (readonly TokenPair[])[] {
  const groups = new Map<number, TokenPair[]>();
  for (const pair of pairs) groups.set(pair.into.length, [...(groups.get(pair.into.length) ?? []), pair]);
  return [...groups.values()];
}
