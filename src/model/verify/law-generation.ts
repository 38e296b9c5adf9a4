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

/** Edits that mean other positions in each step, or other rows, cannot be replayed without a cache or alone. */
function stepped({ model }: Subject): string | undefined {
  const edit = model.edits.find(({ select: { steps, pos, row } }) => (steps ?? pos ?? row) !== undefined);
  return edit === undefined ? undefined : `the view's edit.${edit.name} selects steps, positions or rows`;
}

/** Greedily continues prompts; all rows joined. */
async function continued(
  { model, options }: Subject,
  prompts: readonly (readonly number[])[],
  useCache: boolean,
): Promise<readonly number[]> {
  const maxNewTokens = Math.min(lengths.made, model.config.nCtx - lengths.prompt);
  const signal = options.signal === undefined ? {} : { signal: options.signal };
  const { newTokens } = await model.generate(prompts, { maxNewTokens, useCache, stopAtEos: false, ...signal });
  return newTokens.flat();
}

/** Greedy continuations: two prompts together, one of them padded, with a cache; each alone without. */
export const generationLaw: Law = {
  name: "generation",
  measure: async (subject): Promise<readonly Measurement[]> => {
    const measured = "tokens unlike those without cache and batch";
    const reason = obstacle(subject) ?? stepped(subject);
    if (reason !== undefined) return [{ measured, skipped: reason }];
    const { rows } = subject;
    const prompts = [rows[0].slice(0, lengths.prompt), rows[1].slice(0, lengths.prompt - 1)];
    const cached = await continued(subject, prompts, true);
    const plain = (await Promise.all(prompts.map((prompt) => continued(subject, [prompt], false)))).flat();
    const different = plain.filter((id, i) => cached[i] !== id).length + Math.abs(plain.length - cached.length);
    return [{ measured, value: different, bound: exactly(0), detail: `${plain.length} tokens` }];
  },
};
