/** Generation with cached keys and values, and in a batch, is generation without. */
import { exactly, type Law, type Measurement } from "./check.js";
import type { Subject } from "./subject.js";

/** Tokens of the prompt and new ones. */
const lengths = { prompt: 4, made: 8 } as const;

/** Why a model cannot be asked to continue a prompt, or `undefined`. */
function obstacle({ model, isCausal, rows }: Subject): string | undefined {
  const { dVocab, dVocabOut, nCtx } = model.config;
  if (!isCausal) return "attention looks both ways";
  if (dVocab !== dVocabOut) return "outputs are not tokens of the input vocabulary";
  if (Math.min(nCtx, rows[0].length) <= lengths.prompt) return `the context is only ${nCtx} tokens`;
  return undefined;
}

/** Greedy continuations: two prompts together, one of them padded, with a cache; each alone without. */
export const generationLaw: Law = {
  name: "generation",
  measure: async (subject): Promise<readonly Measurement[]> => {
    const measured = "tokens unlike those without cache and batch";
    const reason = obstacle(subject);
    if (reason !== undefined) return [{ measured, skipped: reason }];
    const { model, rows, options } = subject;
    const prompts = [rows[0].slice(0, lengths.prompt), rows[1].slice(0, lengths.prompt - 1)];
    const maxNewTokens = Math.min(lengths.made, model.config.nCtx - lengths.prompt);
    const signal = options.signal === undefined ? {} : { signal: options.signal };
    const make = async (input: readonly (readonly number[])[], useCache: boolean): Promise<readonly number[]> =>
      (await model.generate(input, { maxNewTokens, useCache, stopAtEos: false, ...signal })).newTokens.flat();
    const cached = await make(prompts, true);
    const plain = (await Promise.all(prompts.map((prompt) => make([prompt], false)))).flat();
    const different = plain.filter((id, i) => cached[i] !== id).length + Math.abs(plain.length - cached.length);
    return [{ measured, value: different, bound: exactly(0), detail: `${plain.length} tokens` }];
  },
};
