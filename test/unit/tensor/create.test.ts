import { describe, expect, it } from "vitest";
import { createRandom } from "../../../src/core/index.js";
import { arange, type DType, eye, full, ones, rand, randn, Tensor, tensor, zeros } from "../../../src/tensor/index.js";

const x = tensor(
  [
    [1, 2, 3],
    [4, 5, 6],
  ],
  ["row", "column"],
);

describe("creation", () => {
  it("reads dtype from the data and names axes d0, d1 when they have no names", () => {
    expect(Tensor.of(new BigInt64Array(6), [2, 3])).toMatchObject({
      dtype: "int64",
      axes: ["d0", "d1"],
      shape: [2, 3],
      size: 6,
      rank: 2,
    });
    expect(Tensor.of(new Uint8Array(2), [2], ["a"], "bool").dtype).toBe("bool");
    expect(Tensor.of(new Uint16Array(2), [2], ["a"], "bfloat16").dtype).toBe("bfloat16");
    expect(Tensor.of(new Float32Array(0), [2, 0]).size).toBe(0);
    expect(Tensor.of(new Float32Array(1), []).axes).toEqual([]);
  });

  it("wraps typed arrays without a copy, and tensor() copies", () => {
    const data = Float32Array.of(1, 2);
    expect(Tensor.of(data, [2]).data).toBe(data);
    expect(tensor(data).data).not.toBe(data);
    expect(tensor(Int32Array.of(5), ["i"]).dtype).toBe("int32");
  });

  it("makes tensors of nested lists, constants, ranges and the identity", () => {
    expect(
      tensor([
        [1, 2],
        [3, 4],
      ]).toArray(),
    ).toEqual([
      [1, 2],
      [3, 4],
    ]);
    expect(tensor([true, false]).dtype).toBe("bool");
    expect(tensor([true, 2]).dtype).toBe("float32");
    expect(tensor(5).toArray()).toBe(5);
    expect(tensor([]).shape).toEqual([0]);
    expect(tensor([[], []]).shape).toEqual([2, 0]);
    expect(tensor([1.9, -1.9], ["i"], "int32").toArray()).toEqual([1, -1]);
    expect(zeros([2, 0], ["a", "b"]).size).toBe(0);
    expect(ones([2], ["a"], "int64").toArray()).toEqual([1, 1]);
    expect(full([2], Number.NaN).toArray()).toEqual([Number.NaN, Number.NaN]);
    expect(arange(3, "i")).toMatchObject({ dtype: "int32", axes: ["i"] });
    expect(eye(2, ["i", "j"]).toArray()).toEqual([
      [1, 0],
      [0, 1],
    ]);
  });

  it("draws the same random tensor for the same seed", () => {
    const draw = (): Tensor => randn([3, 5], ["a", "b"], createRandom(1));
    expect(draw().equals(draw())).toBe(true);
    expect(draw().equals(randn([3, 5], ["a", "b"], createRandom(2)))).toBe(false);
    const uniform = rand([1000], ["a"], createRandom(0));
    expect(uniform.ge(0).and(uniform.lt(1)).all().item()).toBe(1);
  });

  it("freezes its axes and shape", () => {
    expect(Object.isFrozen(x.axes)).toBe(true);
    expect(Object.isFrozen(x.shape)).toBe(true);
  });

  it("refuses bad shapes, axes, lengths and data with the reason", () => {
    expect(() => Tensor.of(new Float32Array(5), [2, 3], ["a", "b"])).toThrow(
      "Tensor.of: got 5 elements for [a=2, b=3]; expected 6 elements",
    );
    expect(() => zeros([2, -1])).toThrow("zeros: shape: got [2, -1]; expected sizes that are whole numbers");
    expect(() => zeros([2, 2], ["a", "a"])).toThrow('got "a", "a", with "a" twice');
    expect(() => zeros([2], ["3"])).toThrow("not whole numbers");
    expect(() => zeros([2], [""])).toThrow("names that are not empty");
    expect(() => zeros([2], ["a", "b"] as const)).toThrow(
      'got 2 names ("a", "b") for 1 axes; expected one name per axis',
    );
    expect(() => Tensor.of(new Uint16Array(1), [1])).toThrow(
      'Raw 16-bit data needs its dtype: "float16" or "bfloat16".',
    );
    expect(() => Tensor.of<DType>(new Float32Array(1), [1], undefined, "float64")).toThrow(
      "got Float32Array; expected Float64Array for float64",
    );
    expect(() => tensor([[1], [2, 3]])).toThrow("tensor: data[1]: got a list of 2; expected lists nested as [2, 1]");
    expect(() => tensor([[1], 2])).toThrow("tensor: data[1]: got a number");
    expect(() => tensor([1, [2]])).toThrow("tensor: data[1]: got a list of 1");
    expect(() => tensor(["1"] as never)).toThrow("tensor: data[0]: got string; expected a number or a boolean");
    expect(() => full([1], 1.5e10, ["a"], "int32")).toThrow(
      "full: got 15000000000 at flat index 0; expected numbers that fit int32",
    );
  });
});
