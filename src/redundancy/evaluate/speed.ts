/** How fast a model runs without parts, measured against the whole model in the same minutes. */
import { InputError, type LongCallOptions, throwIfAborted } from "../../core/index.js";
import type { Model, TokenRow } from "../../model/index.js";
import { type Part, withoutParts } from "../parts.js";

/** Options of {@link measureSpeed}. */
export interface SpeedOptions extends LongCallOptions {
  /** Runs of each model, in turns; default 9. */
  readonly runs?: number;
}

/** Medians of runs in turns. */
export interface MeasuredSpeed {
  readonly fullMs: number;
  readonly prunedMs: number;
  /** How many times as fast as the full model. */
  readonly speedup: number;
  readonly runs: number;
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const [below, above] = [sorted[Math.floor((sorted.length - 1) / 2)], sorted[Math.ceil((sorted.length - 1) / 2)]];
  return ((below ?? Number.NaN) + (above ?? Number.NaN)) / 2;
}

/**
 * Measures how long a model with and without parts reads the same rows, in turns; the first run of each is not counted.
 *
 * @throws InputError for fewer than one run; AbortedError.
 */
export async function measureSpeed(
  model: Model,
  rows: readonly TokenRow[],
  parts: readonly Part[],
  { runs = 9, signal }: SpeedOptions = {},
): Promise<MeasuredSpeed> {
  if (!Number.isSafeInteger(runs) || runs < 1)
    throw new InputError({ where: "measureSpeed: runs", got: String(runs), expected: "1 or more", fix: "Ask for 9." });
  const models = [model, withoutParts(model, parts)];
  const times: readonly number[][] = [[], []];
  for (let run = 0; run <= runs; run++) {
    for (const [i, one] of models.entries()) {
      throwIfAborted(signal, "measureSpeed");
      const start = performance.now();
      await one.run(rows, { logits: "last", checks: false });
      if (run > 0) times[i]?.push(performance.now() - start);
    }
  }
  const [fullMs, prunedMs] = [median(times[0] ?? []), median(times[1] ?? [])];
  return { fullMs, prunedMs, speedup: fullMs / prunedMs, runs };
}

/**
 * Returns the speedup-degradation ratio: points of accuracy lost for each percent point of speed won; negative where
 * accuracy rises.
 *
 * @param accuracy - Before and after, as shares.
 * @param speedup - How many times as fast; NaN comes back for 1.
 * @see He et al. 2024, "What Matters in Transformers? Not All Attention is Needed"
 */
export function speedupDegradationRatio(
  accuracy: { readonly before: number; readonly after: number },
  speedup: number,
): number {
  return speedup === 1 ? Number.NaN : (accuracy.before - accuracy.after) / (speedup - 1);
}
