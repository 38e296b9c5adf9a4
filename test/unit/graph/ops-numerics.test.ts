import { describe, expect, it } from "vitest";
import { dataOf, GraphBuilder, type GraphDType, Ops, type Value } from "../../../src/graph/index.js";
import { exactErf, exactSoftplus } from "../../helpers/exact.js";
import { runGraph } from "../../helpers/run-graph.js";

const points = [
  -40, -7, -6.5, -6, -5.999, -4.000001, -4, -3.3, -2, -1.25, -1, -0.84375, -0.5, -0.46876, -0.46875, -0.46874, -0.1,
  -1e-5, -1e-300, 0, 1e-300, 1e-9, 0.01, 0.2, 0.3, 0.4, 0.46875, 0.468751, 0.6, 0.75, 0.9, 1.1, 1.5, 2.5, 3, 3.999, 4.5,
  5, 5.5, 6.000001, 9, 40,
];

async function unary(dtype: GraphDType, xs: readonly number[], f: (ops: Ops, x: Value) => Value): Promise<number[]> {
  const builder = new GraphBuilder();
  const x = builder.input("x", dtype, [xs.length]);
  const graph = builder.build({ y: f(new Ops(builder), x) });
  const { y } = await runGraph(graph, { x: { data: dataOf(dtype, xs) } });
  expect(y?.dtype).toBe(dtype);
  return Array.from(y?.data ?? [], Number);
}

function worst(actual: readonly number[], expected: readonly number[]): number {
  return Math.max(...actual.map((value, index) => Math.abs(value - (expected[index] ?? Number.NaN))));
}

function erf(x: number): number {
  return Math.abs(x) > 6.5 ? Math.sign(x) : exactErf(x);
}

const erfs = points.map(erf);

describe("activations", () => {
  it("computes erf in float64 to 1e-15", async () => {
    const y = await unary("float64", points, (ops, x) => ops.erf(x));
    expect(worst(y, erfs)).toBeLessThanOrEqual(1e-15);
  });

  it("computes erf on a dense float64 grid to 1e-15", async () => {
    const grid = Array.from({ length: 400 }, (_, index) => (index - 200) * 0.0321);
    const y = await unary("float64", grid, (ops, x) => ops.erf(x));
    expect(worst(y, grid.map(erf))).toBeLessThanOrEqual(1e-15);
  });

  it("keeps erf of infinities and NaN", async () => {
    const y = await unary("float64", [Infinity, -Infinity, Number.NaN], (ops, x) => ops.erf(x));
    expect(y).toEqual([1, -1, Number.NaN]);
  });

  it("computes exact gelu in float64", async () => {
    const y = await unary("float64", points, (ops, x) => ops.gelu(x));
    const expected = points.map((x) => 0.5 * x * (1 + erf(x * Math.SQRT1_2)));
    expect(worst(y, expected)).toBeLessThanOrEqual(1e-14);
  });

  it("computes tanh gelu in both types", async () => {
    const expected = points.map((x) => 0.5 * x * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (x + 0.044715 * x ** 3))));
    const double = await unary("float64", points, (ops, x) => ops.gelu(x, { approximate: "tanh" }));
    const single = await unary("float32", points, (ops, x) => ops.gelu(x, { approximate: "tanh" }));
    expect(worst(double, expected)).toBeLessThanOrEqual(1e-14);
    expect(worst(single, expected)).toBeLessThanOrEqual(3e-6);
  });

  it("computes erf and exact gelu in float32 with the kernels", async () => {
    const e = await unary("float32", points, (ops, x) => ops.erf(x));
    const g = await unary("float32", points, (ops, x) => ops.gelu(x));
    expect(worst(e, erfs)).toBeLessThanOrEqual(5e-7);
    expect(
      worst(
        g,
        points.map((x) => 0.5 * x * (1 + erf(x * Math.SQRT1_2))),
      ),
    ).toBeLessThanOrEqual(3e-6);
  });

  it("computes silu as x times its sigmoid in both types", async () => {
    const expected = points.map((x) => x / (1 + Math.exp(-x)));
    const double = await unary("float64", points, (ops, x) => ops.silu(x));
    const fused = await unary("float32", points, (ops, x) => ops.silu(x));
    const plain = await unary("float32", points, (ops, x) => ops.mul(x, ops.sigmoid(x)));
    expect(worst(double, expected)).toBeLessThanOrEqual(1e-14);
    expect(worst(fused, expected)).toBeLessThanOrEqual(3e-6);
    expect(worst(fused, plain)).toBeLessThanOrEqual(5e-7);
  });

  it("computes softplus in both types without overflow", async () => {
    const expected = points.map((x) => exactSoftplus(x));
    const double = await unary("float64", points, (ops, x) => ops.softplus(x));
    const single = await unary("float32", points, (ops, x) => ops.softplus(x));
    expect(worst(double, expected)).toBeLessThanOrEqual(1e-14);
    expect(worst(single, expected)).toBeLessThanOrEqual(3e-6);
  });
});

const rows = 3;
const width = 7;
const xs = Array.from({ length: rows * width }, (_, index) => Math.sin(index * 2.1) * 3 + 1);
const gain = Array.from({ length: width }, (_, index) => 0.5 + index / 5);
const bias = Array.from({ length: width }, (_, index) => index / 3 - 1);

function normOracle(centred: boolean, eps: number, w: readonly number[], b: readonly number[]): number[] {
  return Array.from({ length: rows }, (_, row) => {
    const x = xs.slice(row * width, (row + 1) * width);
    const mean = centred ? x.reduce((sum, value) => sum + value, 0) / width : 0;
    const c = x.map((value) => value - mean);
    const scale = Math.sqrt(c.reduce((sum, value) => sum + value * value, 0) / width + eps);
    return c.map((value, index) => (value / scale) * (w[index] ?? 1) + (b[index] ?? 0));
  }).flat();
}

async function norm(dtype: GraphDType, build: (ops: Ops, x: Value, w: Value, b: Value) => Value): Promise<number[]> {
  const builder = new GraphBuilder();
  const x = builder.input("x", dtype, ["batch", width]);
  const [w, b] = [builder.constant(dataOf(dtype, gain), dtype), builder.constant(dataOf(dtype, bias), dtype)];
  const graph = builder.build({ y: build(new Ops(builder), x, w, b) });
  const { y } = await runGraph(graph, { x: { data: dataOf(dtype, xs) } }, { bindings: { batch: rows } });
  return Array.from(y?.data ?? [], Number);
}

describe("norms", () => {
  it.each([
    ["float32", 1e-6],
    ["float64", 1e-14],
  ] as const)("agree with their formulas in %s", async (dtype, tolerance) => {
    const eps = 1e-3;
    const layer = await norm(dtype, (ops, x, w, b) => ops.layerNorm(x, w, b, eps));
    const bare = await norm(dtype, (ops, x) => ops.layerNorm(x, undefined, undefined, eps));
    const rms = await norm(dtype, (ops, x, w) => ops.rmsNorm(x, w, eps));
    expect(worst(layer, normOracle(true, eps, gain, bias))).toBeLessThanOrEqual(tolerance * 5);
    expect(worst(bare, normOracle(true, eps, [], []))).toBeLessThanOrEqual(tolerance * 5);
    expect(worst(rms, normOracle(false, eps, gain, []))).toBeLessThanOrEqual(tolerance * 5);
  });

  it("refuse a missing gain when the width is symbolic", () => {
    const builder = new GraphBuilder();
    const x = builder.input("x", "float32", ["batch", "width"]);
    expect(() => new Ops(builder).rmsNorm(x, undefined, 1e-5)).toThrow(
      'norm without a gain: got a last axis of size "width"; expected a number. Pass a gain.',
    );
  });
});
