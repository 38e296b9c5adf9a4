/** Cholesky factors of symmetric matrices in flat float64 arrays, and solutions with them. */

/**
 * Replaces the lower triangle of a symmetric matrix by its Cholesky factor `L`, `A = L Lᵀ`.
 *
 * Two rows are done at a time, so that each number of earlier rows is read once for both.
 *
 * @returns Whether the matrix was positive definite.
 */
export function factorize(a: Float64Array, size: number): boolean {
  let i = 0;
  for (; i + 1 < size; i += 2) {
    for (let j = 0; j < i; j++) reduceTwo(a, size, i, j);
    if (!finishRow(a, size, i, i)) return false;
    if (!finishRow(a, size, i + 1, i)) return false;
  }
  return i >= size || finishRow(a, size, i, 0);
}

/** Elements `(i, j)` and `(i + 1, j)` of the factor. */
function reduceTwo(a: Float64Array, size: number, i: number, j: number): void {
  const [first, second, other] = [i * size, (i + 1) * size, j * size];
  let [s0, s1, t0, t1, k] = [0, 0, 0, 0, 0];
  for (; k + 1 < j; k += 2) {
    const x = a[other + k] as number;
    const y = a[other + k + 1] as number;
    s0 += (a[first + k] as number) * x;
    s1 += (a[first + k + 1] as number) * y;
    t0 += (a[second + k] as number) * x;
    t1 += (a[second + k + 1] as number) * y;
  }
  if (k < j) {
    s0 += (a[first + k] as number) * (a[other + k] as number);
    t0 += (a[second + k] as number) * (a[other + k] as number);
  }
  const diagonal = a[other + j] as number;
  a[first + j] = ((a[first + j] as number) - s0 - s1) / diagonal;
  a[second + j] = ((a[second + j] as number) - t0 - t1) / diagonal;
}

/** The rest of row `i` from column `from` on, its diagonal included. */
function finishRow(a: Float64Array, size: number, i: number, from: number): boolean {
  for (let j = from; j <= i; j++) {
    let sum = a[i * size + j] as number;
    for (let k = 0; k < j; k++) sum -= (a[i * size + k] as number) * (a[j * size + k] as number);
    if (j < i) a[i * size + j] = sum / (a[j * size + j] as number);
    else if (sum > 0) a[i * size + i] = Math.sqrt(sum);
    else return false;
  }
  return true;
}

/** Replaces each `b` by the solution of `L Lᵀ x = b`; a row of `L` is read once for all, a number once for two of them. */
export function solveFactored(l: Float64Array, size: number, vectors: readonly Float64Array[]): void {
  // An odd one goes with a vector of zeros.
  const pairs = Array.from({ length: Math.ceil(vectors.length / 2) }, (_, p) => [
    vectors[2 * p] ?? new Float64Array(size),
    vectors[2 * p + 1] ?? new Float64Array(size),
  ]) as readonly (readonly [Float64Array, Float64Array])[];
  for (let i = 0; i < size; i++) for (const [a, b] of pairs) forward(l, i * size, [i, a, b]);
  for (let i = size - 1; i >= 0; i--) for (const [a, b] of pairs) backward(l, i * size, [i, a, b]);
}

/** One row's step for two right-hand sides. */
type Step = readonly [i: number, a: Float64Array, b: Float64Array];

function forward(l: Float64Array, row: number, [i, a, b]: Step): void {
  let [s0, s1, t0, t1, k] = [0, 0, 0, 0, 0];
  for (; k + 1 < i; k += 2) {
    const x = l[row + k] as number;
    const y = l[row + k + 1] as number;
    s0 += x * (a[k] as number);
    s1 += y * (a[k + 1] as number);
    t0 += x * (b[k] as number);
    t1 += y * (b[k + 1] as number);
  }
  if (k < i) {
    s0 += (l[row + k] as number) * (a[k] as number);
    t0 += (l[row + k] as number) * (b[k] as number);
  }
  const diagonal = l[row + i] as number;
  a[i] = ((a[i] as number) - s0 - s1) / diagonal;
  b[i] = ((b[i] as number) - t0 - t1) / diagonal;
}

function backward(l: Float64Array, row: number, [i, a, b]: Step): void {
  const diagonal = l[row + i] as number;
  const [x, y] = [(a[i] as number) / diagonal, (b[i] as number) / diagonal];
  a[i] = x;
  b[i] = y;
  for (let k = 0; k < i; k++) {
    const own = l[row + k] as number;
    a[k] = (a[k] as number) - own * x;
    b[k] = (b[k] as number) - own * y;
  }
}
