/** Whether probabilities mean what they say. */
import { InputError } from "../core/index.js";

/** Predictions whose confidence falls into one bin. */
export interface ReliabilityBin {
  /** The bin holds confidences in `[from, to)`, the last one its end too. */
  readonly from: number;
  readonly to: number;
  readonly count: number;
  /** Mean confidence; NaN in an empty bin. */
  readonly confidence: number;
  /** Share that came true; NaN in an empty bin. */
  readonly accuracy: number;
}

/**
 * Returns the mean distance between confidence and accuracy over bins of equal width, weighted by their counts, and the
 * bins.
 *
 * @param confidence - The probability given to the predicted class of each item.
 * @param isRight - 1 where the prediction came true.
 * @see Guo et al. 2017, "On Calibration of Modern Neural Networks", equation 3
 */
export function expectedCalibrationError(
  confidence: ArrayLike<number>,
  isRight: ArrayLike<number>,
  bins = 10,
): { readonly error: number; readonly bins: readonly ReliabilityBin[] } {
  checkBins(bins);
  const [counts, sums, rights] = [new Float64Array(bins), new Float64Array(bins), new Float64Array(bins)];
  for (let i = 0; i < confidence.length; i++) {
    const p = confidence[i] ?? 0;
    const bin = Math.min(bins - 1, Math.floor(p * bins));
    counts[bin] = (counts[bin] ?? 0) + 1;
    sums[bin] = (sums[bin] ?? 0) + p;
    rights[bin] = (rights[bin] ?? 0) + (isRight[i] ?? 0);
  }
  const made = Array.from(counts, (count, i) => ({
    from: i / bins,
    to: (i + 1) / bins,
    count,
    confidence: (sums[i] ?? 0) / count,
    accuracy: (rights[i] ?? 0) / count,
  }));
  const filled = made.filter(({ count }) => count > 0);
  const error = filled.reduce((sum, bin) => sum + bin.count * Math.abs(bin.confidence - bin.accuracy), 0);
  return { error: error / confidence.length, bins: made };
}

function checkBins(bins: number): void {
  if (Number.isSafeInteger(bins) && bins >= 1) return;
  throw new InputError({
    where: "expectedCalibrationError: bins",
    got: String(bins),
    expected: "a whole number from 1",
    fix: "Leave it out for 10.",
  });
}

/**
 * Returns the mean squared distance between probabilities and what happened, summed over classes: 0 is perfect, 2 as wrong
 * as can be.
 *
 * @param probabilities - `[item, class]`, row-major.
 * @param truth - The class of each item.
 * @see Brier 1950, "Verification of Forecasts Expressed in Terms of Probability"
 */
export function brierScore(probabilities: ArrayLike<number>, truth: ArrayLike<number>, classes: number): number {
  let sum = 0;
  for (let i = 0; i < truth.length; i++)
    for (let c = 0; c < classes; c++) {
      const happened = truth[i] === c ? 1 : 0;
      sum += ((probabilities[i * classes + c] ?? 0) - happened) ** 2;
    }
  return sum / truth.length;
}
