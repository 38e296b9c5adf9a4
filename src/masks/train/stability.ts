/** Whether a run went off and did not come back. */

/** Losses that the mean is taken over. */
const window = 10;
/** Steps before the end by which a run must be back; a tenth of the run where that is less. */
const margin = 100;

function meanBefore(losses: readonly number[], step: number): number {
  return losses.slice(step - window, step).reduce((sum, loss) => sum + loss, 0) / window;
}

/**
 * Tells whether some loss was far above the mean of the ten before it (by 0.25, or by a quarter), and no loss fell below
 * that mean again at least a hundred steps before the end.
 */
export function isUnstable(losses: readonly number[]): boolean {
  const end = losses.length - Math.min(margin, Math.floor(losses.length / 10));
  for (let step = window; step < losses.length; step++) {
    const [loss = 0, mean] = [losses[step], meanBefore(losses, step)];
    if (loss <= mean + 0.25 && loss <= 1.25 * mean) continue;
    const isBack = losses.some((later, i) => i > step && i < end && later < mean);
    if (!isBack) return true;
  }
  return false;
}
