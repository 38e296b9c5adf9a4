/** The names of what a lens measures. */
import { InputError, nearestHint } from "../../core/index.js";
import type { LensStatistic } from "./types.js";

/** Every statistic, and what it is measured in. */
export const statisticUnits: { readonly [S in LensStatistic]: string } = {
  probability: "probability",
  kl: "nats",
  reverseKl: "nats",
  entropy: "nats",
  rank: "rank",
  targetProbability: "probability",
  overlap: "share",
};

/** What each statistic is, in words. */
export const statisticTitles: { readonly [S in LensStatistic]: string } = {
  probability: "probability of the first token",
  kl: "KL(final ‖ layer)",
  reverseKl: "KL(layer ‖ final)",
  entropy: "entropy",
  rank: "tokens before the target",
  targetProbability: "probability of the target",
  overlap: "overlap with the final layer's top tokens",
};

/**
 * Refuses a name that is no statistic.
 *
 * @throws InputError with the nearest name.
 */
export function checkStatistic(name: string, where: string): void {
  const known = Object.keys(statisticUnits);
  if (known.includes(name)) return;
  throw new InputError({
    where,
    got: JSON.stringify(name),
    expected: `one of ${known.join(", ")}`,
    fix: `Correct the name.${nearestHint(name, known)}`,
  });
}
