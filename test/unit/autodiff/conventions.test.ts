/** Where a derivative does not exist, or a formula would make 0 x infinity: what limpid gives there. */
import { afterAll, describe, expect, it } from "vitest";
import { gradients } from "../../../src/autodiff/index.js";
import type { Ops, Value } from "../../../src/graph/index.js";
import { Engine } from "../../../src/runtime/index.js";
import { Bench } from "./run.js";

const engine = Engine.create({ threads: 2 });
afterAll(() => engine.close());

/** Gradients of the sum of `f(x)` weighted 1, 2, 3, …, at one-dimensional points. */
async function slopes(
  f: (ops: Ops, ...x: readonly Value[]) => Value,
  ...points: readonly number[][]
): Promise<number[][]> {
  const bench = new Bench();
  const { ops, builder } = bench;
  const inputs = points.map((data, index) => bench.input(`x${index}`, [data.length], data));
  const y = f(ops, ...inputs);
  const count = ops.add(ops.cast(ops.range(0, ops.sizeOf(y)), "float64"), 1);
  const loss = ops.reduceSum(ops.mul(ops.reshape(y, [-1]), count), undefined, false);
  const results = await bench.run(engine, gradients(builder, loss, inputs));
  return results.map((list) => [...list]);
}

describe("at kinks", () => {
  it("relu has slope 0 at 0, abs too", async () => {
    expect(await slopes((ops, x) => ops.relu(x ?? ops.scalar(0, "float64")), [-1, 0, 2])).toEqual([[0, 0, 3]]);
    expect(await slopes((ops, x) => ops.abs(x ?? ops.scalar(0, "float64")), [-1, 0, 2])).toEqual([[-1, 0, 3]]);
  });

  it("operands of a maximum that are equal share the gradient", async () => {
    const [a, b] = await slopes((ops, x, y) => ops.maximum(x ?? 0, y ?? 0, 5), [1, 5, 7], [1, 5, 8]);
    expect(a).toEqual([0, 2 / 3, 0]);
    expect(b).toEqual([0, 2 / 3, 3]);
  });

  it("elements that are equal share the gradient of a maximum over an axis", async () => {
    const own = (ops: Ops, x: Value | undefined): Value => ops.reduceMax(x ?? ops.scalar(0, "float64"), [0]);
    expect(await slopes(own, [3, 1, 3, 3])).toEqual([[1 / 3, 0, 1 / 3, 1 / 3]]);
  });

  it("clip passes the gradient on its bounds", async () => {
    const own = (ops: Ops, x: Value | undefined): Value => ops.clip(x ?? ops.scalar(0, "float64"), -1, 1);
    expect(await slopes(own, [-2, -1, 0, 1, 2])).toEqual([[0, 2, 3, 4, 0]]);
  });

  it("equal elements of a top-k get gradients where the kernel took them from, each once", async () => {
    const own = (ops: Ops, x: Value | undefined): Value => ops.topk(x ?? ops.scalar(0, "float64"), 2).values;
    const [g = []] = await slopes(own, [2, 2, 2, 1]);
    expect([...g].sort()).toEqual([0, 0, 1, 2]);
    expect(g[3]).toBe(0);
  });
});

describe("where formulas would divide by zero", () => {
  it("a norm of zeros has gradient 0", async () => {
    const own = (ops: Ops, x: Value | undefined): Value => ops.reduceL2(x ?? ops.scalar(0, "float64"), [0]);
    expect(await slopes(own, [0, 0])).toEqual([[0, 0]]);
  });

  it("a product over elements with one zero has the product of the others there, with two nothing", async () => {
    const own = (ops: Ops, x: Value | undefined): Value => ops.builder.op("ReduceProd", [x]);
    expect(await slopes(own, [2, 0, 3])).toEqual([[0, 6, 0]]);
    expect(await slopes(own, [2, 0, 0])).toEqual([[0, 0, 0]]);
  });

  it("0 to the power 0 has slope 0 in the base and in the exponent", async () => {
    const [a, b] = await slopes((ops, x, y) => ops.pow(x ?? 0, y ?? 0), [0, 0, -2], [0, 2, 3]);
    expect(a).toEqual([0, 0, 3 * 12]);
    expect(b?.map(Math.abs)).toEqual([0, 0, 0]);
  });

  it("log-sum-exp of -infinity only has gradient 0", async () => {
    const own = (ops: Ops, x: Value | undefined): Value => ops.logSumExp(x ?? ops.scalar(0, "float64"), [0]);
    expect(await slopes(own, [-Infinity, -Infinity])).toEqual([[0, 0]]);
    expect(await slopes(own, [-Infinity, 1])).toEqual([[0, 1]]);
  });

  it("a softmax row that is masked altogether gives 0 when the graph looks for its NaN, else NaN", async () => {
    const bench = new Bench();
    const { ops, builder } = bench;
    const x = bench.input("x", [2, 2], [1, 2, 3, 4]);
    const mask = builder.constant([0, 0, -Infinity, -Infinity], "float64", [2, 2]);
    const pattern = ops.softmax(ops.add(x, mask));
    const weights = builder.constant([1, 0, 1, 0], "float64", [2, 2]);
    const unguarded = ops.reduceSum(ops.mul(pattern, weights), undefined, false);
    const [before = x] = gradients(builder, unguarded, [x]);
    expect((await bench.run(engine, [before]))[0]?.slice(2)).toEqual([NaN, NaN]);
    const guarded = ops.where(ops.isNaN(pattern), 0, pattern);
    const loss = ops.reduceSum(ops.mul(guarded, weights), undefined, false);
    const [after = x] = gradients(builder, loss, [x]);
    const p = 1 / (1 + Math.E);
    const [g = []] = await bench.run(engine, [after]);
    expect(g.slice(2)).toEqual([0, 0]);
    expect(g[0]).toBeCloseTo(p * (1 - p), 14);
  });

  it("an infinity in the branch that where does not take does no harm", async () => {
    const own = (ops: Ops, x: Value | undefined): Value => {
      const value = x ?? ops.scalar(0, "float64");
      return ops.where(ops.greater(value, 0), ops.mul(value, 2), ops.div(1, ops.relu(value)));
    };
    expect(
      (await slopes((ops, x) => ops.where(ops.greater(x ?? 0, 0), ops.mul(x ?? 0, 2), -Infinity), [1, -1]))[0],
    ).toEqual([2, 0]);
    expect((await slopes(own, [1]))[0]).toEqual([2]);
  });
});

describe("indices that repeat", () => {
  it("add up every gradient, with two threads and many hits", async () => {
    const bench = new Bench();
    const { ops, builder } = bench;
    const table = bench.input("table", [3, 64], new Array<number>(192).fill(0.5));
    const ids = bench.input(
      "ids",
      [5000],
      Array.from({ length: 5000 }, (_, index) => (index * 7) % 3),
      "int64",
    );
    const loss = ops.reduceSum(ops.gather(table, ids, 0), undefined, false);
    const counts = [0, 1, 2].map(
      (row) => Array.from({ length: 5000 }, (_, index) => (index * 7) % 3).filter((id) => id === row).length,
    );
    for (let round = 0; round < 5; round++) {
      const [g = []] = await bench.run(engine, gradients(builder, loss, [table]));
      expect([g[0], g[64], g[128], g[191]]).toEqual([counts[0], counts[1], counts[2], counts[2]]);
    }
  });

  it("of a scatter all get the gradient, although one update is kept", async () => {
    const bench = new Bench();
    const { ops, builder } = bench;
    const x = bench.input("x", [3], [1, 2, 3]);
    const u = bench.input("u", [2], [7, 8]);
    const indices = builder.constant([1, 1], "int64", [2, 1]);
    const loss = ops.reduceSum(ops.mul(ops.scatterND(x, indices, u), 2), undefined, false);
    expect(await bench.run(engine, gradients(builder, loss, [x, u]))).toEqual([
      [2, 0, 2],
      [2, 2],
    ]);
  });
});
