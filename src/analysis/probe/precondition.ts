/** An approximate inverse of every Hessian at one layer: all fits share the features, so one factor serves them all. */

import type { FitBatch } from "./batch.js";
import { factorize, solveFactored } from "./cholesky.js";

/** Applies an approximate inverse to vectors of one or several rows `[features]`, in place. */
export type Precondition = (vectors: readonly Float64Array[]) => void;

/**
 * Returns `(share · XᵀX + penalty)⁻¹`, or a division by the diagonal where there are more features than rows.
 *
 * @param share - 1 for squared error; 1/4 bounds the curvature of the log loss (Böhning and Lindsay 1988).
 */
export async function preconditioner(batch: FitBatch, share: number, penalty: number): Promise<Precondition> {
  const { rows, features } = batch.design;
  if (features > rows) return () => undefined;
  const gram = await batch.products.gram();
  for (let i = 0; i < gram.length; i++) gram[i] = (gram[i] as number) * share;
  for (let j = 0; j < features; j++) gram[j * features + j] = (gram[j * features + j] as number) + penalty;
  if (!factorize(gram, features)) return () => undefined;
  return (vectors) => {
    const rowsOf = (vector: Float64Array): Float64Array[] =>
      Array.from({ length: vector.length / features }, (_, i) => vector.subarray(i * features, (i + 1) * features));
    solveFactored(gram, features, vectors.flatMap(rowsOf));
  };
}
