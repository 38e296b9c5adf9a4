import { describe, expect, it } from "vitest";
import { grad, gradients, jvp, valueAndGrad, vjp } from "../../../src/autodiff/index.js";
import { GraphBuilder, Ops } from "../../../src/graph/index.js";

function setting(): { builder: GraphBuilder; ops: Ops } {
  const builder = new GraphBuilder();
  return { builder, ops: new Ops(builder) };
}

describe("gradients refuse", () => {
  it("a loss with more than one element", () => {
    const { builder, ops } = setting();
    const x = builder.input("x", "float32", ["batch", 3]);
    expect(() => gradients(builder, ops.mul(x, x), [x])).toThrow(
      "loss: got %Mul_0: float32[batch, 3]; expected a scalar: a value with one element. Sum it or take its mean, or give a gradient for it with vjp.",
    );
  });

  it("a loss or a value that is not made of floats", () => {
    const { builder, ops } = setting();
    const x = builder.input("x", "float32", [3]);
    const ids = builder.input("ids", "int64", [2]);
    const loss = ops.reduceSum(ops.gather(x, ids, 0), undefined, false);
    expect(() => gradients(builder, loss, [ids])).toThrow(
      "value to differentiate by: got %ids: int64[2]; expected float32 or float64 elements. Only floating-point values have gradients.",
    );
    expect(() => gradients(builder, ops.sizeOf(x), [x])).toThrow(/^loss: got %Size_0: int64\[\]/);
    expect(() => jvp(builder, [ops.sizeOf(x)], [{ value: x, tangent: x }])).toThrow(/expected float32 or float64/);
    expect(() => vjp(builder, [{ value: ids, gradient: ids }], [x])).toThrow(/^output to differentiate: got %ids/);
  });

  it("a value that the loss does not depend on, by name", () => {
    const { builder, ops } = setting();
    const x = builder.input("x", "float32", [3]);
    const unused = builder.input("unused", "float32", [2]);
    const loss = ops.reduceSum(x, undefined, false);
    expect(() => gradients(builder, loss, [x, unused])).toThrow(
      'gradient with respect to %unused: float32[2]: got no path to the outputs; expected an output that depends on it. Leave it out, or ask for zeros with { unreached: "zero" }.',
    );
    const [, zeros = x] = gradients(builder, loss, [x, unused], { unreached: "zero" });
    expect(zeros.shape).toEqual([2]);
  });

  it("an op without a rule, with its place in the graph", () => {
    const { builder, ops } = setting();
    const x = builder.input("x", "float32", ["batch", 3]);
    const [seen = x] = ops.callback("mine", [ops.mul(x, 2)]);
    const loss = ops.reduceSum(ops.mul(seen, seen), undefined, false);
    expect(() => gradients(builder, loss, [x])).toThrow(
      "gradient through node 2 of 4, Callback(%Mul_0: float32[batch, 3]): got an op without a derivative rule: a JavaScript function decides what it returns; expected ops that can be differentiated between the outputs and the values asked for. Write the function with traced operations, or give its output a rule with customGradient.",
    );
    expect(gradients(builder, loss, [seen])).toHaveLength(1);
  });

  it("a scatter that multiplies", () => {
    const { builder, ops } = setting();
    const x = builder.input("x", "float32", [3]);
    const u = builder.input("u", "float32", [1]);
    const y = ops.scatterND(x, builder.constant([0], "int64", [1, 1]), u, "mul");
    expect(() => gradients(builder, ops.reduceSum(y, undefined, false), [u])).toThrow(
      /ScatterND\(.*it combines updates by a product or an extreme/,
    );
  });

  it("a seed of another shape or element type", () => {
    const { builder, ops } = setting();
    const x = builder.input("x", "float32", [3]);
    const y = ops.mul(x, x);
    const bad = builder.constant([1, 2], "float32");
    expect(() => vjp(builder, [{ value: y, gradient: bad }], [x])).toThrow(
      "gradient given for %Mul_0: float32[3]: got %const_0: float32[2]; expected float32[3]. Give a gradient of the output's own shape and element type.",
    );
    const other = builder.constant([1, 2, 3], "float64");
    expect(() => vjp(builder, [{ value: y, gradient: other }], [x])).toThrow(
      /got %const_1: float64\[3\]; expected float32\[3\]/,
    );
  });

  it("values of another builder", () => {
    const { builder, ops } = setting();
    const x = builder.input("x", "float32", [3]);
    const foreign = new GraphBuilder().input("x", "float32", [3]);
    const loss = ops.reduceSum(x, undefined, false);
    expect(() => gradients(builder, loss, [foreign])).toThrow(/a value of another builder/);
    expect(() => gradients(builder, foreign, [x])).toThrow(/a value of another builder/);
  });
});

describe("gradients of graphs refuse", () => {
  it("unknown names, with the nearest known ones", () => {
    const { builder, ops } = setting();
    const weight = builder.input("weight", "float32", [3]);
    const graph = builder.build({ loss: ops.reduceSum(weight, undefined, false) });
    expect(() => grad(graph, "los", ["weight"])).toThrow(
      'output to differentiate "los": got a name that the graph does not have; expected one of loss. Check the name.',
    );
    expect(() => grad(graph, "loss", ["wieght"])).toThrow(
      'value to differentiate by "wieght": got a name that the graph does not have; expected one of weight, loss. Check the name.',
    );
  });

  it("an output that already has the name of a gradient", () => {
    const { builder, ops } = setting();
    const x = builder.input("x", "float32", [3]);
    const loss = ops.reduceSum(x, undefined, false);
    const graph = builder.build({ loss, "grad:x": x });
    expect(() => valueAndGrad(graph, "loss", ["x"])).toThrow(
      'valueAndGrad: got a graph with the output "grad:x"; expected no output of the name of a gradient. Rename the output.',
    );
  });
});
