/** Reading answers out of logits: sums and means over the answer tokens of each prompt. */
import type { Value } from "../../graph/index.js";
import type { MetricScope, PromptData } from "../../model/index.js";

/** How the answers of a prompt are joined. */
export type Joining = "mean" | "sum";

/** Answer ids of each prompt, padded to one width, with weights where they were padded. */
export function answerData(
  side: string,
  ids: readonly (readonly number[])[],
  joining: Joining,
): Readonly<Record<string, PromptData>> {
  const width = Math.max(...ids.map((own) => own.length));
  const padded = ids.map((own) => Array.from({ length: width }, (_, i) => own[i] ?? own[0] ?? 0));
  const columns: Record<string, PromptData> = { [`${side}.ids`]: { kind: "id", shape: [width], prompts: padded } };
  if (width === 1) return columns;
  const weights = ids.map((own) => {
    const weight = joining === "mean" ? 1 / own.length : 1;
    return Array.from({ length: width }, (_, i) => (i < own.length ? weight : 0));
  });
  columns[`${side}.weights`] = { kind: "number", shape: [width], prompts: weights };
  return columns;
}

/** The values of a prompt's answers, `[batch, answer]`; `x` is `[batch, dVocabOut]`. */
export function picked({ ops, perPrompt }: MetricScope, x: Value, side: string): Value {
  return ops.gatherElements(x, perPrompt(`${side}.ids`), 1);
}

/** The weighted sum over answers, `[batch]`; `x` is `[batch, answer]`. */
export function joined({ ops, perPrompt }: MetricScope, x: Value, side: string): Value {
  if (x.shape[1] === 1) return ops.squeeze(x, [1]);
  return ops.reduceSum(ops.mul(x, perPrompt(`${side}.weights`)), [1], false);
}

/** Logits of the one position, `[batch, dVocabOut]`. */
export function lastLogits({ ops, logits }: MetricScope): Value {
  return ops.squeeze(logits, [1]);
}

/** `log Σ exp`, stable. */
export function logSumExp(values: ArrayLike<number>): number {
  let max = Number.NEGATIVE_INFINITY;
  for (let i = 0; i < values.length; i++) max = Math.max(max, values[i] ?? 0);
  if (!Number.isFinite(max)) return max;
  let sum = 0;
  for (let i = 0; i < values.length; i++) sum += Math.exp((values[i] ?? 0) - max);
  return max + Math.log(sum);
}
