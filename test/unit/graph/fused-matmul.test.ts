import { describe, expect, it } from "vitest";
import { dataOf, type FusedMatmulOptions, GraphBuilder, type GraphDType, Ops } from "../../../src/graph/index.js";
import { runGraph } from "../../helpers/run-graph.js";

/** A matrix as rows, and a batch of them. */
type Batch = readonly (readonly (readonly number[])[])[];

function noise(count: number, seed: number): number[] {
  return Array.from({ length: count }, (_, index) => Math.sin(index * 1.3 + seed));
}

/** Reads data as a batch of `[rows, columns]` after the documented transpositions. */
function operand(data: readonly number[], shape: readonly number[], trans: boolean, batch: boolean): Batch {
  const [d0 = 1, d1 = 1, d2 = 1] = shape.length === 2 ? [1, ...shape] : shape;
  const at = (i: number, j: number, k: number): number => data[(i * d1 + j) * d2 + k] ?? 0;
  const [count, rows, columns] = batch ? [d1, d0, d2] : [d0, d1, d2];
  const range = (n: number): number[] => Array.from({ length: n }, (_, index) => index);
  const plain = range(count).map((b) =>
    range(rows).map((r) => range(columns).map((c) => (batch ? at(r, b, c) : at(b, r, c)))),
  );
  return trans ? plain.map((m) => range(columns).map((c) => range(rows).map((r) => m[r]?.[c] ?? 0))) : plain;
}

function product(a: Batch, b: Batch): number[] {
  const count = Math.max(a.length, b.length);
  return Array.from({ length: count }, (_, index) => {
    const [left, right] = [a[a.length === 1 ? 0 : index] ?? [], b[b.length === 1 ? 0 : index] ?? []];
    return left.flatMap((row) =>
      (right[0] ?? []).map((_unused, c) => row.reduce((sum, value, k) => sum + value * (right[k]?.[c] ?? 0), 0)),
    );
  }).flat();
}

const cases: readonly [FusedMatmulOptions, readonly number[], readonly number[], readonly number[]][] = [
  [{}, [2, 3, 5], [5, 7], [2, 3, 7]],
  [{ transB: true }, [2, 3, 5], [7, 5], [2, 3, 7]],
  [{ transB: true }, [3, 5], [7, 5], [3, 7]],
  [{ transA: true }, [2, 5, 3], [2, 5, 7], [2, 3, 7]],
  [{ transA: true, transB: true }, [2, 5, 3], [2, 7, 5], [2, 3, 7]],
  [{ transB: true, alpha: 0.25 }, [2, 3, 5], [2, 7, 5], [2, 3, 7]],
  [{ transBatchA: true }, [3, 2, 5], [2, 5, 7], [2, 3, 7]],
  [{ transBatchB: true }, [2, 3, 5], [5, 2, 7], [2, 3, 7]],
  [{ transBatchB: true, transB: true }, [2, 3, 5], [7, 2, 5], [2, 3, 7]],
  [{ transBatchA: true, transBatchB: true }, [3, 2, 5], [5, 2, 7], [2, 3, 7]],
  [{ transBatchA: true, transA: true, transBatchB: true }, [5, 2, 3], [5, 2, 7], [2, 3, 7]],
];

describe.each([
  ["float32", 2e-6],
  ["float64", 1e-14],
] as const)("fusedMatmul in %s", (dtype: GraphDType, tolerance) => {
  it.each(cases)("%j of %j and %j is %j", async (options, left, right, expected) => {
    const builder = new GraphBuilder();
    const ops = new Ops(builder);
    const size = (shape: readonly number[]): number => shape.reduce((total, dim) => total * dim, 1);
    const [dataA, dataB] = [noise(size(left), 1), noise(size(right), 2)];
    const [a, b] = [builder.input("a", dtype, left), builder.input("b", dtype, right)];
    const y = ops.fusedMatmul(a, b, options);
    expect(y.shape).toEqual(expected);
    const feeds = { a: { data: dataOf(dtype, dataA) }, b: { data: dataOf(dtype, dataB) } };
    const result = (await runGraph(builder.build({ y }), feeds))["y"];
    const { transA = false, transB = false, transBatchA = false, transBatchB = false, alpha = 1 } = options;
    const oracle = product(operand(dataA, left, transA, transBatchA), operand(dataB, right, transB, transBatchB));
    expect(result?.shape).toEqual(expected);
    const worst = Math.max(...oracle.map((value, index) => Math.abs(value * alpha - Number(result?.data[index]))));
    expect(worst).toBeLessThanOrEqual(tolerance);
  });
});

describe("fusedMatmul", () => {
  it("keeps a float64 alpha that float32 cannot hold exact", async () => {
    const builder = new GraphBuilder();
    const ops = new Ops(builder);
    const a = builder.input("a", "float64", [1, 1]);
    const graph = builder.build({ y: ops.fusedMatmul(a, a, { alpha: 0.1 }) });
    const { y } = await runGraph(graph, { a: { data: new Float64Array([3]) } });
    expect(Number(y?.data[0])).toBe(9 * 0.1);
  });

  it("transposes batches of rank 4 as a Transpose would", async () => {
    const builder = new GraphBuilder();
    const ops = new Ops(builder);
    const [a, b] = [builder.input("a", "float64", [3, 2, 4, 5]), builder.input("b", "float64", [7, 2, 4, 5])];
    const fused = ops.fusedMatmul(a, b, { transBatchA: true, transBatchB: true, transB: true });
    const plain = ops.matmul(ops.transpose(a, [1, 2, 0, 3]), ops.transpose(b, [1, 2, 3, 0]));
    expect(fused.shape).toEqual([2, 4, 3, 7]);
    const feeds = { a: { data: dataOf("float64", noise(120, 1)) }, b: { data: dataOf("float64", noise(280, 2)) } };
    const results = await runGraph(builder.build({ fused, plain }), feeds);
    expect(results["fused"]).toEqual(results["plain"]);
  });

  it("refuses vectors, and unequal ranks under a batch transposition", () => {
    const builder = new GraphBuilder();
    const ops = new Ops(builder);
    const a = builder.input("a", "float32", [3, 5]);
    const b = builder.input("b", "float32", [2, 5, 7]);
    expect(() => ops.fusedMatmul(a, builder.input("v", "float32", [3]), { transA: true })).toThrow(
      "got ranks 2 and 1; expected matrices or batches of them. Use MatMul for vectors, or unsqueeze.",
    );
    expect(() => ops.fusedMatmul(a, b, { transBatchB: true })).toThrow(
      "got ranks 2 and 3; expected one rank of 3 or more under a batch transposition. Unsqueeze the smaller operand.",
    );
  });
});
