/** From what is asked to a direction of the normalised stream, and the constant part that no activation makes. */
import { formatShape, InputError, ShapeError } from "../../core/index.js";
import { logitBias, type Model, tokensToResidualDirections } from "../../model/index.js";
import { Tensor } from "../../tensor/index.js";
import type { AttributedLogits, AttributedTokens, AttributionTarget } from "./types.js";

/** What is attributed, for all prompts. */
export interface ResolvedTarget {
  /** In words, such as `logit of " Paris"`. */
  readonly name: string;
  /** Along which the final norm's output is read before its gain where the view folds it: `[batch, dModel]`. */
  readonly directions: Tensor;
  /** `[batch]` each: from the final norm's bias and from the unembedding's. */
  readonly lnFinal: Tensor;
  readonly unembed: Tensor;
  /** The value itself, read off a run; `prompt` counts all prompts. */
  readonly total: (values: TargetReading, prompt: number) => number;
  /** Whether {@link TargetReading} needs the final norm's output in place of logits. */
  readonly isDirection: boolean;
}

/** What a run knows of one prompt's attributed position. */
export interface TargetReading {
  /** Logits before any soft cap, `[dVocabOut]`, or the final norm's output, `[dModel]`. */
  readonly values: ArrayLike<number | bigint>;
}

const where = "attribution.direct: of";

function perPrompt(tokens: AttributedTokens, prompts: number): readonly (string | number)[] {
  if (typeof tokens === "string" || typeof tokens === "number") return Array.from({ length: prompts }, () => tokens);
  if (tokens.length === prompts) return tokens;
  throw new InputError({
    where,
    got: `${tokens.length} tokens for ${prompts} prompts`,
    expected: "one token for each prompt, or one for all",
    fix: "Pass as many tokens as prompts.",
  });
}

function idsOf(model: Model, tokens: AttributedTokens, prompts: number): readonly number[] {
  return perPrompt(tokens, prompts).map((token) => (typeof token === "number" ? token : model.toSingleToken(token)));
}

function isTokens(of: AttributionTarget): of is AttributedTokens {
  return typeof of !== "object" || Array.isArray(of);
}

/** Tokens of a task: ids where it knows them, else texts. */
function fromTask(
  texts: readonly string[],
  ids: readonly (readonly number[])[] | undefined,
): readonly (string | number)[] {
  return texts.map((text, i) => ids?.[i]?.[0] ?? text);
}

function asLogits(of: Exclude<AttributionTarget, { readonly direction: Tensor }>): AttributedLogits {
  if (isTokens(of)) return { tokens: of };
  if ("tokens" in of) return of;
  return {
    tokens: fromTask(of.answers, of.answerTokens),
    minus: fromTask(of.wrongAnswers, of.wrongAnswerTokens),
  };
}

function nameOf({ tokens, minus }: AttributedLogits): string {
  const word = (token: AttributedTokens): string =>
    typeof token === "string" ? JSON.stringify(token) : typeof token === "number" ? `#${token}` : "the answer";
  if (minus === undefined) return `logit of ${word(tokens)}`;
  if (typeof tokens === "object") return "logit difference";
  return `logit of ${word(tokens)} − ${typeof minus === "object" ? "another" : word(minus)}`;
}

async function logitTarget(model: Model, asked: AttributedLogits, prompts: number): Promise<ResolvedTarget> {
  const ids = [
    idsOf(model, asked.tokens, prompts),
    ...(asked.minus === undefined ? [] : [idsOf(model, asked.minus, prompts)]),
  ];
  const [right = [], wrong] = ids;
  const [plus, minus] = [await readout(model, right), wrong === undefined ? undefined : await readout(model, wrong)];
  const difference = (key: keyof typeof plus): Tensor => (minus === undefined ? plus[key] : plus[key].sub(minus[key]));
  return {
    name: nameOf(asked),
    directions: difference("directions"),
    lnFinal: difference("lnFinal"),
    unembed: difference("unembed"),
    total: ({ values }, prompt) => {
      const logit = (list: readonly number[]): number => Number(values[list[prompt] ?? -1]);
      return logit(right) - (wrong === undefined ? 0 : logit(wrong));
    },
    isDirection: false,
  };
}

async function readout(
  model: Model,
  ids: readonly number[],
): Promise<{ readonly directions: Tensor; readonly lnFinal: Tensor; readonly unembed: Tensor }> {
  const { lnFinal, unembed } = await logitBias(model, ids);
  return { directions: await tokensToResidualDirections(model, ids), lnFinal, unembed };
}

/** The direction for each prompt, `[batch, dModel]`. */
function spread(direction: Tensor, model: Model, prompts: number): Tensor {
  const { dModel } = model.config;
  const isOne = direction.axes.length === 1;
  const rows = isOne ? 1 : (direction.shape[0] ?? 0);
  if (direction.axes.length > 2 || direction.shape.at(-1) !== dModel || (!isOne && rows !== prompts))
    throw new ShapeError({
      where: "attribution.direct: direction",
      got: formatShape(direction.shape, direction.axes),
      expected: `[dModel=${dModel}], or [batch=${prompts}, dModel=${dModel}]`,
      fix: "Give one direction, or one for each prompt.",
    });
  const named: Tensor = Tensor.of(direction.contiguous().data, [rows, dModel], ["batch", "dModel"]);
  return isOne ? named.at({ batch: Array.from({ length: prompts }, () => 0) }) : named;
}

async function directionTarget(
  model: Model,
  { direction, name = "the stream along a direction" }: { readonly direction: Tensor; readonly name?: string },
  prompts: number,
): Promise<ResolvedTarget> {
  const plain = spread(direction, model, prompts).cast(model.view.precision);
  // Parts of the stream are normalised without the gain where the view folds it; the norm's output has it all the same.
  const { foldLn } = model.view.processing;
  const own = foldLn ? model.processed({ foldLn: false }).weights : model.weights;
  const [gain, bias] = [await own.normGain("ln_final"), await own.normBias("ln_final")];
  const none: Tensor = plain.sum("dModel").mul(0);
  return {
    name,
    directions: foldLn && gain !== undefined ? plain.mul(gain) : plain,
    lnFinal: bias === undefined ? none : plain.matmul(bias, "dModel"),
    unembed: none,
    total: ({ values }, prompt) => {
      const row = plain.at({ batch: prompt }).contiguous().data;
      return Array.from(row, Number).reduce((sum, x, i) => sum + x * Number(values[i]), 0);
    },
    isDirection: true,
  };
}

/**
 * Resolves what is attributed.
 *
 * @throws InputError when tokens and prompts differ in number; TokenError for text that is not one token; ShapeError for a
 *   direction of another size.
 */
export function resolveTarget(model: Model, of: AttributionTarget, prompts: number): Promise<ResolvedTarget> {
  if (!isTokens(of) && "direction" in of) return directionTarget(model, of, prompts);
  return logitTarget(model, asLogits(of), prompts);
}
