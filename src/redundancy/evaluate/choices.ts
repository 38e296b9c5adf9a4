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
    where: "choiceAccuracy",
    got: items.length === 0 ? "no questions" : `question ${bad} with ${items[bad]?.choices.length ?? 0} choices`,
    expected: "questions of two choices or more, and the place of the right one",
    fix: "Write { prompt, choices: [right, wrong], answer: 0 }.",
  });
}

/**
 * Returns the share of questions whose right choice is the likeliest continuation of the prompt.
 *
 * The log-likelihood of a choice is the sum over its tokens; the first of two equal ones counts.
 *
 * @throws InputError for questions without choices.
 */
export async function choiceAccuracy(
  model: Model,
  items: readonly Choice[],
  { signal }: LongCallOptions = {},
): Promise<number> {
  checkChoices(items);
  const coded = items.flatMap(({ prompt, choices }, item) =>
    choices.map((choice, index) => ({ item, index, ...encodeChoice(model, prompt, choice) })),
  );
  const scores = items.map(({ choices }) => new Float64Array(choices.length));
  for (const length of new Set(coded.map(({ ids }) => ids.length))) {
    throwIfAborted(signal, "choiceAccuracy");
    const group = coded.filter(({ ids }) => ids.length === length);
    const rows = group.map(({ ids }) => ids);
    const { lossPerToken } = await model.run(rows, { loss: true, logits: "none" });
    const losses = lossPerToken.data;
    group.forEach(({ item, index, from }, row) => {
      let sum = 0;
      for (let p = from - 1; p < length - 1; p++) sum -= losses[row * (length - 1) + p] ?? 0;
      const own = scores[item];
      if (own !== undefined) own[index] = sum;
    });
  }
  const right = items.filter(({ answer }, item) => scores[item]?.indexOf(Math.max(...(scores[item] ?? []))) === answer);
  return right.length / items.length;
}
