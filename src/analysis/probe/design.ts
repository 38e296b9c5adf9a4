/** One layer's features as the solvers see them: standardised by all rows, with what each fold needs to do it by its own. */
import { NumericError } from "../../core/index.js";

/** Features of one layer at one position, `[rows, features]`. */
export interface Design {
  readonly rows: number;
  readonly features: number;
  /** `(features − mean) · inverse`, float64, row-major; constant features are 0. */
  readonly x: Float64Array;
  /** Mean of each feature over all rows. */
  readonly mean: Float64Array;
  /** Standard deviation of each feature over all rows; 0 for constant ones. */
  readonly deviation: Float64Array;
  /** Its inverse; 0 for constant ones. */
  readonly inverse: Float64Array;
}

/** Mean and inverse deviation of the rows that train one fit, in the coordinates of the design. */
export interface Scaling {
  readonly count: number;
  readonly mean: Float64Array;
  /** 0 where the feature is constant on these rows. */
  readonly inverse: Float64Array;
}

/** Deviations below this share of the mean are rounding of float32. */
const roundingShare = 1e-6;

function inverted(deviation: Float64Array): Float64Array {
  return deviation.map((one) => (one > 0 ? 1 / one : 0));
}

function notFinite(data: Float32Array | Float64Array, features: number, where: string): NumericError {
  const bad = data.findIndex((value) => !Number.isFinite(value));
  return new NumericError({
    where,
    got: `${String(data[bad])} in example ${Math.floor(bad / features)}, feature ${bad % features}`,
    expected: "finite activations",
    fix: "Find where it comes from with model.run(text, { checks: true }); leave such examples out.",
  });
}

function columnMeans(data: Float32Array | Float64Array, features: number): Float64Array {
  const rows = data.length / features;
  const mean = new Float64Array(features);
  for (let at = 0; at < data.length; at += features)
    for (let j = 0; j < features; j++) mean[j] = (mean[j] as number) + (data[at + j] as number);
  return mean.map((sum) => sum / rows);
}

/**
 * Standardises features by all rows.
 *
 * @throws NumericError for NaN and infinity.
 */
export function makeDesign(data: Float32Array | Float64Array, features: number, where: string): Design {
  const rows = data.length / features;
  const mean = columnMeans(data, features);
  if (!mean.every(Number.isFinite)) throw notFinite(data, features, where);
  const x = new Float64Array(data.length);
  const squares = new Float64Array(features);
  for (let at = 0; at < data.length; at += features)
    for (let j = 0; j < features; j++) {
      const centred = (data[at + j] as number) - (mean[j] as number);
      x[at + j] = centred;
      squares[j] = (squares[j] as number) + centred * centred;
    }
  const deviation = squares.map((sum, j) => {
    const own = Math.sqrt(sum / rows);
    return own <= roundingShare * Math.abs(mean[j] as number) ? 0 : own;
  });
  const inverse = inverted(deviation);
  for (let at = 0; at < x.length; at += features)
    for (let j = 0; j < features; j++) x[at + j] = (x[at + j] as number) * (inverse[j] as number);
  return { rows, features, x, mean, deviation, inverse };
}

interface Sums {
  readonly count: number;
  readonly sum: Float64Array;
  readonly squares: Float64Array;
}

function sumsOf({ x, features }: Design, rows: readonly number[]): Sums {
  const [sum, squares] = [new Float64Array(features), new Float64Array(features)];
  for (const row of rows)
    for (let j = 0; j < features; j++) {
      const value = x[row * features + j] as number;
      sum[j] = (sum[j] as number) + value;
      squares[j] = (squares[j] as number) + value * value;
    }
  return { count: rows.length, sum, squares };
}

/** Returns the scaling of the rows outside each fold, and last that of all rows. */
export function scalings(design: Design, fold: Int32Array, folds: number): readonly Scaling[] {
  const members = Array.from({ length: folds }, (): number[] => []);
  for (const [row, own] of fold.entries()) members[own]?.push(row);
  const parts = members.map((rows) => sumsOf(design, rows));
  return [...parts.map((left) => scalingOf(parts, left)), scalingOf(parts, undefined)];
}

function scalingOf(parts: readonly Sums[], left: Sums | undefined): Scaling {
  const used = parts.filter((part) => part !== left);
  const count = used.reduce((sum, part) => sum + part.count, 0);
  const features = parts[0]?.sum.length ?? 0;
  const [mean, inverse] = [new Float64Array(features), new Float64Array(features)];
  for (let j = 0; j < features; j++) {
    const own = used.reduce((sum, part) => sum + (part.sum[j] as number), 0) / count;
    const square = used.reduce((sum, part) => sum + (part.squares[j] as number), 0) / count;
    const variance = square - own * own;
    mean[j] = own;
    inverse[j] = variance > 1e-12 * Math.max(1, own * own) ? 1 / Math.sqrt(variance) : 0;
  }
  return { count, mean, inverse };
}
