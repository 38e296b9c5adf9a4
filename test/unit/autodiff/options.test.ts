import { afterAll, describe, expect, it } from "vitest";
import {
  customGradient,
  gradientPoint,
  gradients,
  stopGradient,
  straightThrough,
} from "../../../src/autodiff/index.js";
import type { Ops, Value } from "../../../src/graph/index.js";
import { Engine } from "../../../src/runtime/index.js";
import { Bench } from "./run.js";

const engine = Engine.create({ threads: 1 });
afterAll(() => engine.close());

function sum(bench: Bench, x: Value): Value {
  return bench.ops.reduceSum(x, undefined, false);
}

describe("stopGradient", () => {
  it("makes a factor a constant, in second derivatives too", async () => {
    const bench = new Bench();
    const { ops, builder } = bench;
    const x = bench.input("x", [2], [2, 3]);
    const loss = sum(bench, ops.mul(stopGradient(builder, ops.mul(x, x)), x));
    const [g = x] = gradients(builder, loss, [x]);
    expect(await bench.run(engine, [g])).toEqual([[4, 9]]);
    expect(() => gradients(builder, sum(bench, g), [x])).toThrow(
      /paths that only lead through Identity \(it was stopped there\)/,
    );
  });

  it("leaves other uses of the value alone", async () => {
    const bench = new Bench();
    const { ops, builder } = bench;
    const x = bench.input("x", [1], [3]);
    const square = ops.mul(x, x);
    const loss = sum(bench, ops.add(stopGradient(builder, square), square));
    expect(await bench.run(engine, gradients(builder, loss, [x]))).toEqual([[6]]);
  });

  it("can be given for one derivative as a list of values", async () => {
    const bench = new Bench();
    const { ops, builder } = bench;
    const x = bench.input("x", [1], [3]);
    const square = ops.mul(x, x);
    const loss = sum(bench, ops.mul(square, x));
    expect(await bench.run(engine, gradients(builder, loss, [x], { stop: [square] }))).toEqual([[9]]);
    expect(await bench.run(engine, gradients(builder, loss, [x]))).toEqual([[27]]);
  });
});

describe("custom gradients", () => {
  it("pass a gradient straight through a step", async () => {
    const bench = new Bench();
    const { ops, builder } = bench;
    const x = bench.input("x", [3], [0.2, 0.7, 1.4]);
    const rounded = ops.round(x);
    const loss = sum(bench, ops.mul(rounded, builder.constant([1, 2, 3], "float64")));
    const custom = [straightThrough(rounded, x)];
    expect(await bench.run(engine, gradients(builder, loss, [x], { custom }))).toEqual([[1, 2, 3]]);
  });

  it("replace a whole part of the graph: JumpReLU with a window around its threshold", async () => {
    const bench = new Bench();
    const { ops, builder } = bench;
    const x = bench.input("x", [3], [0.2, 0.9, 1.1]);
    const threshold = bench.input("t", [], [1]);
    const gate = ops.cast(ops.greater(x, threshold), "float64");
    const step = customGradient(gate, [threshold], ({ ops: own, gradient, inputs: [t = threshold] }) => {
      const near = own.cast(own.less(own.abs(own.sub(x, t)), 0.25), "float64");
      return [own.mul(own.neg(gradient), own.mul(near, 2))];
    });
    const loss = sum(bench, ops.mul(gate, x));
    const [dx = x, dt = x] = gradients(builder, loss, [x, threshold], { custom: [step] });
    const [gx, [gt = NaN] = []] = await bench.run(engine, [dx, dt]);
    expect(gx).toEqual([0, 0, 1]);
    expect(gt).toBeCloseTo(-2 * (0.9 + 1.1), 14);
  });

  it("hide what else the output is made of", async () => {
    const bench = new Bench();
    const { ops, builder } = bench;
    const x = bench.input("x", [1], [2]);
    const y = bench.input("y", [1], [5]);
    const product = ops.mul(x, y);
    const custom = [customGradient(product, [x], ({ ops: own, gradient }) => [own.mul(gradient, 7)])];
    const zeros = { custom, unreached: "zero" } as const;
    expect(await bench.run(engine, gradients(builder, sum(bench, product), [x, y], zeros))).toEqual([[7], [0]]);
  });

  it("refuse inputs that the output does not depend on", () => {
    const bench = new Bench();
    const { ops, builder } = bench;
    const x = bench.input("x", [1], [2]);
    const y = bench.input("y", [1], [5]);
    const square = ops.mul(x, x);
    const custom = [straightThrough(square, y)];
    expect(() => gradients(builder, sum(bench, square), [x], { custom })).toThrow(
      "customGradient of %Mul_0: float64[1]: got the input %y: float64[1], which the output does not depend on; expected inputs that the output is computed from. Name values between which the graph computes something.",
    );
    expect(() => gradients(builder, sum(bench, square), [x], { custom: [straightThrough(x, y)] })).toThrow(
      /got an output that no node makes/,
    );
    expect(() => customGradient(square, [], () => [])).toThrow(/customGradient of %Mul_0: float64\[1\]: got no inputs/);
    expect(() => customGradient(square, [square], () => [])).toThrow(/got the output among the inputs/);
  });
});

describe("gradient points", () => {
  it("tell uses of one expression apart", async () => {
    const bench = new Bench();
    const { ops, builder } = bench;
    const x = bench.input("x", [1], [2]);
    const square = ops.mul(x, x);
    const [a, b] = [gradientPoint(builder, square, "a"), gradientPoint(builder, square, "b")];
    const loss = sum(bench, ops.add(ops.mul(a, 3), ops.mul(b, 5)));
    expect(await bench.run(engine, gradients(builder, loss, [a, b, square, x]))).toEqual([[3], [5], [8], [32]]);
  });
});

describe("edits of gradients", () => {
  it("act on the sum of all uses, and what they return goes on and is reported", async () => {
    const bench = new Bench();
    const { ops, builder } = bench;
    const x = bench.input("x", [2], [2, 3]);
    const middle = ops.mul(x, 10);
    const loss = sum(bench, ops.add(middle, ops.mul(middle, 2)));
    const edits = new Map([[middle, (own: Ops, g: Value) => own.clip(g, 0, 1)]]);
    expect(await bench.run(engine, gradients(builder, loss, [x, middle], { edits }))).toEqual([
      [10, 10],
      [1, 1],
    ]);
  });

  it("see the gradient in the value's own shape", async () => {
    const bench = new Bench();
    const { builder } = bench;
    const x = bench.input("x", [2, 3], [1, 2, 3, 4, 5, 6]);
    const seen: string[] = [];
    const edits = new Map([
      [
        x,
        (own: Ops, g: Value) => {
          seen.push(g.shape.join());
          return own.mul(g, 2);
        },
      ],
    ]);
    expect(await bench.run(engine, gradients(builder, sum(bench, x), [x], { edits }))).toEqual([[2, 2, 2, 2, 2, 2]]);
    expect(seen).toEqual(["2,3"]);
  });

  it("must keep the shape, and must lie on the way", () => {
    const bench = new Bench();
    const { ops, builder } = bench;
    const x = bench.input("x", [2], [2, 3]);
    const y = bench.input("y", [2], [2, 3]);
    const loss = sum(bench, ops.mul(x, y));
    const shrink = new Map([[x, (own: Ops, g: Value) => own.slice(g, 0, 0, 1)]]);
    expect(() => gradients(builder, loss, [x], { edits: shrink })).toThrow(
      "edit of the gradient of %x: float64[2]: got float64[1]; expected float64[2]. Return a gradient of the same shape and element type.",
    );
    const aside = new Map([[y, (_: Ops, g: Value) => g]]);
    expect(() => gradients(builder, loss, [x], { edits: aside })).toThrow(
      "edit of the gradient of %y: float64[2]: got a value that no gradient passes; expected a value between what is differentiated and the outputs. Check which values the gradients are taken of.",
    );
  });
});

describe("keep", () => {
  it("gives the same gradients from recomputed activations", async () => {
    const bench = new Bench();
    const { ops, builder } = bench;
    const x = bench.input("x", [2, 3], [0.1, -0.4, 0.9, 0.3, 0.5, -0.2]);
    const w = bench.input("w", [3, 3], [1, 0.2, -0.3, 0.4, 1, 0.1, 0.2, -0.5, 1]);
    const stream = [x];
    for (let layer = 0; layer < 4; layer++) {
      const now = stream.at(-1) ?? x;
      const [a = now] = ops.split(ops.tanh(ops.matmul(ops.mul(now, now), w)), 1, [3]);
      stream.push(ops.add(now, ops.sin(a)));
    }
    const loss = sum(bench, ops.mul(stream.at(-1) ?? x, stream.at(-1) ?? x));
    const all = gradients(builder, loss, [x, w]);
    const before = builder.nodes.length;
    const again = gradients(builder, loss, [x, w], { keep: stream.slice(0, -1) });
    const added = builder.nodes.slice(before).map(({ op }) => op);
    expect(added.filter((op) => op === "Tanh")).toHaveLength(3);
    expect(again[0]).not.toBe(all[0]);
    const results = await bench.run(engine, [...all, ...again]);
    expect(results[2]).toEqual(results[0]);
    expect(results[3]).toEqual(results[1]);
  });

  it("recomputes nothing that no rule reads", () => {
    const bench = new Bench();
    const { ops, builder } = bench;
    const x = bench.input("x", [2], [1, 2]);
    const middle = ops.mul(x, 2);
    const loss = sum(bench, ops.add(ops.mul(middle, 3), 1));
    gradients(builder, loss, [x], { keep: [middle] });
    expect(builder.nodes.filter(({ op }) => op === "Reshape")).toHaveLength(0);
  });

  it("refuses values that no gradient passes", () => {
    const bench = new Bench();
    const { ops, builder } = bench;
    const x = bench.input("x", [2], [1, 2]);
    const y = bench.input("y", [2], [1, 2]);
    expect(() => gradients(builder, sum(bench, ops.mul(x, x)), [x], { keep: [y] })).toThrow(
      "keep: %y: float64[2]: got a value that no step on the way of the gradients reads; expected values between what is differentiated and the outputs. Keep values such as the residual stream before each block.",
    );
  });
});
