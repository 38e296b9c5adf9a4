/** How well logits answer: accuracy, preference, and the two differences of the literature. */
import { formatShape, ShapeError } from "../../core/index.js";
import type { Tensor } from "../../tensor/index.js";

/** Means over pairs. */
export interface TaskScore {
  /** Share of prompts whose most likely token is a right answer. */
  readonly accuracy: number;
  /** Share of prompts whose answer beats its one wrong answer; 0.5 by chance. */
  readonly preference: number;
  /** Logit of the answer minus logit of its wrong answer, in nats. */
  readonly logitDiff: number;
  /** Probability of all right answers minus that of all wrong answers. */
  readonly probDiff: number;
}

/** Token ids by pair, and where each answer is due. */
export interface Answers {
  readonly end: readonly number[];
  readonly right: readonly (readonly number[])[];
  readonly wrong: readonly (readonly number[])[];
}

/** Returns the scores of logits `[batch, pos, dVocabOut]`. */
export function scoreLogits(where: string, logits: Tensor, { end, right, wrong }: Answers): TaskScore {
  const [rows = 0, length = 0, vocabulary = 0] = logits.shape;
  const needed = Math.max(...end) + 1;
  if (logits.shape.length !== 3 || rows !== end.length || (length !== 1 && length < needed))
    throw wrongShape(where, logits, end.length, needed);
  const total = { accuracy: 0, preference: 0, logitDiff: 0, probDiff: 0 };
  for (const [row, last] of end.entries()) {
    const from = (row * length + (length === 1 ? 0 : last)) * vocabulary;
    const values = Float64Array.from({ length: vocabulary }, (_, id) => Number(logits.data[from + id]));
    const one = scoreRow(values, right[row] ?? [], wrong[row] ?? []);
    total.accuracy += one.accuracy;
    total.preference += one.preference;
    total.logitDiff += one.logitDiff;
    total.probDiff += one.probDiff;
  }
  return {
    accuracy: total.accuracy / rows,
    preference: total.preference / rows,
    logitDiff: total.logitDiff / rows,
    probDiff: total.probDiff / rows,
  };
}

function scoreRow(values: Float64Array, right: readonly number[], wrong: readonly number[]): TaskScore {
  const greatest = values.reduce((a, b) => Math.max(a, b), -Infinity);
  const probabilities = values.map((value) => Math.exp(value - greatest));
  const sum = probabilities.reduce((a, b) => a + b, 0);
  const share = (ids: readonly number[]): number => ids.reduce((a, id) => a + (probabilities[id] ?? 0), 0) / sum;
  const logitDiff = (values[right[0] ?? -1] ?? Number.NaN) - (values[wrong[0] ?? -1] ?? Number.NaN);
  return {
    accuracy: right.includes(values.indexOf(greatest)) ? 1 : 0,
    preference: logitDiff > 0 ? 1 : 0,
    logitDiff,
    probDiff: share(right) - share(wrong),
  };
}

function wrongShape(where: string, logits: Tensor, pairs: number, needed: number): ShapeError {
  return new ShapeError({
    where,
    got: formatShape(logits.shape, logits.axes),
    expected: `[batch=${pairs}, pos=1 or at least ${needed}, dVocabOut]`,
    fix: 'Pass (await model.run(pairs.clean, { logits: "last" })).logits.',
  });
}
