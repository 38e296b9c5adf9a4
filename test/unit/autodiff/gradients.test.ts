import { afterAll, describe, expect, it } from "vitest";
import { grad, gradients, hessianVectorProduct, jvp, valueAndGrad, vjp } from "../../../src/autodiff/index.js";
import { GraphBuilder, Ops, printGraph, type Value } from "../../../src/graph/index.js";
import { Engine } from "../../../src/runtime/index.js";
import { Bench, runGraph } from "./run.js";

const engine = Engine.create({ threads: 1 });
afterAll(() => engine.close());

/** A linear map with a bias, a nonlinearity and a mean. */
function network(): { graph: ReturnType<GraphBuilder["build"]>; builder: GraphBuilder } {
  const builder = new GraphBuilder();
  const ops = new Ops(builder);
  const x = builder.input("x", "float64", ["batch", 3]);
  const weight = { kind: "data", data: Float64Array.from([1, -1, 0.5, 2, 0.3, -0.7]) } as const;
  const w = builder.weight("w", "float64", [2, 3], weight);
  const b = builder.input("b", "float64", [2]);
  const hidden = ops.relu(ops.add(ops.fusedMatmul(x, w, { transB: true }), b));
  const loss = ops.reduceMean(ops.mul(hidden, hidden), undefined, false);
  return { builder, graph: builder.build({ loss, hidden }) };
}

describe("grad", () => {
  it("appends the backward part, and only what is asked for", () => {
    const { graph } = network();
    expect(printGraph(grad(graph, "loss", ["b"]))).toMatchInlineSnapshot(`
      "input %x: float64[batch, 3]
      input %b: float64[2]
      weight %w: float64[2, 3] = data
      %FusedMatMul_0: float64[batch, 2] = com.microsoft.FusedMatMul(%x, %w, transB=1)
      %Add_0: float64[batch, 2] = Add(%FusedMatMul_0, %b)
      %Relu_0: float64[batch, 2] = Relu(%Add_0)
      %Unsqueeze_0: float64[1, 1] = Unsqueeze(1:f64, [0, 1])
      %Shape_0: int64[1] = Shape(%x, end=1, start=0)
      %Mul_1: int64[1] = Mul(%Shape_0, [2])
      %Cast_0: float64[1] = Cast(%Mul_1, to=11)
      %Squeeze_0: float64[] = Squeeze(%Cast_0, [0])
      %Div_0: float64[1, 1] = Div(%Unsqueeze_0, %Squeeze_0)
      %Mul_2: float64[batch, 2] = Mul(%Div_0, %Relu_0)
      %Add_1: float64[batch, 2] = Add(%Mul_2, %Mul_2)
      %Greater_0: bool[batch, 2] = Greater(%Relu_0, 0:f64)
      %Cast_1: float64[batch, 2] = Cast(%Greater_0, to=11)
      %Mul_3: float64[batch, 2] = Mul(%Add_1, %Cast_1)
      %ReduceSum_0: float64[2] = ReduceSum(%Mul_3, [0], keepdims=0)
      output grad:b = %ReduceSum_0"
    `);
  });

  it("gives closed-form gradients of inputs, weights and values in between in one pass, for any batch", async () => {
    const { graph } = network();
    const gradient = valueAndGrad(graph, "loss", ["x", "w", "b", "hidden"]);
    expect(gradient.outputs.map(({ name }) => name)).toEqual([
      "loss",
      "hidden",
      "grad:x",
      "grad:w",
      "grad:b",
      "grad:hidden",
    ]);
    for (const batch of [1, 2, 5]) {
      const x = Array.from({ length: 3 * batch }, (_, index) => Math.sin(index + 0.5));
      const b = [0.1, -0.2];
      const w = [1, -1, 0.5, 2, 0.3, -0.7];
      const fed = { x: { shape: [batch, 3], data: x }, b: { shape: [2], data: b } };
      const results = await runGraph(engine, gradient, fed);
      const at = (list: readonly number[] | undefined, index: number): number => list?.[index] ?? NaN;
      const pre = Array.from({ length: 2 * batch }, (_, index) => {
        const [row, unit] = [Math.floor(index / 2), index % 2];
        return at(b, unit) + [0, 1, 2].reduce((sum, k) => sum + at(x, 3 * row + k) * at(w, 3 * unit + k), 0);
      });
      const hidden = pre.map((value) => Math.max(value, 0));
      const dHidden = hidden.map((value) => (2 * value) / (2 * batch));
      const close = (actual: readonly number[] | undefined, expected: readonly number[]): void => {
        expect(actual?.length).toBe(expected.length);
        expected.forEach((value, index) => expect(at(actual, index)).toBeCloseTo(value, 12));
      };
      close(results["hidden"], hidden);
      close(results["grad:hidden"], dHidden);
      close(
        results["grad:b"],
        [0, 1].map((unit) => dHidden.reduce((sum, value, index) => (index % 2 === unit ? sum + value : sum), 0)),
      );
      close(
        results["grad:w"],
        w.map((_, index) => {
          const [unit, k] = [Math.floor(index / 3), index % 3];
          return Array.from(
            { length: batch },
            (_unused, row) => at(dHidden, 2 * row + unit) * at(x, 3 * row + k),
          ).reduce((sum, value) => sum + value, 0);
        }),
      );
      close(
        results["grad:x"],
        x.map((_, index) => {
          const [row, k] = [Math.floor(index / 3), index % 3];
          return at(dHidden, 2 * row) * at(w, k) + at(dHidden, 2 * row + 1) * at(w, 3 + k);
        }),
      );
    }
  });

  it("differentiates nothing before the values asked for", () => {
    const { graph } = network();
    const gradient = grad(graph, "loss", ["hidden"]);
    const ops = gradient.nodes.map(({ op }) => op);
    expect(ops.filter((op) => op === "FusedMatMul")).toHaveLength(1);
    expect(ops).not.toContain("Greater");
  });

  it("gives the seed itself for the loss, and one gradient for a value asked twice", async () => {
    const bench = new Bench();
    const x = bench.input("x", [1], [3]);
    const loss = bench.ops.mul(x, x);
    const [a = x, b = x, c = x] = gradients(bench.builder, loss, [loss, x, x]);
    expect(b).toBe(c);
    expect(await bench.run(engine, [a, b])).toEqual([[1], [6]]);
  });

  it("adds up all uses of a value", async () => {
    const bench = new Bench();
    const { ops } = bench;
    const x = bench.input("x", [2], [2, 3]);
    const product = ops.mul(ops.mul(x, x), x);
    const loss = ops.reduceSum(ops.add(product, ops.sub(x, ops.neg(x))), undefined, false);
    expect(await bench.run(engine, gradients(bench.builder, loss, [x]))).toEqual([[3 * 4 + 2, 3 * 9 + 2]]);
  });

  it("joins the gradients of slices of one value without padding each", () => {
    const builder = new GraphBuilder();
    const ops = new Ops(builder);
    const x = builder.input("x", "float32", ["batch", 6]);
    const [q, k, v] = [0, 2, 4].map((start) => ops.slice(x, 1, start, start + 2));
    const loss = ops.reduceSum(ops.mul(ops.mul(q ?? x, k ?? x), ops.sin(v ?? x)), undefined, false);
    const [g = x] = gradients(builder, loss, [x]);
    const graph = builder.build({ g });
    expect(graph.nodes.filter(({ op }) => op === "Concat")).toHaveLength(1);
    expect(graph.nodes.some(({ op }) => op === "Pad")).toBe(false);
  });

  it("computes the gradient of a shared weight in one product over all rows", () => {
    const builder = new GraphBuilder();
    const ops = new Ops(builder);
    const x = builder.input("x", "float32", ["batch", "pos", 4]);
    const w = builder.input("w", "float32", [4, 5]);
    const [g = w] = gradients(builder, ops.reduceSum(ops.sin(ops.matmul(x, w)), undefined, false), [w]);
    const product = builder.producer(g);
    const inputs = product.kind === "node" ? product.node.inputs.map((value) => value?.shape) : [];
    expect(inputs).toEqual([
      ["batch*pos", 4],
      ["batch*pos", 5],
    ]);
  });
});

describe("vjp and jvp", () => {
  it("take several outputs with gradients of their own", async () => {
    const bench = new Bench();
    const { ops, builder } = bench;
    const x = bench.input("x", [2], [2, 3]);
    const seeds = [
      { value: ops.mul(x, x), gradient: builder.constant([1, 10], "float64") },
      { value: ops.reduceSum(x, undefined, false), gradient: builder.constant(100, "float64") },
    ];
    expect(await bench.run(engine, vjp(builder, seeds, [x]))).toEqual([[104, 160]]);
  });

  it("are transposes of each other", async () => {
    const bench = new Bench();
    const { ops, builder } = bench;
    const x = bench.input("x", [3], [0.2, -1, 2]);
    const v = bench.input("v", [3], [1, 2, -1]);
    const u = bench.input("u", [2], [0.3, 0.7]);
    const w = builder.constant([1, 2, 3, -1, 0.5, 2], "float64", [2, 3]);
    const y = ops.tanh(ops.matmul(w, ops.sin(x)));
    const [back = x] = vjp(builder, [{ value: y, gradient: u }], [x]);
    const [forth = y] = jvp(builder, [y], [{ value: x, tangent: v }]);
    const dot = (a: Value, b: Value): Value => ops.reduceSum(ops.mul(a, b), undefined, false);
    const [[left = 0] = [], [right = 1] = []] = await bench.run(engine, [dot(back, v), dot(forth, u)]);
    expect(left).toBeCloseTo(right, 14);
    expect(Math.abs(left)).toBeGreaterThan(0.1);
  });

  it("give zeros for an output that does not move", async () => {
    const bench = new Bench();
    const { ops, builder } = bench;
    const x = bench.input("x", [2], [1, 2]);
    const y = bench.input("y", [3], [1, 2, 3]);
    const [moving = x, still = y] = jvp(builder, [ops.mul(x, 3), ops.mul(y, 2)], [{ value: x, tangent: x }]);
    expect(await bench.run(engine, [moving, still])).toEqual([
      [3, 6],
      [0, 0, 0],
    ]);
  });
});

describe("Hessian-vector products", () => {
  it("of a quadratic form are the symmetric matrix times the vector", async () => {
    const bench = new Bench();
    const { ops, builder } = bench;
    const a = [1, 2, -1, 0.5, 3, 1, 0, 2, -2];
    const x = bench.input("x", [3], [1, -2, 0.5]);
    const v = bench.input("v", [3], [2, 1, -1]);
    const matrix = builder.constant(a, "float64", [3, 3]);
    const loss = ops.reduceSum(ops.mul(x, ops.matmul(matrix, x)), undefined, false);
    const [hv = x] = hessianVectorProduct(builder, loss, [{ value: x, tangent: v }]);
    const expected = [0, 1, 2].map((i) =>
      [2, 1, -1].reduce((sum, value, j) => sum + ((a[3 * i + j] ?? 0) + (a[3 * j + i] ?? 0)) * value, 0),
    );
    expect(await bench.run(engine, [hv])).toEqual([expected]);
  });

  it("are zeros where the loss is linear, and mix several values", async () => {
    const bench = new Bench();
    const { ops, builder } = bench;
    const x = bench.input("x", [2], [1, 2]);
    const y = bench.input("y", [2], [3, 4]);
    const z = bench.input("z", [2], [5, 6]);
    const loss = ops.reduceSum(ops.add(ops.mul(x, y), z), undefined, false);
    const along = [x, y, z].map((value) => ({ value, tangent: value }));
    const products = hessianVectorProduct(builder, loss, along);
    expect(await bench.run(engine, products)).toEqual([
      [3, 4],
      [1, 2],
      [0, 0],
    ]);
  });
});
