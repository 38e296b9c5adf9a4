import { describe, expect, it } from "vitest";
import { Tensor, tensor, zeros } from "../../../src/tensor/index.js";

const x = tensor(
  [
    [1, 2, 3],
    [4, 5, 6],
  ],
  ["row", "column"],
);

describe("at", () => {
  const t = tensor(
    [
      [
        [0, 1, 2],
        [3, 4, 5],
      ],
      [
        [6, 7, 8],
        [9, 10, 11],
      ],
    ],
    ["a", "b", "c"],
  );

  it("drops axes at numbers, counting negative ones from the end", () => {
    expect(t.at({ a: -1, c: 0 }).toArray()).toEqual([6, 9]);
    expect(t.at({ c: 2, b: -2, a: 1 }).item()).toBe(8);
    expect(t.at({}).equals(t)).toBe(true);
  });

  it("slices, gathers lists, arrays, index tensors and masks, keeping the axis", () => {
    expect(t.at({ c: { from: 1 } }).shape).toEqual([2, 2, 2]);
    expect(t.at({ c: { from: -2, to: -1 }, a: 0 }).toArray()).toEqual([[1], [4]]);
    expect(t.at({ c: { step: 2 }, a: 0, b: 0 }).toArray()).toEqual([0, 2]);
    expect(t.at({ c: { from: 1, to: 1 } }).shape).toEqual([2, 2, 0]);
    expect(t.at({ c: [2, 0, -1], a: 0, b: 0 }).toArray()).toEqual([2, 0, 2]);
    expect(t.at({ c: Int32Array.of(1), a: [1, 1], b: 0 }).toArray()).toEqual([[7], [7]]);
    expect(t.at({ c: tensor([2, 1], ["i"], "int64"), a: 0, b: 0 }).toArray()).toEqual([2, 1]);
    expect(t.at({ c: tensor([true, false, true]), a: 0, b: 0 }).toArray()).toEqual([0, 2]);
    expect(t.at({ c: [] }).shape).toEqual([2, 2, 0]);
  });

  it("keeps raw dtypes in views and lists", () => {
    const wide = Tensor.of(BigInt64Array.of(1n, 2n ** 60n, 3n), [3], ["i"]);
    expect(wide.at({ i: [2, 1] }).data).toEqual(BigInt64Array.of(3n, 2n ** 60n));
    expect(wide.flip("i").data).toEqual(BigInt64Array.of(3n, 2n ** 60n, 1n));
  });

  it("refuses unknown axes and anything out of range, naming axis and size", () => {
    const loose: Tensor = t;
    expect(() => loose.at({ d: 0 })).toThrow(
      'tensor.at: got axis "d"; expected an axis of [a=2, b=2, c=3]. Check the spelling. Nearest:',
    );
    expect(() => t.at({ c: 3 })).toThrow(
      'tensor.at: got index 3 for axis "c" of [a=2, b=2, c=3]; expected whole numbers from -3 to 2.',
    );
    expect(() => t.at({ c: [0, -4] })).toThrow("got index -4");
    expect(() => t.at({ c: 0.5 })).toThrow("got index 0.5");
    expect(() => t.at({ c: { from: 2, to: 4 } })).toThrow('got slice {"from":2,"to":4} for axis "c"');
    expect(() => t.at({ c: { from: 2, to: 1 } })).toThrow("Slices are not clamped");
    expect(() => t.at({ c: { step: 0 } })).toThrow("step >= 1");
    expect(() => t.at({ c: { start: 1 } as never })).toThrow("expected { from, to, step }");
    expect(() => t.at({ c: tensor([true]) })).toThrow("expected a mask with one axis of size 3");
    expect(() => t.at({ c: tensor([[0]]) })).toThrow("expected indices with one axis");
    expect(() => t.at({ c: tensor([0.5]) })).toThrow("got the index 0.5");
    expect(() => t.at({ c: "1" as never })).toThrow('got 1 for axis "c"');
    expect(() => loose.at({ c: undefined as never })).toThrow("got undefined");
    expect(() => zeros([0], ["i"]).at({ i: 0 })).toThrow("the axis is empty");
  });
});

describe("gather", () => {
  it("looks up rows and picks one element per position", () => {
    const tokens = tensor(
      [
        [1, 0],
        [1, 1],
      ],
      ["batch", "pos"],
      "int32",
    );
    expect(x.gather("row", tokens).at({ batch: 0 }).toArray()).toEqual([
      [4, 5, 6],
      [1, 2, 3],
    ]);
    expect(x.gather("column", tensor([2, 0], ["row"], "int64")).toArray()).toEqual([3, 4]);
  });

  it("refuses floats, negative and too large indices", () => {
    expect(() => x.gather("row", tensor([0]))).toThrow(
      "tensor.gather: index: got float32 [d0=1]; expected int32, int64 or uint8 indices.",
    );
    expect(() => x.gather("row", tensor([-1], ["i"], "int32"))).toThrow(
      'got index -1 for axis "row" of [row=2, column=3]; expected indices from 0 to 1.',
    );
    expect(() => x.gather("row", tensor([2], ["i"], "int32"))).toThrow("got index 2");
    expect(() => zeros([0], ["i"]).gather("i", tensor([0], ["j"], "int32"))).toThrow("no index at all");
    expect(() => x.gather("column", tensor([0, 0, 0], ["row"], "int32"))).toThrow('which differ in axis "row"');
  });
});
