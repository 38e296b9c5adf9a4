/** Public answers of well-known models: predictions, ranks, and the greater-than task. */
import type { Tokenizer } from "../tokenizer/index.js";
import { atMost, type Law, type Measurement } from "./check.js";
import { lastAxisRows } from "./compare.js";
import { findKnownAnswers, type KnownAnswers, type RecordedRank } from "./known-answers.js";
import type { Subject } from "./subject.js";

async function lastLogits(
  subject: Subject,
  input: string | readonly number[],
  prependBos?: boolean,
): Promise<ArrayLike<number>> {
  const bos = prependBos === undefined ? {} : { prependBos };
  const { logits } = await subject.run(input, { logits: "last", ...bos });
  return lastAxisRows(logits)[0] ?? [];
}

/** The recorded likeliest tokens are the likeliest, with the recorded logits. */
async function measureTop(subject: Subject, { top: recorded }: KnownAnswers): Promise<readonly Measurement[]> {
  const logits = await lastLogits(subject, recorded.tokens);
  const order = Array.from(logits, (_, id) => id).sort((a, b) => (logits[b] ?? 0) - (logits[a] ?? 0));
  const best = new Set(order.slice(0, recorded.top.length));
  const missing = recorded.top.filter(([id]) => !best.has(id)).length;
  const gaps = recorded.top.map(([id, logit]) => Math.abs((logits[id] ?? Number.NaN) - logit));
  const detail = recorded.source;
  return [
    { measured: "recorded top tokens that are not", value: missing, bound: atMost(0), detail },
    {
      measured: "recorded logits, largest difference",
      value: Math.max(...gaps),
      bound: atMost(recorded.tolerance),
      detail,
    },
  ];
}

/** The rank of a token after a prompt, with and without BOS. */
async function measureRank(subject: Subject, tokenizer: Tokenizer, recorded: RecordedRank): Promise<Measurement> {
  const id = tokenizer.toSingleToken(recorded.token);
  const rankOf = async (prependBos: boolean): Promise<number> => {
    const logits = await lastLogits(subject, recorded.prompt, prependBos);
    return Array.from(logits).filter((logit) => logit > (logits[id] ?? Number.NaN)).length;
  };
  const [withBos, without] = [await rankOf(true), await rankOf(false)];
  return {
    measured: `rank of "${recorded.token}", off by`,
    value: Math.min(...[withBos, without].map((rank) => Math.abs(rank - recorded.rank))),
    bound: atMost(recorded.tolerance),
    detail: `"${recorded.prompt}": ${withBos} with BOS, ${without} without; published ${recorded.rank}`,
  };
}

const twoDigits = (year: number): string => String(year).padStart(2, "0");

/** `Σ_{y > YY} p(y) − Σ_{y ≤ YY} p(y)` over the hundred two-digit tokens. */
function probabilityDifference(logits: ArrayLike<number>, ids: readonly number[], year: number): number {
  const row = ids.map((id) => logits[id] ?? Number.NaN);
  const top = Math.max(...row);
  const weights = row.map((logit) => Math.exp(logit - top));
  const signed = weights.reduce((sum, weight, y) => sum + (y > year ? weight : -weight), 0);
  return signed / weights.reduce((a, b) => a + b, 0);
}

/** "The war lasted from 17YY to 17" for YY 1 to 98, where the year is two tokens; Hanna et al. 2023. */
async function measureGreaterThan(subject: Subject, tokenizer: Tokenizer, answers: KnownAnswers): Promise<Measurement> {
  const ids = Array.from({ length: 100 }, (_, year) => tokenizer.toSingleToken(twoDigits(year)));
  const differences: number[] = [];
  for (let year = 1; year <= 98; year++) {
    const prompt = `The war lasted from 17${twoDigits(year)} to 17`;
    if (!tokenizer.encode(prompt).ids.includes(ids[year] ?? -1)) continue;
    differences.push(probabilityDifference(await lastLogits(subject, prompt, true), ids, year));
  }
  const mean = differences.reduce((a, b) => a + b, 0) / differences.length;
  const { difference, tolerance } = answers.greaterThan;
  return {
    measured: "greater-than probability difference, off by",
    value: Math.abs(mean - difference),
    bound: atMost(tolerance),
    detail: `${mean.toFixed(4)} over ${differences.length} prompts; published ${difference}`,
  };
}

/** Compares with public numbers where the model has any. */
export const knownLaw: Law = {
  name: "known answers",
  measure: async (subject) => {
    const { model, options } = subject;
    const answers = findKnownAnswers(model.id, model.config);
    if (answers === undefined || model.edits.length > 0)
      return [
        {
          measured: "public answers",
          skipped: answers === undefined ? "none are recorded for this model" : "the view has edits",
        },
      ];
    const { tokenizer } = model.view.core;
    const measured = [...(await measureTop(subject, answers))];
    if (tokenizer === undefined)
      return [...measured, { measured: "tasks in text", skipped: "the model has no tokenizer" }];
    for (const rank of answers.ranks) measured.push(await measureRank(subject, tokenizer, rank));
    if (options.quick === true)
      return [...measured, { measured: "greater-than", skipped: "quick: it takes 98 prompts" }];
    return [...measured, await measureGreaterThan(subject, tokenizer, answers)];
  },
};
