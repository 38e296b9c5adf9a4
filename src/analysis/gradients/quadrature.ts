/** Where to evaluate an integrand, and how much each place counts. */

/** Places in 0 … 1 and their weights, which sum to 1. */
export interface Quadrature {
  readonly nodes: readonly number[];
  readonly weights: readonly number[];
}

/** Legendre's polynomial `P_n` and its derivative, by the three-term recurrence. */
function legendre(n: number, x: number): { readonly value: number; readonly slope: number } {
  let [before, value] = [1, x];
  for (let k = 2; k <= n; k++) [before, value] = [value, ((2 * k - 1) * x * value - (k - 1) * before) / k];
  return { value, slope: (n * (x * value - before)) / (x * x - 1) };
}

/** The `i`-th root of `P_n`, by Newton's method from Tricomi's first guess. */
function root(n: number, i: number): number {
  let x = Math.cos((Math.PI * (i + 0.75)) / (n + 0.5));
  for (let step = 0; step < 20; step++) {
    const { value, slope } = legendre(n, x);
    x -= value / slope;
  }
  return x;
}

/**
 * Returns Gauss and Legendre's rule on 0 … 1: exact for polynomials up to degree `2n − 1`.
 *
 * @param n - At least 1.
 */
export function gaussLegendre(n: number): Quadrature {
  if (n === 1) return { nodes: [0.5], weights: [1] };
  const roots = Array.from({ length: n }, (_, i) => root(n, n - 1 - i));
  return {
    nodes: roots.map((x) => (x + 1) / 2),
    weights: roots.map((x) => 1 / ((1 - x * x) * legendre(n, x).slope ** 2)),
  };
}
