/** Sums of outer products: small ones here, large ones as a graph in the engine. */
import { GraphBuilder, Ops } from "../../graph/index.js";
import type { Engine } from "../../runtime/index.js";

/** Returns Σ x xᵀ per block of `width` elements, `[dim / width, width, width]`. */
export type OuterProducts = (x: Float64Array, shape: ProductShape) => Promise<Float64Array>;

/** Rows of vectors that are made of blocks. */
export interface ProductShape {
  readonly rows: number;
  readonly dim: number;
  /** Length of the blocks whose outer products are summed; 1 for squares. */
  readonly width: number;
}

/** Adds Σ x xᵀ for every block of `width` elements; of each block only the upper triangle is filled. */
export function addProducts(spread: Float64Array, x: Float64Array, shape: ProductShape): void {
  const { rows, dim, width } = shape;
  if (width === 1) {
    for (let t = 0; t < rows; t++)
      for (let i = 0; i < dim; i++) spread[i] = (spread[i] as number) + (x[t * dim + i] as number) ** 2;
    return;
  }
  for (let block = 0; block < dim; block += width)
    for (let i = 0; i < width; i++) addTriangleRow(spread, x, { ...shape, block, i });
}

/** Row i of one block's triangle, four tokens at a time. */
function addTriangleRow(
  spread: Float64Array,
  x: Float64Array,
  at: ProductShape & { readonly block: number; readonly i: number },
): void {
  const { rows, dim, width, block, i } = at;
  const row = (block + i) * width;
  let t = 0;
  for (; t + 3 < rows; t += 4) {
    const [p0, p1, p2, p3] = [t * dim + block, (t + 1) * dim + block, (t + 2) * dim + block, (t + 3) * dim + block];
    const [a0, a1] = [x[p0 + i] as number, x[p1 + i] as number];
    const [a2, a3] = [x[p2 + i] as number, x[p3 + i] as number];
    for (let j = i; j < width; j++) {
      const low = a0 * (x[p0 + j] as number) + a1 * (x[p1 + j] as number);
      const high = a2 * (x[p2 + j] as number) + a3 * (x[p3 + j] as number);
      spread[row + j] = (spread[row + j] as number) + (low + high);
    }
  }
  for (; t < rows; t++) {
    const p = t * dim + block;
    const a = x[p + i] as number;
    for (let j = i; j < width; j++) spread[row + j] = (spread[row + j] as number) + a * (x[p + j] as number);
  }
}

/** Copies the upper triangles to the lower ones. */
export function fillLower(spread: Float64Array, width: number): void {
  for (let block = 0; block < spread.length; block += width * width)
    for (let i = 1; i < width; i++)
      for (let j = 0; j < i; j++) spread[block + i * width + j] = spread[block + j * width + i] ?? 0;
}

/** Returns outer products as a matrix product in float64, run by the engine between two batches. */
export function engineProducts(engine: Engine): OuterProducts {
  return async (data, { rows, dim, width }) => {
    const builder = new GraphBuilder();
    const ops = new Ops(builder);
    const x = builder.input("x", "float64", ["rows", dim / width, width]);
    const sums = ops.matmul(ops.transpose(x, [1, 2, 0]), ops.transpose(x, [1, 0, 2]));
    const segments = [builder.build({ sums })];
    const key = `model.over: outer products of ${dim / width} blocks of ${width}`;
    const feeds = { x: { dtype: "float64", shape: [rows, dim / width, width], data } } as const;
    const { sums: result } = await engine.run({ segments, outputs: ["sums"], key }, feeds);
    return Float64Array.from((result?.data ?? []) as Float64Array);
  };
}
