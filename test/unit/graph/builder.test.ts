import { describe, expect, it } from "vitest";
import { GraphBuilder, Ops, printGraph, reaches } from "../../../src/graph/index.js";

function setUp() {
  const builder = new GraphBuilder();
  const ops = new Ops(builder);
  const x = builder.input("x", "float32", ["batch", "pos", 6], ["batch", "pos", "dModel"]);
  return { builder, ops, x };
}

describe("declarations", () => {
  it("return the same value for the same input", () => {
    const { builder, x } = setUp();
    expect(builder.input("x", "float32", ["batch", "pos", 6])).toBe(x);
  });

  it("refuse another shape or element type for a name, or a taken name", () => {
    const { builder } = setUp();
    expect(() => builder.input("x", "float64", ["batch", "pos", 6])).toThrow(
      'graph value "x": got float64[batch, pos, 6]; expected float32[batch, pos, 6] as declared before. Choose another name.',
    );
    const source = { kind: "data", data: new Float32Array(2) } as const;
    expect(() => builder.weight("x", "float32", [2], source)).toThrow("got a name that is taken; expected a new name");
    expect(() => builder.input("", "float32", [])).toThrow("got an empty name; expected a name");
  });

  it("return the same value for the same weight, and refuse another source", () => {
    const { builder } = setUp();
    const source = { kind: "file", path: "/m/a.safetensors", offset: 8, length: 48 } as const;
    const w = builder.weight("w", "float32", [3, 4], source);
    expect(builder.weight("w", "float32", [3, 4], { ...source })).toBe(w);
    expect(() => builder.weight("w", "float32", [3, 4], { ...source, offset: 16 })).toThrow(
      'graph value "w": got a weight with another source; expected the same source.',
    );
    expect(() => builder.weight("w", "float32", [4, 3], source)).toThrow("float32[3, 4] as declared before");
  });

  it("let several weights share bytes", () => {
    const { builder } = setUp();
    const source = { kind: "file", path: "/m/a.safetensors", offset: 8, length: 48 } as const;
    expect(builder.weight("a", "float32", [12], source)).not.toBe(builder.weight("b", "float32", [3, 4], source));
    const part = { ...source, offset: 32, length: 24 };
    expect(builder.weight("c", "float32", [2, 3], part).shape).toEqual([2, 3]);
  });

  it("refuse weights whose bytes do not fit", () => {
    const { builder } = setUp();
    const source = { kind: "file", path: "/m/a.safetensors", offset: 8, length: 44 } as const;
    expect(() => builder.weight("w", "float32", [3, 4], source)).toThrow(
      'weight "w": got 44 bytes; expected 48 bytes of float32[3, 4]. Check the shape, the element type and the byte range.',
    );
    const data = { kind: "data", data: new Int32Array(2) } as const;
    expect(() => builder.weight("w", "float32", [2], data)).toThrow('weight "w": got a Int32Array; expected 8 bytes');
  });

  it("share equal constants and tell apart those that differ in type, shape or sign of zero", () => {
    const { builder } = setUp();
    const one = builder.constant(1, "float32");
    expect(builder.constant(new Float32Array([1]), "float32", [])).toBe(one);
    expect(builder.constant([1], "float32")).not.toBe(one);
    expect(builder.constant(1, "float64")).not.toBe(one);
    expect(builder.constant(0, "float32")).not.toBe(builder.constant(-0, "float32"));
    expect(builder.constant(7n, "int64")).toBe(builder.constant(7, "int64"));
    const large = new Float32Array(5000);
    expect(builder.constant(large, "float32")).toBe(builder.constant(large, "float32"));
    expect(builder.constant(large.slice(), "float32")).not.toBe(builder.constant(large, "float32"));
  });

  it("refuse constants that do not fit", () => {
    const { builder } = setUp();
    expect(() => builder.constant([1, 2, 3], "float32", [2])).toThrow(
      "constant: got 3 elements for shape [2]; expected 2 elements. Check the shape.",
    );
    expect(() => builder.constant(new Float32Array(1), "float64")).toThrow(
      "got a typed array of float32; expected float64",
    );
    expect(() => builder.constant(0.5, "int64")).toThrow(
      "constant: got 0.5 as int64; expected whole numbers. Round it first.",
    );
  });
});

describe("ops", () => {
  it("are shared when they are equal, whatever the order of attributes", () => {
    const { builder, ops, x } = setUp();
    expect(ops.add(x, 1)).toBe(ops.add(x, 1));
    const attributes = { axis: -1, keepdims: 0 };
    expect(builder.op("ArgMax", [x], attributes)).toBe(builder.op("ArgMax", [x], { keepdims: 0, axis: -1 }));
    expect(ops.argmax(x, -1)).not.toBe(ops.argmax(x, -2));
    expect(builder.nodes).toHaveLength(3);
  });

  it("name unknown ops and wrong domains", () => {
    const { builder, x } = setUp();
    expect(() => builder.op("Swish", [x])).toThrow(
      'Swish(%x: float32[batch, pos, 6]): got op "Swish"; expected an op of the table in graph/schema.ts.',
    );
    expect(() => builder.op("Add", [x, x], {}, { domain: "com.microsoft" })).toThrow('got op "com.microsoft.Add"');
  });

  it("name wrong numbers of inputs and outputs, wrong types and wrong attributes", () => {
    const { builder, ops, x } = setUp();
    const where = "(%x: float32[batch, pos, 6]): ";
    expect(() => builder.op("Add", [x])).toThrow(`Add${where}got 1 inputs; expected 2. Check the inputs of the op.`);
    expect(() => builder.op("Clip", [x, x, x, x])).toThrow("got 4 inputs; expected 1 to 3");
    expect(() => builder.ops("Exp", [x], {}, 2)).toThrow(`Exp${where}got 2 outputs; expected 1.`);
    expect(() => builder.ops("TopK", [x, ops.ints([1])], {}, 1)).toThrow("got 1 outputs; expected 2");
    expect(() => builder.op("Not", [x])).toThrow(
      `Not${where}got float32 for input 0; expected bool. Cast the input first.`,
    );
    expect(() => ops.add(x, ops.cast(x, "float64"))).toThrow(
      "got element types float32, float64; expected one element type",
    );
    expect(() => builder.op("Softmax", [x], { axes: 1 })).toThrow(
      `Softmax${where}got attribute "axes"; expected one of: axis.`,
    );
    expect(() => builder.op("Softmax", [x], { axis: 0.5 })).toThrow("got axis = 0.5; expected a value of kind int");
    expect(() => builder.op("Softmax", [x], { axis: 3 })).toThrow("got axis 3; expected an axis of a value of rank 3");
    expect(() => builder.op("Where", [undefined, x, x])).toThrow(
      "Where(nothing, %x: float32[batch, pos, 6], %x: float32[batch, pos, 6]): got no input 0",
    );
  });

  it("add nothing when they fail", () => {
    const { builder, ops, x } = setUp();
    expect(() => ops.matmul(x, x)).toThrow("got [batch, pos, 6] times [batch, pos, 6]; expected equal inner sizes");
    expect(builder.nodes).toHaveLength(0);
  });

  it("refuse values of another builder", () => {
    const { ops } = setUp();
    const other = setUp();
    expect(() => ops.exp(other.x)).toThrow("got a value of another builder; expected a value made by this builder");
  });

  it("round float attributes to what the runtime will see", () => {
    const { builder, x } = setUp();
    const w = builder.input("w", "float32", [6]);
    const y = builder.op("RMSNormalization", [x, w], { axis: -1, epsilon: 1e-5 });
    const producer = builder.producer(y);
    expect(producer.kind === "node" && producer.node.attributes["epsilon"]).toBe(Math.fround(1e-5));
  });

  it("follow shapes through shape arithmetic", () => {
    const { builder, ops, x } = setUp();
    const shape = ops.shapeOf(x);
    expect(builder.known(shape)).toEqual(["batch", "pos", 6]);
    const pos = ops.gather(shape, ops.ints([1]), 0);
    const rows = ops.mul(ops.gather(shape, ops.ints([0]), 0), pos);
    expect(builder.known(rows)).toEqual(["batch*pos"]);
    const target = ops.concat([rows, ops.ints([2, 3])], 0);
    expect(builder.op("Reshape", [x, target]).shape).toEqual(["batch*pos", 2, 3]);
    expect(ops.range(0, ops.dimOf(x, 1)).shape).toEqual(["pos"]);
    expect(ops.range(ops.scalar(2, "int64"), ops.add(ops.dimOf(x, 1), 2)).shape).toEqual(["pos"]);
  });
});

describe("axis names", () => {
  it("stay on the value they are given to", () => {
    const { builder, ops, x } = setUp();
    const y = ops.exp(x);
    expect(builder.named(y, ["batch", "pos", "dModel"])).toBe(y);
    expect(y.axes).toEqual(["batch", "pos", "dModel"]);
    expect(builder.named(y, ["batch", "pos", "dModel"])).toBe(y);
  });

  it("make an Identity when a value has other names or is frozen in a graph", () => {
    const { builder, ops, x } = setUp();
    const other = builder.named(x, ["batch", "pos", "feature"]);
    expect(other).not.toBe(x);
    expect(builder.named(x, ["batch", "pos", "feature"])).toBe(other);
    const y = ops.exp(x);
    const graph = builder.build({ y });
    const named = builder.named(y, ["batch", "pos", "dModel"]);
    expect(named).not.toBe(y);
    expect(graph.outputs[0]?.value.axes).toBeUndefined();
  });

  it("are checked against the rank", () => {
    const { builder, x } = setUp();
    expect(() => builder.named(x, ["batch", "pos"])).toThrow(
      "%x: float32[batch, pos, 6]: got axes [batch, pos]; expected 3 distinct names for [batch, pos, 6].",
    );
    expect(() => builder.op("Exp", [x], {}, { axes: ["a", "a", "b"] })).toThrow(
      "got axes [a, a, b]; expected 3 distinct names",
    );
    expect(() => builder.input("y", "float32", [2], ["a", "b"])).toThrow(
      'input "y": got axes [a, b]; expected 1 distinct names',
    );
  });
});

describe("built graphs", () => {
  it("hold only what the outputs need, in topological order", () => {
    const { builder, ops, x } = setUp();
    const unused = builder.input("unused", "float32", [2]);
    ops.exp(unused);
    const y = ops.mul(ops.add(x, 1), 2);
    const graph = builder.build({ y });
    expect(graph.inputs).toEqual([x]);
    expect(graph.nodes.map((node) => node.op)).toEqual(["Add", "Mul"]);
    expect(graph.initializers).toHaveLength(2);
    expect(builder.unusedInputs(graph)).toEqual([unused]);
  });

  it("are immutable", () => {
    const { builder, ops, x } = setUp();
    const graph = builder.build({ y: ops.exp(x) });
    expect(
      [graph, graph.nodes, graph.nodes[0], graph.nodes[0]?.inputs, graph.inputs[0], x.shape].every(Object.isFrozen),
    ).toBe(true);
  });

  it("need an output of this builder", () => {
    const { builder } = setUp();
    expect(() => builder.build({})).toThrow("GraphBuilder.build: got no outputs; expected at least one. Name a value.");
    expect(() => builder.build({ y: setUp().x })).toThrow("a value of another builder");
  });

  it("are deterministic: the same calls give the same text", () => {
    const make = (): string => {
      const { builder, ops, x } = setUp();
      return printGraph(builder.build({ y: ops.softmax(ops.matmul(ops.swapLast(x), x)) }));
    };
    expect(make()).toBe(make());
  });

  it("can be continued with the same values", () => {
    const { builder, ops, x } = setUp();
    const y = ops.add(x, 1);
    const graph = builder.build({ y });
    const next = GraphBuilder.from(graph);
    const more = new Ops(next);
    expect(more.add(x, 1)).toBe(y);
    const z = more.exp(y);
    expect(reaches(next.build({ z }), x, z)).toBe(true);
    expect(() => next.input("x", "int64", [1])).toThrow("as declared before");
  });

  it("never name two values alike, whatever the graph they continue holds", () => {
    const { builder, ops, x } = setUp();
    const [first = x] = ops.split(x, 2, [2, 4]);
    const next = GraphBuilder.from(builder.build({ first }));
    const [second = x] = new Ops(next).split(x, 2, [3, 3]);
    expect([first.name, second.name]).toEqual(["Split_0.0", "Split_1.0"]);
    const taken = new GraphBuilder();
    const y = taken.input("Split_0.0", "float32", [4]);
    expect(new Ops(taken).split(y, 0, [1, 3])[0]?.name).toBe("Split_1.0");
  });

  it("can be inlined with their inputs replaced", () => {
    const { builder, ops, x } = setUp();
    const w = builder.weight("w", "float32", [6], { kind: "data", data: new Float32Array(6) });
    const graph = builder.build({ y: builder.named(ops.mul(ops.exp(x), w), ["batch", "pos", "out"]) });
    const target = setUp();
    const { y } = target.builder.inline(graph, new Map([[x, new Ops(target.builder).neg(target.x)]]));
    if (y === undefined) throw new Error("no output");
    expect(printGraph(target.builder.build({ y }))).toMatchInlineSnapshot(`
      "input %x: float32[batch, pos, dModel=6]
      weight %w: float32[6] = data
      %Neg_0: float32[batch, pos, 6] = Neg(%x)
      %Exp_0: float32[batch, pos, 6] = Exp(%Neg_0)
      %Mul_0: float32[batch, pos, out=6] = Mul(%Exp_0, %w)
      output y = %Mul_0"
    `);
    expect(() => target.builder.inline(graph, new Map())).toThrow(
      'GraphBuilder.inline: input "x": got nothing; expected a value of this builder for float32[batch, pos, 6].',
    );
  });
});
