/**
 * Probes made of class means μ_c: a row scores `v_c · z − v_c · μ_c / 2 + prior_c`.
 *
 * Difference of means: `v_c` is μ_c itself in activation space, so that the direction of two classes is μ₁ − μ₀ and the
 * threshold lies half way. LDA: `v_c = Σ⁻¹ μ_c` with the pooled within-class covariance, shrunk to
 * `(1 − s) S + s · tr(S) / d · I`, and the classes' log shares as priors; whitening the difference of means is the same
 * direction without priors.
 *
 * @see Marks and Tegmark 2023, "The Geometry of Truth" (mass-mean probes); Fisher 1936 (LDA)
 */
import { FitBatch, type Linear } from "./batch.js";
import { solveSystems } from "./conjugate.js";
import type { Design } from "./design.js";
import { preconditioner } from "./precondition.js";
import { maskRows } from "./squared-loss.js";

/** Class means of one fit in its own standardised coordinates. */
export interface ClassMeans {
  /** `[classes, features]`. */
  readonly means: Float64Array;
  /** Training rows of each class. */
  readonly counts: readonly number[];
}

function countClasses(targets: ArrayLike<number>, trains: Uint8Array, classes: number): readonly number[] {
  const counts = Array.from({ length: classes }, () => 0);
  for (let i = 0; i < trains.length; i++) {
    const own = targets[i] as number;
    if (trains[i] === 1) counts[own] = (counts[own] ?? 0) + 1;
  }
  return counts;
}

/** Returns the class means of the training rows of every fit. */
export async function classMeans(batch: FitBatch, classes: number): Promise<readonly ClassMeans[]> {
  const { rows, features } = batch.design;
  const counts = batch.fits.map(({ targets, trains }) => countClasses(targets, trains, classes));
  const members = batch.fits.map(({ targets, trains }, f) => {
    const shares = new Float64Array(classes * rows);
    for (let i = 0; i < rows; i++) {
      const own = targets[i] as number;
      if (trains[i] === 1) shares[own * rows + i] = 1 / (counts[f]?.[own] ?? 1);
    }
    return shares;
  });
  const means = await batch.pullBack(
    members,
    batch.fits.map((_, i) => i),
  );
  return batch.fits.map((_, f) => ({
    means: means[f]?.slice() ?? new Float64Array(classes * features),
    counts: counts[f] ?? [],
  }));
}

/** Classes as linear scores; two classes as the difference of the second and the first. */
function scorer(
  v: Float64Array,
  { means, counts }: ClassMeans,
  options: { outputs: number; hasPrior: boolean },
): Linear {
  const classes = counts.length;
  const features = means.length / classes;
  const total = counts.reduce((a, b) => a + b, 0);
  const constants = Array.from({ length: classes }, (_, c) => {
    let sum = options.hasPrior ? Math.log((counts[c] ?? 1) / total) : 0;
    for (let j = 0; j < features; j++)
      sum -= ((v[c * features + j] as number) * (means[c * features + j] as number)) / 2;
    return sum;
  });
  if (options.outputs > 1) return { weights: v, bias: Float64Array.from(constants) };
  const weights = Float64Array.from({ length: features }, (_, j) => (v[features + j] as number) - (v[j] as number));
  return { weights, bias: Float64Array.of((constants[1] ?? 0) - (constants[0] ?? 0)) };
}

/** Returns the difference-of-means probes of every fit. */
export async function fitMeans(batch: FitBatch, classes: number): Promise<readonly Linear[]> {
  const { deviation } = batch.design;
  const found = await classMeans(batch, classes);
  return found.map((own, f) => {
    const { inverse } = batch.fit(f).scaling;
    const v = own.means.map((mean, i) => {
      const j = i % deviation.length;
      const scale = (inverse[j] as number) > 0 ? (deviation[j] as number) / (inverse[j] as number) : 0;
      return mean * scale * scale;
    });
    return scorer(v, own, { outputs: batch.outputs, hasPrior: false });
  });
}

/** Trace of the within-class scatter over the number of features, in standardised coordinates. */
function meanVariance({ means, counts }: ClassMeans, inverse: Float64Array): number {
  const features = inverse.length;
  const total = counts.reduce((a, b) => a + b, 0);
  const used = inverse.reduce((sum, one) => sum + (one > 0 ? 1 : 0), 0);
  const between = means.reduce((sum, x, i) => sum + ((counts[Math.floor(i / features)] ?? 0) / total) * x * x, 0);
  return Math.max(used - between, 0) / features;
}

/** Subtracts from each training row the mean over its class, `[outputs, rows]`; other rows become 0. */
function centreByClass(
  values: Float64Array,
  targets: ArrayLike<number>,
  trains: Uint8Array,
  counts: readonly number[],
): void {
  const rows = trains.length;
  maskRows(values, trains);
  for (let from = 0; from < values.length; from += rows) {
    const sums = counts.map(() => 0);
    for (let i = 0; i < rows; i++) {
      const own = targets[i] as number;
      sums[own] = (sums[own] ?? 0) + (values[from + i] as number);
    }
    for (let i = 0; i < rows; i++) {
      const own = targets[i] as number;
      if (trains[i] === 1) values[from + i] = (values[from + i] as number) - (sums[own] ?? 0) / (counts[own] ?? 1);
    }
  }
}

/** Options of {@link fitLda}. */
export interface LdaOptions {
  readonly classes: number;
  /** 0 to 1. */
  readonly shrinkage: number;
  readonly hasPrior: boolean;
}

/** Ridge that a shrunk covariance means for the scatter `ZᵀZ`: `s · t · n / (1 − s)`. */
function ridgeOf(shrinkage: number, variance: number, count: number): number {
  return (shrinkage * variance * count) / (1 - shrinkage);
}

/** Returns the LDA probes of every fit. */
export async function fitLda(
  batch: FitBatch,
  { classes, shrinkage, hasPrior }: LdaOptions,
): Promise<readonly Linear[]> {
  const found = await classMeans(batch, classes);
  const variances = found.map((own, f) => meanVariance(own, batch.fit(f).scaling.inverse));
  if (shrinkage === 1)
    return found.map((own, f) =>
      scorer(
        own.means.map((x) => x / (variances[f] ?? 1)),
        own,
        { outputs: batch.outputs, hasPrior },
      ),
    );
  const ridges = variances.map((own, f) => ridgeOf(shrinkage, own, batch.fit(f).scaling.count));
  const scale = found.map((_, f) => batch.fit(f).scaling.count / (1 - shrinkage));
  const zeros = new Float64Array(classes);
  const wide = new FitBatch(batch.design, batch.products, batch.fits, classes);
  const solved = await solveSystems({
    right: found.map(({ means }, f) => means.map((x) => x * (scale[f] ?? 1))),
    precondition: await preconditioner(batch, 1, Math.max(ridges.at(-1) ?? 0, 1e-9)),
    apply: async (vectors, indices) => {
      const models = vectors.map((weights) => ({ weights, bias: zeros }));
      const scores = await wide.scores(models, indices);
      scores.forEach((one, m) => {
        const index = indices[m] ?? 0;
        const { targets, trains } = batch.fit(index);
        centreByClass(one, targets, trains, found[index]?.counts ?? []);
      });
      const pulled = await wide.pullBack(scores, indices);
      return pulled.map((one, m) => one.map((x, i) => x + (ridges[indices[m] ?? 0] ?? 0) * (vectors[m]?.[i] ?? 0)));
    },
  });
  return solved.map((v, f) => scorer(v, found[f] ?? { means: v, counts: [] }, { outputs: batch.outputs, hasPrior }));
}

/** Returns the distance between the means of two classes along a unit direction of activation space, class 1 minus 0. */
export function gapOf(design: Design, { means }: ClassMeans, unit: Float64Array): number {
  const { features, deviation } = design;
  let sum = 0;
  for (let j = 0; j < features; j++) {
    const difference = (means[features + j] as number) - (means[j] as number);
    sum += difference * (deviation[j] as number) * (unit[j] as number);
  }
  return sum;
}
