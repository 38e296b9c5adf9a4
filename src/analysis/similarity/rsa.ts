/**
 * Representational similarity analysis: do two activations find the same tokens alike?
 *
 * @see Kriegeskorte et al. 2008, "Representational similarity analysis"
 */
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

/** Ranks from 1; equal values share the mean of theirs. */
export function ranksOf(values: Float64Array): Float64Array {
  const order = Uint32Array.from(values, (_, i) => i).sort((a, b) => (values[a] ?? 0) - (values[b] ?? 0));
  const ranks = new Float64Array(values.length);
  for (let from = 0; from < order.length; ) {
    let to = from + 1;
    while (to < order.length && values[order[to] ?? 0] === values[order[from] ?? 0]) to += 1;
    for (let i = from; i < to; i++) ranks[order[i] ?? 0] = (from + to + 1) / 2;
    from = to;
  }
  return ranks;
}

function correlation(a: Float64Array, b: Float64Array): number {
  const mean = (values: Float64Array): number => values.reduce((sum, value) => sum + value, 0) / values.length;
  const [ma, mb] = [mean(a), mean(b)];
  let [cross, own, other] = [0, 0, 0];
  a.forEach((value, i) => {
    const [da, db] = [value - ma, (b[i] ?? 0) - mb];
    cross += da * db;
    own += da * da;
    other += db * db;
  });
  return cross / Math.sqrt(own * other);
}

/** Spearman correlation between the dissimilarities (1 − correlation) of all pairs of tokens. */
export function rsa(x: Features, y: Features): number {
  return correlation(ranksOf(dissimilarities(x)), ranksOf(dissimilarities(y)));
}
