/** Which tokens are right and wrong answers of each prompt. */
import { formatList, InputError, TokenError } from "../../core/index.js";
import type { TaskSource, TaskTokenizer } from "../../data/index.js";

/** Answers of prompts, in columns: what the generators of `tasks` return, or your own. Ids win over texts. */
export interface AnswerSource {
  /** One right answer of each prompt, as text with its leading space. */
  readonly answers?: readonly string[];
  /** One wrong answer of each prompt. */
  readonly wrongAnswers?: readonly string[];
  /** Ids of the right answers of each prompt; the first counts most. */
  readonly answerTokens?: readonly (readonly number[])[];
  /** Ids of the wrong answers of each prompt. */
  readonly wrongAnswerTokens?: readonly (readonly number[])[];
}

/** Options of metrics of answers. */
export interface AnswerOptions {
  /** Whether only the first answer of each prompt counts (the default), or all of them. */
  readonly answers?: "first" | "all";
  /** The model or tokenizer that texts are encoded with; needed where there are no ids. */
  readonly tokenizer?: TaskSource;
}

/** Right or wrong. */
export type Side = "right" | "wrong";

const words = {
  right: { texts: "answers", ids: "answerTokens" },
  wrong: { texts: "wrongAnswers", ids: "wrongAnswerTokens" },
} as const;

function singleToken(where: string, text: string, tokenizer: TaskTokenizer): number {
  const { ids } = tokenizer.encode(text, { prependBos: false });
  const [id] = ids;
  if (id !== undefined && ids.length === 1) return id;
  throw new TokenError({
    where,
    got: `the answer ${JSON.stringify(text)}, which is ${ids.length} tokens: ${formatList(tokenizer.pieces(ids).map((piece) => JSON.stringify(piece)))}`,
    expected: "answers that are one token, with their leading space",
    fix: "Choose another answer, or take the first token of this one: pass its id in answerTokens or wrongAnswerTokens.",
  });
}

function missing(where: string, side: Side): InputError {
  const { texts, ids } = words[side];
  return new InputError({
    where,
    got: `no ${side} answers`,
    expected: `${ids}, or ${texts} together with { tokenizer: model }`,
    fix: "Pass what a generator of tasks returned, or the ids of your own answers.",
  });
}

function encoded(where: string, source: AnswerSource, side: Side, { tokenizer }: AnswerOptions): number[][] {
  const texts = source[words[side].texts];
  if (texts === undefined || tokenizer === undefined) throw missing(where, side);
  const own = "tokenizer" in tokenizer ? tokenizer.tokenizer : tokenizer;
  return texts.map((text) => [singleToken(where, text, own)]);
}

/**
 * Returns the ids of the answers of each prompt: one, or all of them.
 *
 * @param where - Names the metric in messages.
 * @throws InputError when there are none; TokenError when a text is not one token.
 */
export function answerIds(
  where: string,
  source: AnswerSource,
  side: Side,
  options: AnswerOptions,
): readonly (readonly number[])[] {
  const ids = source[words[side].ids] ?? encoded(where, source, side, options);
  const empty = ids.findIndex((own) => own.length === 0);
  if (ids.length > 0 && empty < 0) return options.answers === "all" ? ids : ids.map((own) => own.slice(0, 1));
  throw new InputError({
    where,
    got: ids.length === 0 ? "no prompts" : `no ${side} answer of prompt ${empty}`,
    expected: "at least one answer of each prompt",
    fix: "Leave out prompts without an answer.",
  });
}

/**
 * Checks that both columns are of the same prompts.
 *
 * @throws InputError when they differ in length, or an answer is right and wrong at once.
 */
export function checkSides(
  where: string,
  right: readonly (readonly number[])[],
  wrong: readonly (readonly number[])[],
): void {
  if (right.length !== wrong.length) {
    throw new InputError({
      where,
      got: `right answers of ${right.length} prompts and wrong answers of ${wrong.length}`,
      expected: "as many of each",
      fix: "Give a right and a wrong answer for every prompt.",
    });
  }
  const both = right.findIndex((ids, prompt) => ids.some((id) => wrong[prompt]?.includes(id) === true));
  if (both < 0) return;
  throw new InputError({
    where,
    got: `an answer of prompt ${both} that is both right and wrong`,
    expected: "right and wrong answers that differ",
    fix: "Check whether two texts begin with the same token.",
  });
}
