/** The inner product loop: `c += a b` for row-major float64 matrices, in blocks that stay in the cache. */

/** Sizes of a product `[m, k] x [k, n]`. */
export interface GemmSizes {
  readonly m: number;
  readonly k: number;
  readonly n: number;
}

/** Rows of `b` in one block. */
const blockK = 64;
/** Columns of `b` in one block; 64 x 512 doubles are 256 kB. */
const blockN = 512;

/** Adds `a b` to `c`: `[m, n] += [m, k] x [k, n]`, all row-major. */
export function multiplyInto(c: Float64Array, a: Float64Array, b: Float64Array, sizes: GemmSizes): void {
  const { k, n } = sizes;
  for (let fromK = 0; fromK < k; fromK += blockK) {
    const toK = Math.min(k, fromK + blockK);
    for (let fromN = 0; fromN < n; fromN += blockN) {
      multiplyBlock(c, a, b, { ...sizes, fromK, toK, fromN, toN: Math.min(n, fromN + blockN) });
    }
  }
}

interface Block extends GemmSizes {
  readonly fromK: number;
  readonly toK: number;
  readonly fromN: number;
  readonly toN: number;
}

function multiplyBlock(c: Float64Array, a: Float64Array, b: Float64Array, block: Block): void {
  const { m, k, n, fromK, toK, fromN, toN } = block;
  for (let i = 0; i < m; i++) {
    let p = fromK;
    for (; p + 3 < toK; p += 4) {
      const a0 = a[i * k + p] as number;
      const a1 = a[i * k + p + 1] as number;
      const a2 = a[i * k + p + 2] as number;
      const a3 = a[i * k + p + 3] as number;
      const [b0, b1, b2, b3] = [p * n, (p + 1) * n, (p + 2) * n, (p + 3) * n];
      for (let j = fromN; j < toN; j++) {
        const low = a0 * (b[b0 + j] as number) + a1 * (b[b1 + j] as number);
        const high = a2 * (b[b2 + j] as number) + a3 * (b[b3 + j] as number);
        c[i * n + j] = (c[i * n + j] as number) + (low + high);
      }
    }
    for (; p < toK; p++) {
      const scale = a[i * k + p] as number;
      for (let j = fromN; j < toN; j++) c[i * n + j] = (c[i * n + j] as number) + scale * (b[p * n + j] as number);
    }
  }
}
