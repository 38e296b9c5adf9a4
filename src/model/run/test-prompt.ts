/** Does the model know? Where the tokens of an expected answer rank after a prompt. */
import { InputError, type LongCallOptions, printsItself } from "../../core/index.js";
import type { Tensor } from "../../tensor/index.js";
import type { Tokenizer } from "../tokenizer/index.js";
import type { ModelView } from "../view.js";
import type { InputOptions } from "./input-types.js";
import { runModel } from "./run.js";

/** Options of `model.testPrompt`. */
export interface TestPromptOptions extends Pick<InputOptions, "prependBos">, LongCallOptions {
  /** Puts a space before answers that begin without one, so that they are words of their own. Default true. */
  readonly prependSpace?: boolean;
  /** How many of the most probable next tokens to list. Default 10. */
  readonly topK?: number;
}

/** A token that the model could put next. */
export interface NextToken {
  readonly id: number;
  readonly text: string;
  readonly logit: number;
  readonly probability: number;
}

/** One token of an answer, predicted from the prompt and the answer's tokens before it. */
export interface AnswerToken extends NextToken {
  /** How many tokens are more probable: 0 is the model's first choice. */
  readonly rank: number;
  /** The most probable tokens at this place, best first. */
  readonly top: readonly NextToken[];
}

/** How one answer fares. */
export interface AnswerTest {
  /** As given, with the space that was put before it. */
  readonly answer: string;
  readonly tokens: readonly AnswerToken[];
  /** Natural logarithm of the probability of the whole answer. */
  readonly logProbability: number;
}

/** The result of `model.testPrompt`; it prints itself. */
export class PromptTest {
  static {
    printsItself(this.prototype);
  }

  /** The prompt's tokens as text. */
  readonly prompt: readonly string[];
  /** In the order given. */
  readonly answers: readonly AnswerTest[];

  /** @internal */
  constructor(prompt: readonly string[], answers: readonly AnswerTest[]) {
    this.prompt = prompt;
    this.answers = answers;
  }

  /** The most probable next tokens, then each answer's tokens with rank and probability. */
  toString(): string {
    const top = this.answers[0]?.tokens[0]?.top ?? [];
    return [
      `Prompt: ${this.prompt.map(quoted).join(" ")}`,
      "Next tokens:",
      ...top.map((token, place) => `  ${String(place).padStart(2)}  ${describe(token)}`),
      ...this.answers.flatMap(printAnswer),
    ].join("\n");
  }
}

function quoted(text: string): string {
  return JSON.stringify(text);
}

function describe({ text, logit, probability }: NextToken): string {
  return `${quoted(text)}  ${(100 * probability).toFixed(2)} %  logit ${logit.toFixed(3)}`;
}

function printAnswer({ answer, tokens, logProbability }: AnswerTest): readonly string[] {
  const whole = tokens.length === 1 ? "" : `  ${(100 * Math.exp(logProbability)).toPrecision(3)} % as a whole`;
  return [`Answer ${quoted(answer)}${whole}`, ...tokens.map((token) => `  rank ${token.rank}  ${describe(token)}`)];
}

/** Ids of an answer as it continues a text; a tokenizer that puts a space in front itself gets no second one. */
function answerIds(tokenizer: Tokenizer, answer: string): readonly number[] {
  const encode = (text: string): readonly number[] => Array.from(tokenizer.encode(text, { prependBos: false }).ids);
  if (!answer.startsWith(" ")) return encode(answer);
  const bare = encode(answer.slice(1));
  return bare.map((id) => tokenizer.piece(id)).join("") === answer ? bare : encode(answer);
}

/** One place of an answer from its logits `[dVocabOut]`. */
function answerToken(tokenizer: Tokenizer, logits: Tensor, id: number, topK: number): AnswerToken {
  const values = Array.from(logits.data as Float32Array);
  const probabilities = Array.from((logits.softmax("dVocabOut") as Tensor).data as Float32Array);
  const next = (token: number): NextToken => ({
    id: token,
    text: tokenizer.piece(token),
    logit: values[token] ?? Number.NaN,
    probability: probabilities[token] ?? Number.NaN,
  });
  const order = (logits.topk(Math.min(topK, values.length), "dVocabOut").indices as Tensor).data as Int32Array;
  const own = next(id);
  return { ...own, rank: values.filter((value) => value > own.logit).length, top: Array.from(order, next) };
}

function refuse(got: string, expected: string): InputError {
  return new InputError({
    where: "model.testPrompt",
    got,
    expected,
    fix: 'Pass text such as testPrompt("The cat sat on the", " mat").',
  });
}

/** Logits that predict each token of an answer, `[pos, dVocabOut]`. */
async function answerLogits(
  view: ModelView,
  row: readonly number[],
  from: number,
  options: LongCallOptions,
): Promise<Tensor> {
  const run = await runModel(view, [row.slice(0, -1)], { ...options, logits: { from: from - 1 } });
  return run.logits.at({ batch: 0 });
}

function needTokenizer({ core }: ModelView): Tokenizer {
  if (core.tokenizer !== undefined) return core.tokenizer;
  throw refuse("a model without a tokenizer", "a model folder with tokenizer.json");
}

/** The answers with the space that belongs before each. */
function checkedAnswers(answers: string | readonly string[], options: TestPromptOptions): readonly string[] {
  const { prependSpace = true, topK = 10 } = options;
  if (!Number.isInteger(topK) || topK < 1) throw refuse(`topK: ${topK}`, "a positive integer");
  const list = typeof answers === "string" ? [answers] : answers;
  if (list.length === 0 || list.includes(""))
    throw refuse("no answer, or an empty one", "at least one token to look for");
  return list.map((answer) => (prependSpace && !/^\s/.test(answer) ? ` ${answer}` : answer));
}

function promptIds(tokenizer: Tokenizer, prompt: string, { prependBos }: TestPromptOptions): readonly number[] {
  const { ids } = tokenizer.encode(prompt, prependBos === undefined ? {} : { prependBos });
  if (ids.length === 0) throw refuse("an empty prompt", "at least one token, BOS included");
  return Array.from(ids);
}

/**
 * Tells where the tokens of expected answers rank after a prompt.
 *
 * @throws InputError for a model without a tokenizer, an empty answer or `topK` below 1; what `model.run` throws for the
 *   prompt.
 * @see TransformerLens `utils.test_prompt`
 */
export async function testPrompt(
  view: ModelView,
  prompt: string,
  answers: string | readonly string[],
  options: TestPromptOptions = {},
): Promise<PromptTest> {
  const { topK = 10, signal, onProgress } = options;
  const tokenizer = needTokenizer(view);
  const list = checkedAnswers(answers, options);
  const start = promptIds(tokenizer, prompt, options);
  const long = signal === undefined ? {} : { signal };
  const results: AnswerTest[] = [];
  for (const answer of list) {
    const ids = answerIds(tokenizer, answer);
    const logits = await answerLogits(view, [...start, ...ids], start.length, long);
    const tokens = ids.map((id, pos) => answerToken(tokenizer, logits.at({ pos }), id, topK));
    const logProbability = tokens.reduce((sum, { probability }) => sum + Math.log(probability), 0);
    results.push({ answer, tokens, logProbability });
    onProgress?.({ done: results.length, total: list.length, label: "answers" });
  }
  return new PromptTest(tokenizer.pieces(start), results);
}
