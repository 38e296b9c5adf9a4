import { describe, expect, it } from "vitest";
import { arange, concat, type DType, stack, Tensor, tensor, zeros } from "../../../src/tensor/index.js";

const x = tensor(
  [
    [1, 2, 3],
    [4, 5, 6],
  ],
  ["row", "column"],
);

describe("shape", () => {
  it("reshapes in row-major order, also from views", () => {
    expect(x.transpose(["column", "row"]).reshape([3, -1]).toArray()).toEqual([
      [1, 4],
      [2, 5],
      [3, 6],
    ]);
    expect(x.reshape([6], ["all"]).unflatten("all", { a: -1, b: 2 }).shape).toEqual([3, 2]);
    expect(x.flatten(["row", "column"], "all").toArray()).toEqual([1, 2, 3, 4, 5, 6]);
    expect(x.flatten(["column", "row"], "row").toArray()).toEqual([1, 4, 2, 5, 3, 6]);
    expect(zeros([2, 0], ["a", "b"]).reshape([0, 5]).shape).toEqual([0, 5]);
  });

  it("joins some axes at the place of the first named one and leaves the others where they are", () => {
    const t = arange(2 * 3 * 5 * 7, "i").reshape([2, 3, 5, 7], ["a", "b", "c", "d"]);
    const joined: Tensor = t.flatten(["b", "d"], "bd");
    expect(joined.axes).toEqual(["a", "bd", "c"]);
    expect(joined.shape).toEqual([2, 21, 5]);
    expect(joined.at({ a: 1, bd: 2 * 7 + 4, c: 3 }).item()).toBe(t.at({ a: 1, b: 2, c: 3, d: 4 }).item());
    const turned: Tensor = t.flatten(["c", "a"], "ca");
    expect(turned.axes).toEqual(["b", "ca", "d"]);
    expect(turned.at({ b: 2, ca: 3 * 2 + 1, d: 4 }).item()).toBe(t.at({ a: 1, b: 2, c: 3, d: 4 }).item());
  });

  it("inserts and removes axes, repeats, flips and splits", () => {
    expect(x.insertAxis("batch").squeeze("batch").equals(x)).toBe(true);
    expect(x.insertAxis("batch", { position: -1, size: 2 }).at({ row: 0 }).toArray()).toEqual([
      [1, 1],
      [2, 2],
      [3, 3],
    ]);
    expect(zeros([1, 2, 1], ["a", "b", "c"]).squeeze().axes).toEqual(["b"]);
    expect(x.repeatInterleave("row", 2).at({ column: 0 }).toArray()).toEqual([1, 1, 4, 4]);
    expect(x.transpose(["column", "row"]).repeatInterleave("row", 2).at({ column: 0 }).toArray()).toEqual([1, 1, 4, 4]);
    expect(x.repeatInterleave("row", 0).shape).toEqual([0, 3]);
    expect(x.flip("column").at({ row: 0 }).toArray()).toEqual([3, 2, 1]);
    expect(x.split("column", [1, 2]).map((part) => part.shape)).toEqual([
      [2, 1],
      [2, 2],
    ]);
    expect(x.split("column", 3).length).toBe(3);
    expect(x.unbind("row").map((row) => row.toArray())).toEqual([
      [1, 2, 3],
      [4, 5, 6],
    ]);
    expect(zeros([0, 2], ["a", "b"]).unbind("a")).toEqual([]);
    expect(x.sizeOf("column")).toBe(3);
  });

  it("joins by name, whatever the order of the other axes", () => {
    const y = x.transpose(["column", "row"]);
    expect(concat([x, y], "row").toArray()).toEqual([
      [1, 2, 3],
      [4, 5, 6],
      [1, 2, 3],
      [4, 5, 6],
    ]);
    expect(stack([x, y], "layer").axes).toEqual(["layer", "row", "column"]);
    expect(stack([x, x], "layer", -1).shape).toEqual([2, 3, 2]);
    expect(concat([zeros([2, 0], ["row", "column"]), x], "column").equals(x)).toBe(true);
    const half = Tensor.of(Uint16Array.of(1, 2), [2], ["i"], "float16");
    expect(concat([half, half], "i").data).toEqual(Uint16Array.of(1, 2, 1, 2));
  });

  it("refuses what does not fit, with the reason", () => {
    const loose: Tensor = x;
    expect(() => x.transpose(["row"])).toThrow(
      'tensor.transpose: got the axes "row" for [row=2, column=3]; expected every axis once. Add "column".',
    );
    expect(() => x.rename({ row: "column" })).toThrow('with "column" twice');
    expect(() => loose.rename({ rows: "r" })).toThrow('tensor.rename: got axis "rows"');
    expect(() => x.reshape([4, -1])).toThrow(
      "tensor.reshape: got the shape [4, -1] for [row=2, column=3]; expected sizes whose product is 6",
    );
    expect(() => x.reshape([-1, -1])).toThrow("at most one of them -1");
    expect(() => x.reshape([0, -1])).toThrow("tensor.reshape");
    expect(() => x.flatten([], "all")).toThrow("tensor.flatten: got no axes");
    expect(() => zeros([2, 2, 2], ["a", "b", "c"]).flatten(["a", "b"], "c")).toThrow('with "c" twice');
    expect(() => x.unflatten("row", { a: 3 })).toThrow('tensor.unflatten: got {"a":3} for axis "row"');
    expect(() => x.unflatten("row", { column: 2 })).toThrow('with "column" twice');
    expect(() => x.insertAxis("row")).toThrow('with "row" twice');
    expect(() => x.insertAxis("z", { position: 3 })).toThrow("tensor.insertAxis: position: got 3");
    expect(() => x.squeeze("row")).toThrow(
      'tensor.squeeze: got axis "row" of [row=2, column=3]; expected an axis of size 1.',
    );
    expect(() => x.split("column", 2)).toThrow('tensor.split: got 2 for axis "column"');
    expect(() => x.split("column", [1, 1])).toThrow("lengths that sum to 3");
    expect(() => x.repeatInterleave("row", -1)).toThrow("tensor.repeatInterleave: times: got -1");
    expect(() => concat([], "a")).toThrow("concat: got an empty list");
    expect(() => concat([x, zeros([2, 2], ["row", "other"])], "row")).toThrow('equal sizes but along "row"');
    expect(() => concat([x, zeros([2, 4], ["row", "column"])], "row")).toThrow(
      "concat: got float32 [row=2, column=3], float32 [row=2, column=4]",
    );
    expect(() => concat<DType>([x, x.cast("float64")], "row")).toThrow("expected one dtype");
    expect(() => stack([x, x], "row")).toThrow('with "row" twice');
    expect(() => stack([x, x.at({ row: [0] })], "layer")).toThrow("expected equal axes and sizes");
  });
});
