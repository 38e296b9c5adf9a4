/**
 * Ridge regression: the minimum of `Σ (w·z + c − y)² + penalty · ‖w‖²`, from its normal equations.
 *
 * @see Hoerl and Kennard 1970, "Ridge regression"
 */
import type { FitBatch, Linear } from "./batch.js";
import { solveSystems } from "./conjugate.js";
import { preconditioner } from "./precondition.js";

/** Targets of one fit, `[outputs, rows]`: −1 and 1 for two classes, 0 and 1 for each of several, or numbers. */
export function ridgeTargets(targets: ArrayLike<number>, classes: number, outputs: number): Float64Array {
  const rows = targets.length;
  const made = new Float64Array(outputs * rows);
  for (let i = 0; i < rows; i++) {
    const own = targets[i] as number;
    if (classes === 0) made[i] = own;
    else if (outputs === 1) made[i] = 2 * own - 1;
    else made[own * rows + i] = 1;
  }
  return made;
}

function meanWhere(values: Float64Array, from: number, trains: Uint8Array): number {
  let [sum, count] = [0, 0];
  for (let i = 0; i < trains.length; i++) {
    sum += (trains[i] as number) * (values[from + i] as number);
    count += trains[i] as number;
  }
  return sum / count;
}

/** Sets rows that do not train to 0. */
export function maskRows(values: Float64Array, trains: Uint8Array): void {
  const rows = trains.length;
  for (let i = 0; i < values.length; i++) if (trains[i % rows] === 0) values[i] = 0;
}

/** Returns the ridge regressions of every fit of a batch; `classes` is 0 for numbers. */
export async function fitRidge(batch: FitBatch, classes: number, penalty: number): Promise<readonly Linear[]> {
  const { outputs, fits, design } = batch;
  const { features, rows } = design;
  const all = fits.map((_, i) => i);
  const zeros = new Float64Array(outputs);
  const biases = fits.map(() => new Float64Array(outputs));
  const centred = fits.map(({ targets, trains }, f) => {
    const y = ridgeTargets(targets, classes, outputs);
    for (let o = 0; o < outputs; o++) {
      const mean = meanWhere(y, o * rows, trains);
      biases[f]?.fill(mean, o, o + 1);
      for (let i = 0; i < rows; i++) y[o * rows + i] = (y[o * rows + i] as number) - mean;
    }
    maskRows(y, trains);
    return y;
  });
  const right = (await batch.pullBack(centred, all)).map((one) => one.slice());
  const weights = await solveSystems({
    right,
    precondition: await preconditioner(batch, 1, penalty),
    apply: async (vectors, indices) => {
      const models = vectors.map((weight) => ({ weights: weight, bias: zeros }));
      const scores = await batch.scores(models, indices);
      scores.forEach((one, m) => {
        maskRows(one, batch.fit(indices[m] ?? 0).trains);
      });
      const pulled = await batch.pullBack(scores, indices);
      return pulled.map((one, m) => one.map((x, i) => x + penalty * (vectors[m]?.[i] ?? 0)));
    },
  });
  return weights.map((own, f) => ({
    weights: own.length === outputs * features ? own : new Float64Array(outputs * features),
    bias: biases[f] ?? zeros,
  }));
}
