/**
 * Representational similarity analysis: do two activations find the same tokens alike?
 *
 * @see Kriegeskorte et al. 2008, "Representational similarity analysis"
 */
import { pearson, ranks } from "../../stats/index.js";
import { type Features, gram } from "./features.js";

/** Rows with their mean taken off, scaled to norm 1: products are then correlations. */
function standardised({ data, rows, width }: Features): Features {
  const out = new Float64Array(data.length);
  for (let row = 0; row < rows; row++) {
    const values = data.subarray(row * width, (row + 1) * width);
    const mean = values.reduce((sum, value) => sum + value, 0) / width;
    const norm = Math.sqrt(values.reduce((sum, value) => sum + (value - mean) ** 2, 0));
    values.forEach((value, i) => {
      out[row * width + i] = (value - mean) / norm;
    });
  }
  return { data: out, rows, width };
}

/** `1 −` correlation of every pair of rows. */
function dissimilarities(x: Features): Float64Array {
  const products = gram(standardised(x));
  const out = new Float64Array((x.rows * (x.rows - 1)) / 2);
  let next = 0;
  for (let a = 0; a < x.rows; a++)
    for (let b = a + 1; b < x.rows; b++) out[next++] = 1 - (products[a * x.rows + b] ?? Number.NaN);
  return out;
}

/** Spearman correlation between the dissimilarities (1 − correlation) of all pairs of tokens. */
export function rsa(x: Features, y: Features): number {
  return pearson(ranks(dissimilarities(x)), ranks(dissimilarities(y)));
}
