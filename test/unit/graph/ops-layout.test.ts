import { describe, expect, it } from "vitest";
import { evalShape, type Graph, GraphBuilder, Ops, printGraph, type Value } from "../../../src/graph/index.js";
import { runGraph } from "../../helpers/run-graph.js";

const bindings = { batch: 2, pos: 3, past: 5 };

function setUp() {
  const builder = new GraphBuilder();
  const ops = new Ops(builder);
  const x = builder.input("x", "float32", ["batch", "pos", 6]);
  return { builder, ops, x };
}

/** Runs on 0, 1, 2, … and checks the inferred shape. */
async function run(graph: Graph): Promise<{ shape: readonly number[]; data: number[] }> {
  const feeds = Object.fromEntries(
    graph.inputs.map((value) => {
      const count = evalShape(value.shape, bindings).reduce((product, size) => product * size, 1);
      return [value.name, { data: Float32Array.from({ length: count }, (_, index) => index) }];
    }),
  );
  const { y } = await runGraph(graph, feeds, { bindings });
  if (y === undefined) throw new Error("no output y");
  expect(y.shape).toEqual(evalShape(graph.outputs[0]?.value.shape ?? [], bindings));
  return { shape: y.shape, data: Array.from(y.data, Number) };
}

describe("reshape", () => {
  it("copies sizes that stay and leaves one to the runtime", async () => {
    const { builder, ops, x } = setUp();
    const y = ops.reshape(x, ["batch", "pos", 2, 3]);
    const flat = ops.reshape(x, ["batch*pos", 6]);
    expect(printGraph(builder.build({ y, flat }))).toMatchInlineSnapshot(`
      "input %x: float32[batch, pos, 6]
      %Reshape_0: float32[batch, pos, 2, 3] = Reshape(%x, [0, 0, 2, 3])
      %Reshape_1: float32[batch*pos, 6] = Reshape(%x, [-1, 6])
      output y = %Reshape_0
      output flat = %Reshape_1"
    `);
    expect((await run(builder.build({ y }))).shape).toEqual([2, 3, 2, 3]);
    expect((await run(builder.build({ y: flat }))).shape).toEqual([6, 6]);
  });

  it("reads sizes from other values when it has to", async () => {
    const { builder, ops, x } = setUp();
    const merged = ops.reshape(x, ["batch*pos", 6]);
    const y = ops.reshape(ops.neg(merged), [2, "pos", 3, "batch"]);
    expect((await run(builder.build({ y }))).shape).toEqual([2, 3, 3, 2]);
  });

  it("reads sizes from values passed as like", async () => {
    const builder = new GraphBuilder();
    const ops = new Ops(builder);
    const x = builder.input("x", "float32", ["batch*pos*past"]);
    const like = builder.input("like", "float32", ["past", "batch"]);
    const y = ops.reshape(x, ["past", "batch", "pos"], like);
    expect(y.shape).toEqual(["past", "batch", "pos"]);
    const graph = builder.build({ y: ops.add(y, ops.unsqueeze(like, [2])) });
    expect((await run(graph)).shape).toEqual([5, 2, 3]);
  });

  it("refuses to rename a size, or sizes of another product", () => {
    const { ops, x } = setUp();
    expect(() => ops.reshape(x, ["tokens", 6])).toThrow(
      "ops.reshape(%x: float32[batch, pos, 6]): got the shape [tokens, 6]; expected sizes whose product is 6*batch*pos.",
    );
    expect(() => ops.reshape(x, ["batch", "pos", 7])).toThrow("got the shape [batch, pos, 7]");
  });

  it("means an empty axis by the number 0", async () => {
    const builder = new GraphBuilder();
    const x = builder.input("x", "float32", [2, 0, 3]);
    const y = new Ops(builder).reshape(x, [0, 6]);
    expect((await run(builder.build({ y }))).shape).toEqual([0, 6]);
  });

  it("names a size that cannot be read from anywhere", () => {
    const { ops, x } = setUp();
    expect(() => ops.full(["tokens", 6], 1, "float32", x)).toThrow(
      'size "tokens": got no axis of size "tokens" in the graph\'s inputs and %const_0: float32[], %x: float32[batch, pos, 6]; ' +
        "expected a value with that axis to read the size from. Pass such a value as `like`.",
    );
  });
});

describe("expand", () => {
  it("keeps the sizes that are there and reads the others", async () => {
    const { builder, ops, x } = setUp();
    const row = ops.reduceMean(x, [1]);
    const y = ops.expand(row, ["batch", "pos", 6]);
    expect(y.shape).toEqual(["batch", "pos", 6]);
    expect((await run(builder.build({ y }))).shape).toEqual([2, 3, 6]);
    const z = ops.expandLike(ops.scalar(1, "float32"), x);
    expect(z.shape).toEqual(["batch", "pos", 6]);
  });

  it("fills shapes with numbers", async () => {
    const { builder, ops, x } = setUp();
    const y = ops.add(ops.zerosLike(x), ops.mul(ops.onesLike(x), ops.full(["pos", 1], 3, "float32")));
    expect((await run(builder.build({ y }))).data.every((value) => value === 3)).toBe(true);
    const shaped = ops.constantOfShape(ops.shapeOf(x), 2, "float32");
    expect(shaped.shape).toEqual(["batch", "pos", 6]);
    expect((await run(builder.build({ y: shaped }))).data[0]).toBe(2);
  });
});

describe("slice", () => {
  const cases: readonly [string, (ops: Ops, x: Value) => Value, readonly (string | number)[]][] = [
    ["from the start", (ops, x) => ops.slice(x, 1, 0, 2), ["batch", 2, 6]],
    ["from an index on", (ops, x) => ops.slice(x, 1, 1), ["batch", "pos-1", 6]],
    ["without the last", (ops, x) => ops.slice(x, 1, 0, -1), ["batch", "pos-1", 6]],
    ["the last only", (ops, x) => ops.slice(x, -2, -1), ["batch", 1, 6]],
    ["every second", (ops, x) => ops.stride(x, 2, { step: 2 }), ["batch", "pos", 3]],
    ["backwards", (ops, x) => ops.stride(x, 2, { step: -1 }), ["batch", "pos", 6]],
    ["up to a computed index", (ops, x) => ops.slice(x, 1, 0, ops.sub(ops.dimOf(x, 1), 1)), ["batch", "pos-1", 6]],
  ];
  it.each(cases)("takes %s", async (_, build, shape) => {
    const { builder, ops, x } = setUp();
    const y = build(ops, x);
    expect(y.shape).toEqual(shape);
    await run(builder.build({ y }));
  });
});

describe("other layout ops", () => {
  it("keep symbolic sizes that the runtime agrees with", async () => {
    const { builder, ops, x } = setUp();
    const [head, tail] = ops.split(ops.transpose(x, [2, 0, 1]), 0, [2, 4]);
    if (head === undefined || tail === undefined) throw new Error("two parts");
    const joined = ops.concat([tail, head, ops.neg(head)], 0);
    expect(joined.shape).toEqual([8, "batch", "pos"]);
    const y = ops.pad(ops.tile(ops.trilu(joined), [1, 2, 1]), [0, 1, 0], [0, 0, 2]);
    expect(y.shape).toEqual([8, "2*batch+1", "pos+2"]);
    await run(builder.build({ y }));
  });

  it("chooses between booleans without a kernel for it", async () => {
    const { builder, ops, x } = setUp();
    const [a, b, c] = [ops.greater(x, 3), ops.greater(x, 9), ops.less(x, 20)];
    const y = ops.cast(ops.where(a, b, c), "float32");
    const { data } = await run(builder.build({ y }));
    expect(data).toEqual(data.map((_, i) => Number(i > 3 ? i > 9 : i < 20)));
  });

  it("makes one-hot rows in every element type", async () => {
    const { builder, ops, x } = setUp();
    const ids = ops.argmax(x, -1);
    for (const dtype of ["float32", "float64", "bool", "int32"] as const) {
      const y = ops.cast(ops.oneHot(ids, 7, dtype), "float32");
      expect(y.shape).toEqual(["batch", "pos", 7]);
      const { data } = await run(builder.build({ y }));
      expect(data.slice(0, 7)).toEqual([0, 0, 0, 0, 0, 1, 0]);
    }
  });

  it("gives sizes as scalars, constants where they are numbers", () => {
    const { builder, ops, x } = setUp();
    expect(builder.known(ops.dimOf(x, -1))).toEqual([6]);
    expect(builder.producer(ops.dimOf(x, -1)).kind).toBe("initializer");
    expect(builder.known(ops.dimOf(x, 0))).toEqual(["batch"]);
    expect(ops.dimOf(ops.exp(x), 0)).toBe(ops.dimOf(x, 0));
    expect(() => ops.dimOf(x, 3)).toThrow(
      "ops.dimOf(%x: float32[batch, pos, 6]): got axis 3; expected an axis of a value of rank 3.",
    );
  });

  it("needs one value among numbers", () => {
    const { ops } = setUp();
    expect(() => ops.add(1, 2)).toThrow("ops.Add: got only numbers (1, 2); expected at least one value.");
  });
});
