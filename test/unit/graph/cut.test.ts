import { describe, expect, it } from "vitest";
import { cutAt, cutAtCallbacks, type Graph, GraphBuilder, Ops, printGraph } from "../../../src/graph/index.js";

function show(graphs: readonly Graph[]): string {
  return graphs.map(printGraph).join("\n---\n");
}

function setUp() {
  const builder = new GraphBuilder();
  const ops = new Ops(builder);
  const x = builder.input("x", "float32", ["batch", 4], ["batch", "feature"]);
  const w = builder.weight("w", "float32", [4], { kind: "data", data: new Float32Array(4) });
  return { builder, ops, x, w };
}

describe("cutAt", () => {
  it("hands live values on under one name and puts weights where they are used", () => {
    const { builder, ops, x, w } = setUp();
    const first = ops.exp(x);
    const second = ops.mul(first, w);
    const third = ops.add(second, first);
    const graph = builder.build({ first, third, x, w });
    expect(show(cutAt(graph, [[first], [second]]))).toMatchInlineSnapshot(`
      "input %x: float32[batch, feature=4]
      %Exp_0: float32[batch, 4] = Exp(%x)
      output first = %Exp_0
      ---
      input %first: float32[batch, 4]
      weight %w: float32[4] = data
      %Mul_0: float32[batch, 4] = Mul(%first, %w)
      output Mul_0 = %Mul_0
      ---
      input %Mul_0: float32[batch, 4]
      input %first: float32[batch, 4]
      input %x: float32[batch, feature=4]
      weight %w: float32[4] = data
      %Add_0: float32[batch, 4] = Add(%Mul_0, %first)
      output third = %Add_0
      output x = %x
      output w = %w"
    `);
  });

  it("leaves out segments without work", () => {
    const { builder, ops, x } = setUp();
    const y = ops.exp(x);
    const graph = builder.build({ y });
    const stranger = ops.neg(x);
    expect(cutAt(graph, [[x], [stranger], [y], []])).toHaveLength(1);
    expect(cutAt(builder.build({ x }), [[x]])).toHaveLength(1);
  });

  it("renames values that would clash with an output's name", () => {
    const { builder, ops, x } = setUp();
    const first = ops.exp(x);
    const graph = builder.build({ Exp_0: ops.neg(first) });
    const [head, tail] = cutAt(graph, [[first]]);
    expect(head?.outputs.map(({ name }) => name)).toEqual(["Exp_0~1"]);
    expect(tail?.inputs.map(({ name }) => name)).toEqual(["Exp_0~1"]);
  });
});

describe("cutAtCallbacks", () => {
  it("computes what callbacks need, runs independent ones together, goes on with their results", () => {
    const { builder, ops, x, w } = setUp();
    const [a = x, b = x] = ops.callback("first", [ops.exp(x), w]);
    const [c = x] = ops.callback("second", [ops.neg(x)]);
    const [d = x] = ops.callback("third", [ops.add(ops.add(a, b), c)]);
    const graph = builder.build({ d, sum: ops.mul(d, ops.exp(x)), twice: d, late: ops.tanh(x) });
    const steps = cutAtCallbacks(graph).map((step) =>
      step.kind === "segment" ? printGraph(step.graph) : JSON.stringify(step),
    );
    expect(steps.join("\n---\n")).toMatchInlineSnapshot(`
      "input %x: float32[batch, feature=4]
      weight %w: float32[4] = data
      %Exp_0: float32[batch, 4] = Exp(%x)
      %Neg_0: float32[batch, 4] = Neg(%x)
      output Exp_0 = %Exp_0
      output Neg_0 = %Neg_0
      output w = %w
      ---
      {"kind":"callback","id":"first","inputs":["Exp_0","w"],"outputs":["Callback_0.0","Callback_0.1"]}
      ---
      {"kind":"callback","id":"second","inputs":["Neg_0"],"outputs":["Callback_1"]}
      ---
      input %Callback_0.0: float32[batch, 4]
      input %Callback_0.1: float32[4]
      input %Callback_1: float32[batch, 4]
      %Add_0: float32[batch, 4] = Add(%Callback_0.0, %Callback_0.1)
      %Add_1: float32[batch, 4] = Add(%Add_0, %Callback_1)
      output Add_1 = %Add_1
      ---
      {"kind":"callback","id":"third","inputs":["Add_1"],"outputs":["d"]}
      ---
      input %d: float32[batch, 4]
      input %Exp_0: float32[batch, 4]
      input %x: float32[batch, feature=4]
      %Mul_0: float32[batch, 4] = Mul(%d, %Exp_0)
      %Tanh_0: float32[batch, 4] = Tanh(%x)
      output sum = %Mul_0
      output late = %Tanh_0
      output twice = %d"
    `);
  });

  it("is one segment without callbacks", () => {
    const { builder, ops, x } = setUp();
    const graph = builder.build({ y: ops.exp(x) });
    expect(cutAtCallbacks(graph).map(({ kind }) => kind)).toEqual(["segment"]);
  });

  it("asks for as many results as values", () => {
    const { builder, x } = setUp();
    expect(() => builder.ops("Callback", [x], { id: "f" }, 2)).toThrow(
      "got 2 outputs for 1 inputs; expected as many outputs as inputs",
    );
  });
});
