/** Similarities that look for a linear map between two spaces: SVCCA and Procrustes. */
import { svd, symmetricEigen } from "../../linalg/index.js";
import { Tensor } from "../../tensor/index.js";
import { centred, crossProduct, type Features, squaredNorm } from "./features.js";

/** Share of the variance that SVCCA keeps. */
export const keptVariance = 0.99;

/** Orthonormal coordinates of the directions that carry most of the variance, `[rows, kept]`. */
function principal(raw: Features): Features {
  const x = centred(raw);
  const covariance = Tensor.of(crossProduct(x, x), [x.width, x.width], ["in", "out"]);
  const { values, vectors } = symmetricEigen(covariance);
  const variances = Array.from(values.data, Number).map((value) => Math.max(0, value));
  const total = variances.reduce((sum, value) => sum + value, 0);
  let [kept, seen] = [0, 0];
  while (kept < variances.length && seen < keptVariance * total) seen += variances[kept++] ?? 0;
  const data = new Float64Array(x.rows * kept);
  const basis = vectors.contiguous().data;
  for (let row = 0; row < x.rows; row++)
    for (let k = 0; k < kept; k++) {
      let sum = 0;
      for (let i = 0; i < x.width; i++) sum += (x.data[row * x.width + i] ?? 0) * Number(basis[i * x.width + k]);
      data[row * kept + k] = sum / Math.sqrt(variances[k] ?? 1);
    }
  return { data, rows: x.rows, width: kept };
}

function singularValues(data: Float64Array, shape: readonly [number, number]): readonly number[] {
  return Array.from(svd(Tensor.of(data, shape, ["left", "right"])).S.data, Number);
}

/** How many directions SVCCA keeps of an activation. */
export function keptDirections(x: Features): number {
  return principal(x).width;
}

/**
 * SVCCA: mean canonical correlation of the directions that carry 99 % of the variance on each side.
 *
 * @see Raghu et al. 2017, "SVCCA: Singular Vector Canonical Correlation Analysis"
 */
export function svcca(x: Features, y: Features): number {
  const [a, b] = [principal(x), principal(y)];
  if (a.width === 0 || b.width === 0) return Number.NaN;
  const kept = Math.min(a.width, b.width);
  const correlations = singularValues(crossProduct(a, b), [a.width, b.width]).slice(0, kept);
  return correlations.reduce((sum, value) => sum + Math.min(1, value), 0) / correlations.length;
}

/**
 * Procrustes similarity: nuclear norm of `XᵀY` after centring and scaling both to unit norm. It is 1 when a rotation and a
 * scale take one to the other; `2 − 2 s` is the squared distance that is left after the best rotation.
 *
 * @see Ding et al. 2021, "Grounding Representation Similarity with Statistical Testing"
 */
export function procrustes(x: Features, y: Features): number {
  const [a, b] = [centred(x), centred(y)];
  const scale = Math.sqrt(squaredNorm(a) * squaredNorm(b));
  const values = singularValues(crossProduct(a, b), [a.width, b.width]);
  return values.reduce((sum, value) => sum + value, 0) / scale;
}
