import { describe, expect, it } from "vitest";
import {
  fingerprint,
  type Graph,
  GraphBuilder,
  graphCost,
  graphFlops,
  Ops,
  type Value,
} from "../../../src/graph/index.js";

function graphOf(make: (ops: Ops, x: Value) => Value): Graph {
  const builder = new GraphBuilder();
  const x = builder.input("x", "float32", ["batch", "pos", 8]);
  return builder.build({ y: make(new Ops(builder), x) });
}

const bindings = { batch: 2, pos: 3 };

function matrix(ops: Ops, rows: number, columns: number): Value {
  const source = { kind: "file", path: "/m.safetensors", offset: 0, length: rows * columns * 4 } as const;
  return ops.builder.weight(`w${rows}x${columns}`, "float32", [rows, columns], source);
}

describe("graphCost", () => {
  const products: readonly [string, (ops: Ops, x: Value) => Value, number][] = [
    ["MatMul", (ops, x) => ops.matmul(x, matrix(ops, 8, 5)), 2 * 2 * 3 * 8 * 5],
    ["FusedMatMul of a Linear", (ops, x) => ops.fusedMatmul(x, matrix(ops, 5, 8), { transB: true }), 2 * 2 * 3 * 8 * 5],
    ["FusedMatMul transA", (ops, x) => ops.fusedMatmul(x, x, { transA: true }), 2 * 2 * 3 * 8 * 8],
    [
      "FusedMatMul transBatchA",
      (ops, x) => ops.fusedMatmul(x, ops.unsqueeze(matrix(ops, 8, 5), [0]), { transBatchA: true }),
      2 * 2 * 3 * 8 * 5,
    ],
    ["Einsum", (ops, x) => ops.einsum("bpd,de->bpe", x, matrix(ops, 8, 5)), 2 * 2 * 3 * 8 * 5],
    ["an element-wise op", (ops, x) => ops.exp(x), 48],
    ["a reduction", (ops, x) => ops.reduceSum(x), 48],
    ["a reshape", (ops, x) => ops.reshape(x, ["batch", "pos", 2, 4]), 0],
  ];
  it.each(products)("counts %s", (_, make, flops) => {
    expect(graphCost(graphOf(make), bindings).flops).toBe(flops);
    expect(graphFlops(graphOf(make), bindings)).toBe(flops);
  });

  it("counts attention as two products and a softmax", () => {
    const builder = new GraphBuilder();
    const ops = new Ops(builder);
    const q = builder.input("q", "float32", ["batch", 4, "pos", 8]);
    const k = builder.input("k", "float32", ["batch", 2, "pos", 8]);
    const past = builder.input("past", "float32", ["batch", 2, "past", 8]);
    const { output } = ops.attention({ q, k, v: k, pastKey: past, pastValue: past });
    const { flops } = graphCost(builder.build({ output }), { batch: 2, pos: 3, past: 5 });
    expect(flops).toBe(2 * 4 * 3 * 8 * (2 * 8 * 2 + 5));
  });

  it("sums bytes of activations, finds their peak, and counts weights in files apart", () => {
    const graph = graphOf((ops, x) => ops.matmul(ops.neg(ops.neg(ops.neg(x))), matrix(ops, 8, 5)));
    const cost = graphCost(graph, bindings);
    expect(cost.activationBytes).toBe(4 * (48 * 3 + 30));
    expect(cost.peakBytes).toBe(4 * 96);
    expect(cost.weightBytes).toBe(160);
    expect(cost.nodes.map(({ bytes }) => bytes)).toEqual([192, 192, 192, 120]);
  });

  it("names sizes that only the run will know and refuses unbound ones", () => {
    const graph = graphOf((ops, x) =>
      ops.neg(ops.gather(x, ops.topk(ops.argmax(x, -1), ops.reduceMax(ops.argmax(x, -1), [0, 1], false)).indices, 0)),
    );
    expect(graphCost(graph, bindings).unknownSizes).toEqual(["TopK_0.1"]);
    expect(graphFlops(graph, bindings)).toBe(graphCost(graph, bindings).flops);
    expect(() => graphFlops(graph, { batch: 2 })).toThrow('size "pos": got no number for "pos" (known: batch)');
    expect(() => graphCost(graph, { batch: 2 })).toThrow('size "pos": got no number for "pos" (known: batch)');
  });
});

describe("fingerprint", () => {
  const base = (ops: Ops, x: Value): Value => ops.add(ops.exp(x), 1);
  it("is equal for equal graphs, whatever else their builders made", () => {
    const other = graphOf((ops, x) => {
      ops.exp(ops.neg(x));
      return base(ops, x);
    });
    expect(fingerprint(other)).toBe(fingerprint(graphOf(base)));
  });

  it("differs by op, attribute, constant, weight source, shape and name", () => {
    const builder = (make: (ops: Ops, x: Value) => Value) => fingerprint(graphOf(make));
    const weight = (offset: number) => (ops: Ops, x: Value) => {
      const source = { kind: "file", path: "/m", offset, length: 32 } as const;
      return ops.mul(x, ops.builder.weight("w", "float32", [8], source));
    };
    const wide = (value: number) => (ops: Ops, x: Value) =>
      ops.mul(x, ops.builder.constant([...Array<number>(7).fill(0), value], "float32"));
    const all = [
      base,
      (o: Ops, x: Value) => o.add(o.log(x), 1),
      (o: Ops, x: Value) => o.add(o.exp(x), 2),
      (o: Ops, x: Value) => o.softmax(x, 0),
      (o: Ops, x: Value) => o.softmax(x, 1),
      weight(0),
      weight(8),
      wide(1),
      wide(2),
    ];
    expect(new Set(all.map(builder)).size).toBe(all.length);
    const one = new GraphBuilder();
    const x = one.input("x", "float32", ["batch", "pos", 8]);
    const other = one.build({ z: base(new Ops(one), x) });
    expect(fingerprint(other)).not.toBe(fingerprint(graphOf(base)));
  });
});
