/** From held-out predictions to scores: accuracy or R², area under the curve, calibration, intervals. */
import {
  bootstrapIntervals,
  brierScore,
  expectedCalibrationError,
  type Interval,
  type RankedItems,
  rankItems,
  weightedAuroc,
} from "../../stats/index.js";
import type { HeldOut } from "./fit.js";
import type { ProbeScore } from "./types.js";

/** Held-out predictions and the truth. */
export interface Judged {
  readonly values: Int32Array | Float64Array;
  /** 0 for numbers. */
  readonly classes: number;
  readonly heldOut: HeldOut;
}

/** The numbers of {@link ProbeScore} that come from predictions alone. */
export type PlainScore = Pick<
  ProbeScore,
  "accuracy" | "auroc" | "brier" | "calibrationError" | "r2" | "reliability" | "score"
>;

/** Returns the class with the highest score in each row. */
export function predictedClasses(scores: Float64Array, rows: number): Int32Array {
  const outputs = scores.length / rows;
  return Int32Array.from({ length: rows }, (_, i) => {
    if (outputs === 1) return (scores[i] as number) > 0 ? 1 : 0;
    let best = 0;
    for (let c = 1; c < outputs; c++)
      if ((scores[c * rows + i] as number) > (scores[best * rows + i] as number)) best = c;
    return best;
  });
}

/** Share of the variance explained, by weight. */
function r2Of(scores: Float64Array, values: ArrayLike<number>, weights?: ArrayLike<number>): number {
  let [total, sum, error, spread] = [0, 0, 0, 0];
  for (let i = 0; i < scores.length; i++) {
    const weight = weights === undefined ? 1 : (weights[i] as number);
    total += weight;
    sum += weight * (values[i] as number);
    error += weight * ((values[i] as number) - (scores[i] as number)) ** 2;
  }
  const mean = sum / total;
  for (let i = 0; i < scores.length; i++) {
    const weight = weights === undefined ? 1 : (weights[i] as number);
    spread += weight * ((values[i] as number) - mean) ** 2;
  }
  return 1 - error / spread;
}

/** Share of the weight where `isTrue`. */
function shareOf(isTrue: Uint8Array, weights: Float64Array): number {
  let right = 0;
  let total = 0;
  for (let i = 0; i < isTrue.length; i++) {
    const weight = weights[i] as number;
    total += weight;
    if (isTrue[i] === 1) right += weight;
  }
  return right / total;
}

/** Each class against the rest; two classes are one comparison. */
function comparisons({ heldOut: { scores }, values, classes }: Judged): readonly RankedItems[] {
  const rows = values.length;
  const compare = (own: Float64Array, c: number): RankedItems =>
    rankItems(
      own,
      Uint8Array.from(values, (value) => (value === c ? 1 : 0)),
    );
  if (classes === 2) return [compare(scores, 1)];
  return Array.from({ length: classes }, (_, c) => compare(scores.subarray(c * rows, (c + 1) * rows), c));
}

function meanOf(values: readonly number[]): number {
  return values.reduce((a, b) => a + b, 0) / values.length;
}

/** A statistic of some predictions as a function of the rows' weights. */
interface Judge {
  readonly score: (weights?: Float64Array) => number;
  readonly auroc: (weights?: Float64Array) => number;
}

function judgeOf(judged: Judged): Judge {
  const { values, classes, heldOut } = judged;
  if (classes === 0) return { score: (weights) => r2Of(heldOut.scores, values, weights), auroc: () => Number.NaN };
  const predicted = predictedClasses(heldOut.scores, values.length);
  const isRight = Uint8Array.from(values, (value, i) => (predicted[i] === value ? 1 : 0));
  const sorted = comparisons(judged);
  const ones = new Float64Array(values.length).fill(1);
  return {
    score: (weights = ones) => shareOf(isRight, weights),
    auroc: (weights) => meanOf(sorted.map((one) => weightedAuroc(one, weights))),
  };
}

function calibrationOf({
  values,
  classes,
  heldOut,
}: Judged): Pick<PlainScore, "brier" | "calibrationError" | "reliability"> {
  const rows = values.length;
  if (classes === 0) return { brier: Number.NaN, calibrationError: Number.NaN, reliability: [] };
  const predicted = predictedClasses(heldOut.scores, rows);
  const confidence = Float64Array.from(predicted, (c, i) => heldOut.probabilities[i * classes + c] as number);
  const { error, bins } = expectedCalibrationError(
    confidence,
    Uint8Array.from(predicted, (c, i) => (c === values[i] ? 1 : 0)),
  );
  return { brier: brierScore(heldOut.probabilities, values, classes), calibrationError: error, reliability: bins };
}

/** Returns what predictions are worth. */
export function plainScore(judged: Judged): PlainScore {
  const judge = judgeOf(judged);
  const score = judge.score();
  const isRegression = judged.classes === 0;
  return {
    score,
    accuracy: isRegression ? Number.NaN : score,
    r2: isRegression ? score : Number.NaN,
    auroc: judge.auroc(),
    ...calibrationOf(judged),
  };
}

/** Returns the score on each fold alone. */
export function foldScores({ values, classes, heldOut }: Judged, fold: Int32Array, folds: number): readonly number[] {
  const judge = judgeOf({ values, classes, heldOut });
  return Array.from({ length: folds }, (_, left) => judge.score(Float64Array.from(fold, (f) => (f === left ? 1 : 0))));
}

/** Intervals of the score and of the area under the curve. */
export interface ScoreIntervals {
  readonly interval: Interval;
  readonly aurocInterval: Interval;
}

const noInterval: Interval = { low: Number.NaN, high: Number.NaN };

/** Returns the intervals of several predictions of the same rows, from the same resamples. */
export function scoreIntervals(
  all: readonly Judged[],
  options: { readonly units: readonly string[]; readonly resamples: number; readonly seed: number },
): readonly ScoreIntervals[] {
  const { units, resamples, seed } = options;
  const judges = all.map(judgeOf);
  const rows = all[0]?.values.length ?? 0;
  const found = bootstrapIntervals(
    rows,
    (weights) => judges.flatMap(({ score, auroc }) => [score(weights), auroc(weights)]),
    { resamples, seed, groups: units },
  );
  return all.map((_, i) => ({
    interval: found[2 * i] ?? noInterval,
    aurocInterval: found[2 * i + 1] ?? noInterval,
  }));
}

/** Returns the population standard deviation. */
export function deviationOf(values: readonly number[]): number {
  const mean = meanOf(values);
  return Math.sqrt(meanOf(values.map((value) => (value - mean) ** 2)));
}
