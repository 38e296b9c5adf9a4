/**
 * Logistic and multinomial regression: the minimum of `Σ log loss + penalty / 2 · ‖w‖²`, constants not penalised.
 *
 * Computed in float64 until the gradient is 1e-8 of the first one (1e-6 for folds): with a penalty there is exactly one
 * minimum, also where classes separate.
 */
import type { FitBatch, Linear } from "./batch.js";
import { type Evaluation, minimize } from "./lbfgs.js";
import { preconditioner } from "./precondition.js";

/** Of fits on all rows, whose weights are handed out. */
const tolerance = 1e-8;
/** Of fits that only judge held-out rows. */
const foldTolerance = 1e-6;
const maxSteps = 1000;

/** Adds the log loss of one fit's training rows; scores become residuals `p − y`, 0 on other rows. */
function binaryResiduals(scores: Float64Array, targets: ArrayLike<number>, trains: Uint8Array): number {
  let loss = 0;
  for (let i = 0; i < scores.length; i++) {
    if (trains[i] === 0) {
      scores[i] = 0;
      continue;
    }
    const z = scores[i] as number;
    const y = targets[i] as number;
    const small = Math.exp(-Math.abs(z));
    loss += Math.log1p(small) + Math.max(z, 0) - y * z;
    scores[i] = (z >= 0 ? 1 : small) / (1 + small) - y;
  }
  return loss;
}

/** The same for several classes; `scores` is `[class, rows]`. */
function softmaxResiduals(scores: Float64Array, targets: ArrayLike<number>, trains: Uint8Array): number {
  const rows = trains.length;
  const classes = scores.length / rows;
  let loss = 0;
  for (let i = 0; i < rows; i++) {
    let top = Number.NEGATIVE_INFINITY;
    for (let c = 0; c < classes; c++) top = Math.max(top, scores[c * rows + i] as number);
    let sum = 0;
    for (let c = 0; c < classes; c++) sum += Math.exp((scores[c * rows + i] as number) - top);
    const own = targets[i] as number;
    if (trains[i] === 1) loss += top + Math.log(sum) - (scores[own * rows + i] as number);
    for (let c = 0; c < classes; c++) {
      const p = Math.exp((scores[c * rows + i] as number) - top) / sum;
      scores[c * rows + i] = trains[i] === 1 ? p - (c === own ? 1 : 0) : 0;
    }
  }
  return loss;
}

function sumOf(values: Float64Array, from: number, to: number): number {
  let sum = 0;
  for (let i = from; i < to; i++) sum += values[i] as number;
  return sum;
}

/** Points of the minimiser are weights followed by constants. */
function split(point: Float64Array, outputs: number): Linear {
  const size = point.length - outputs;
  return { weights: point.subarray(0, size), bias: point.subarray(size) };
}

/** Returns the regressions of every fit of a batch, two classes as one row of weights. */
export async function fitLogLoss(batch: FitBatch, penalty: number): Promise<readonly (Linear & { steps: number })[]> {
  const { outputs, design } = batch;
  const { features, rows } = design;
  const size = outputs * features;
  const residuals = outputs === 1 ? binaryResiduals : softmaxResiduals;
  const shape = await preconditioner(batch, 0.25, penalty);
  const found = await minimize({
    start: batch.fits.map(() => new Float64Array(size + outputs)),
    evaluate: async (points, indices) => {
      const models = points.map((point) => split(point, outputs));
      const scores = await batch.scores(models, indices);
      const losses = scores.map((one, m) => {
        const { targets, trains } = batch.fit(indices[m] ?? 0);
        return residuals(one, targets, trains);
      });
      const pulled = await batch.pullBack(scores, indices);
      return points.map((point, m): Evaluation => {
        const gradient = new Float64Array(size + outputs);
        const [own, r] = [pulled[m] ?? gradient, scores[m] ?? gradient];
        let value = losses[m] ?? Number.NaN;
        for (let i = 0; i < size; i++) {
          const w = point[i] as number;
          value += (penalty / 2) * w * w;
          gradient[i] = (own[i] as number) + penalty * w;
        }
        for (let o = 0; o < outputs; o++) gradient[size + o] = sumOf(r, o * rows, (o + 1) * rows);
        return { value, gradient };
      });
    },
    precondition: (vectors) => {
      shape(vectors.map((vector) => vector.subarray(0, size)));
      for (const vector of vectors)
        for (let o = 0; o < outputs; o++) vector[size + o] = (vector[size + o] as number) / (0.25 * rows);
    },
    tolerances: batch.fits.map(({ trains }) => (trains.includes(0) ? foldTolerance : tolerance)),
    maxSteps,
  });
  return found.map(({ point, steps }) => ({ ...split(point, outputs), steps }));
}
