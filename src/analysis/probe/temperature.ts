/** Turns scores into probabilities: `softmax(τ · scores)`, or `sigmoid(τ · score)` for two classes. */

/** Log loss and its two derivatives by τ, over training rows. */
function slopes(
  scores: Float64Array,
  targets: ArrayLike<number>,
  trains: Uint8Array,
  tau: number,
): { readonly first: number; readonly second: number } {
  const rows = trains.length;
  const classes = scores.length / rows;
  let [first, second] = [0, 0];
  for (let i = 0; i < rows; i++) {
    if (trains[i] === 0) continue;
    const own = classScores(scores, rows, classes, i);
    const weights = softmax(own, tau);
    const mean = own.reduce((sum, s, c) => sum + s * (weights[c] ?? 0), 0);
    first += mean - (own[targets[i] as number] ?? 0);
    second += own.reduce((sum, s, c) => sum + (weights[c] ?? 0) * (s - mean) ** 2, 0);
  }
  return { first, second };
}

/** Scores of one row by class; one output means the second class against the first. */
function classScores(scores: Float64Array, rows: number, classes: number, i: number): number[] {
  if (classes === 1) return [0, scores[i] as number];
  return Array.from({ length: classes }, (_, c) => scores[c * rows + i] as number);
}

function softmax(values: readonly number[], tau: number): number[] {
  const top = Math.max(...values.map((s) => tau * s));
  const powers = values.map((s) => Math.exp(tau * s - top));
  const sum = powers.reduce((a, b) => a + b, 0);
  return powers.map((p) => p / sum);
}

/** Most that scores are sharpened, in units of their typical size: separable training rows would ask for infinity. */
const sharpest = 100;

/**
 * Returns the τ that makes the training rows most likely: the scores' size says nothing by itself for methods that do not
 * model probabilities.
 *
 * @see Guo et al. 2017, "On Calibration of Modern Neural Networks" (temperature scaling)
 */
export function fitTemperature(scores: Float64Array, targets: ArrayLike<number>, trains: Uint8Array): number {
  const size = Math.sqrt(scores.reduce((sum, s) => sum + s * s, 0) / scores.length);
  if (!(size > 0)) return 1;
  let log = Math.log(1 / size);
  const most = Math.log(sharpest / size);
  // Newton in log τ, steps bounded; the loss is convex in τ.
  for (let step = 0; step < 50; step++) {
    const tau = Math.exp(log);
    const { first, second } = slopes(scores, targets, trains, tau);
    const [slope, curve] = [first * tau, second * tau * tau + Math.abs(first) * tau];
    if (Math.abs(slope) <= 1e-10 * trains.length || curve === 0) break;
    log = Math.min(most, log - Math.max(-1, Math.min(1, slope / curve)));
  }
  return Math.exp(log);
}

/** Returns probabilities `[rows, classes]` of scores `[outputs, rows]`. */
export function probabilities(scores: Float64Array, rows: number, tau: number): Float64Array {
  const outputs = scores.length / rows;
  const classes = outputs === 1 ? 2 : outputs;
  const made = new Float64Array(rows * classes);
  for (let i = 0; i < rows; i++) made.set(softmax(classScores(scores, rows, outputs, i), tau), i * classes);
  return made;
}
