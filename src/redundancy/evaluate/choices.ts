/** Accuracy at multiple choice, by the log-likelihood of each choice. */
import { InputError, type LongCallOptions, throwIfAborted } from "../../core/index.js";
import type { Model } from "../../model/index.js";

/** A question with its choices. */
export interface Choice {
  readonly prompt: string;
  /** What may follow the prompt; each begins with its space. */
  readonly choices: readonly string[];
  /** Place of the right choice. */
  readonly answer: number;
}

/** Token ids of a prompt with a choice behind it, and where the choice begins. */
function encodeChoice(model: Model, prompt: string, choice: string): { readonly ids: number[]; readonly from: number } {
  const before = Array.from(model.toTokens(prompt).data);
  const after = Array.from(model.tokenizer.encode(choice, { prependBos: false }).ids);
  return { ids: [...before, ...after], from: before.length };
}

function checkChoices(items: readonly Choice[]): void {
  const bad = items.findIndex(({ choices, answer }) => choices.length < 2 || choices[answer] === undefined);
  if (items.length > 0 && bad < 0) return;
  throw new InputError({
    where: "multiple choice",
    got: items.length === 0 ? "no questions" : `question ${bad} with ${items[bad]?.choices.length ?? 0} choices`,
    expected: "questions of two choices or more, and the place of the right one",
    fix: "Write { prompt, choices: [right, wrong], answer: 0 }.",
  });
}

/** Options of {@link choiceMargins}. */
export interface ChoiceOptions extends LongCallOptions {
  /** Layers in the order in which they run; default the model's. */
  readonly layers?: readonly number[];
}

/**
 * Returns by how much the right choice of each question is likelier than the best wrong one, in nats.
 *
 * The log-likelihood of a choice is the sum over its tokens. Above 0 the question is answered.
 *
 * @throws InputError for questions without choices.
 */
export async function choiceMargins(
  model: Model,
  items: readonly Choice[],
  { signal, layers }: ChoiceOptions = {},
): Promise<readonly number[]> {
  checkChoices(items);
  const coded = items.flatMap(({ prompt, choices }, item) =>
    choices.map((choice, index) => ({ item, index, ...encodeChoice(model, prompt, choice) })),
  );
  const scores = items.map(({ choices }) => new Float64Array(choices.length));
  for (const length of new Set(coded.map(({ ids }) => ids.length))) {
    throwIfAborted(signal, "choiceAccuracy");
    const group = coded.filter(({ ids }) => ids.length === length);
    const rows = group.map(({ ids }) => ids);
    const { lossPerToken } = await model.run(rows, {
      loss: true,
      logits: "none",
      ...(layers === undefined ? {} : { layers }),
    });
    const losses = lossPerToken.data;
    group.forEach(({ item, index, from }, row) => {
      let sum = 0;
      for (let p = from - 1; p < length - 1; p++) sum -= losses[row * (length - 1) + p] ?? 0;
      const own = scores[item];
      if (own !== undefined) own[index] = sum;
    });
  }
  return items.map(({ answer }, item) => {
    const own = scores[item] ?? new Float64Array(0);
    return (own[answer] ?? Number.NaN) - Math.max(...own.filter((_, index) => index !== answer));
  });
}

/**
 * Returns the share of questions whose right choice is the likeliest continuation of the prompt; of equal ones none is.
 *
 * @throws InputError for questions without choices.
 */
export async function choiceAccuracy(
  model: Model,
  items: readonly Choice[],
  options: LongCallOptions = {},
): Promise<number> {
  const margins = await choiceMargins(model, items, options);
  return margins.filter((margin) => margin > 0).length / items.length;
}
