import { inspect } from "node:util";
import { describe, expect, it } from "vitest";
import { isLimpidError } from "../../../src/core/index.js";
import { arange, full, Tensor, tensor, zeros } from "../../../src/tensor/index.js";

const x = tensor(
  [
    [1, 2, 3],
    [4, 5, 6],
  ],
  ["row", "column"],
);

describe("comparison", () => {
  it("tells exact equality, with NaN equal to itself", () => {
    const nan = tensor([Number.NaN, 0], ["i"]);
    expect(nan.equals(tensor([Number.NaN, -0], ["i"]))).toBe(true);
    expect(nan.equals(nan.rename({ i: "j" }))).toBe(false);
    expect(nan.equals(nan.cast("float64"))).toBe(false);
    expect(nan.equals(tensor([0, 0], ["i"]))).toBe(false);
    expect(nan.equals(tensor([Number.NaN], ["i"]))).toBe(false);
    expect(Tensor.of(BigInt64Array.of(2n ** 60n), [1]).equals(Tensor.of(BigInt64Array.of(2n ** 60n + 1n), [1]))).toBe(
      false,
    );
  });

  it("compares with tolerances; infinities and NaN do not slip through", () => {
    const a = tensor([1, Infinity], ["i"], "float64");
    expect(a.allclose(tensor([1 + 1e-6, Infinity], ["i"], "float64"))).toBe(true);
    expect(a.allclose(tensor([1 + 1e-4, Infinity], ["i"], "float64"))).toBe(false);
    expect(a.allclose(tensor([1 + 1e-4, Infinity], ["i"], "float64"), { rtol: 1e-3 })).toBe(true);
    expect(a.allclose(tensor([1, -Infinity], ["i"]))).toBe(false);
    expect(tensor([5], ["i"]).allclose(tensor([Infinity], ["i"]))).toBe(false);
    expect(tensor([Infinity], ["i"]).allclose(tensor([5], ["i"]))).toBe(false);
    const nan = tensor([Number.NaN], ["i"]);
    expect([nan.allclose(nan), nan.allclose(nan, { equalNaN: true })]).toEqual([false, true]);
    expect(zeros([0], ["i"]).allclose(zeros([0], ["i"]))).toBe(true);
  });

  it("measures the largest difference", () => {
    expect(x.maxAbsDiff(x.add(0.5))).toBe(0.5);
    expect(tensor([Number.NaN, Infinity], ["i"]).maxAbsDiff(tensor([Number.NaN, Infinity], ["i"]))).toBe(0);
    expect(tensor([Number.NaN], ["i"]).maxAbsDiff(tensor([1], ["i"]))).toBeNaN();
    expect(tensor([Infinity], ["i"]).maxAbsDiff(tensor([1], ["i"]))).toBe(Infinity);
    expect(() => x.maxAbsDiff(x.at({ row: 0 }))).toThrow(
      "tensor.maxAbsDiff: got [row=2, column=3] and [column=3]; expected the same axes and sizes",
    );
    expect(() => x.allclose(x.transpose(["column", "row"]))).toThrow("in the same order");
  });
});

describe("reading", () => {
  it("returns nested lists and single numbers", () => {
    expect(Tensor.of(BigInt64Array.of(1n, -2n), [1, 2]).toArray()).toEqual([[1, -2]]);
    expect(Tensor.of(Uint16Array.of(0x3c00), [1], undefined, "float16").item()).toBe(1);
    expect(() => Tensor.of(BigInt64Array.of(2n ** 53n), [1]).toArray()).toThrow(
      "tensor.toArray: got the int64 value 9007199254740992",
    );
    expect(() => x.item()).toThrow("tensor.item: got 6 elements, [row=2, column=3]; expected exactly one element.");
  });

  it("compacts a strided view once", () => {
    const view = x.transpose(["column", "row"]);
    expect(view.data).toBe(view.data);
    expect(view.contiguous().data).toEqual(view.data);
    expect(x.contiguous()).toBe(x);
    expect(x.clone().data).not.toBe(x.data);
  });

  it("throws limpid's own errors, tagged", () => {
    const caught = (() => {
      try {
        return x.at({ row: 7 });
      } catch (error) {
        return error;
      }
    })();
    expect(isLimpidError(caught, "SHAPE")).toBe(true);
  });
});

describe("printing", () => {
  it("shows dtype, axes with sizes, values and extent", () => {
    expect(inspect(x)).toBe(
      ["Tensor float32 [row=2, column=3]", "  [0]  1  2  3", "  [1]  4  5  6", "  mean 3.5  min 1  max 6"].join("\n"),
    );
    expect(String(x)).toBe(inspect(x));
  });

  it("leaves out the middle and stays within ten lines", () => {
    const big = arange(1000, "i").reshape([10, 10, 10], ["a", "b", "c"]).div(7).cast("float32");
    const lines = String(big).split("\n");
    expect(lines).toMatchInlineSnapshot(`
      [
        "Tensor float32 [a=10, b=10, c=10]",
        "  [0, 0]    0.0    0.1    0.3    0.4    0.6  …    1.1    1.3",
        "  [0, 1]    1.4    1.6    1.7    1.9    2.0  …    2.6    2.7",
        "  [0, 2]    2.9    3.0    3.1    3.3    3.4  …    4.0    4.1",
        "  [0, 3]    4.3    4.4    4.6    4.7    4.9  …    5.4    5.6",
        "  …",
        "  [9, 9]  141.4  141.6  141.7  141.9  142.0  …  142.6  142.7",
        "  mean 71.36  min 0  max 142.7",
      ]
    `);
    expect(lines.length).toBeLessThanOrEqual(10);
  });

  it("counts NaN and infinities apart, and prints scalars, bools, empty and large integers", () => {
    expect(String(tensor([1, Number.NaN, -Infinity, 3], ["i"]))).toMatchInlineSnapshot(`
      "Tensor float32 [i=4]
                1        NaN  -Infinity          3
        mean 2  min 1  max 3 (finite)  NaN 1  infinite 1"
    `);
    expect(String(full([2], Number.NaN, ["i"]))).toMatchInlineSnapshot(`
      "Tensor float32 [i=2]
        NaN  NaN
        no finite value  NaN 2"
    `);
    expect(String(tensor(0.12345))).toBe("Tensor float32 [] 0.1235");
    expect(String(tensor([true, false], ["i"]))).toMatchInlineSnapshot(`
      "Tensor bool [i=2]
         true  false
        1 of 2 true"
    `);
    expect(String(zeros([0, 2], ["a", "b"]))).toBe("Tensor float32 [a=0, b=2] (empty)");
    expect(String(Tensor.of(BigInt64Array.of(1n, 2n ** 60n), [2], ["i"]))).toMatchInlineSnapshot(`
      "Tensor int64 [i=2]
                          1  1152921504606846976"
    `);
    expect(String(tensor([1e-9, 2e9], ["i"]))).toMatchInlineSnapshot(`
      "Tensor float32 [i=2]
        1.000e-9  2.000e+9
        mean 1000000000  min 1e-9  max 2000000000"
    `);
    expect(String(Tensor.of(Uint16Array.of(0x3c00), [1], ["i"], "float16"))).toMatchInlineSnapshot(`
      "Tensor float16 [i=1]
        1
        mean 1  min 1  max 1"
    `);
  });
});
