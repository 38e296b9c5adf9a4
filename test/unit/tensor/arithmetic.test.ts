import { describe, expect, it } from "vitest";
import { concat, Tensor, tensor, where, zeros } from "../../../src/tensor/index.js";

const x = tensor(
  [
    [1, 2, 3],
    [4, 5, 6],
  ],
  ["row", "column"],
);

describe("element types of results", () => {
  const dtypes = {
    float32: tensor([1, 2], ["i"]),
    float64: tensor([1, 2], ["i"], "float64"),
    int32: tensor([1, 2], ["i"], "int32"),
    int64: tensor([1, 2], ["i"], "int64"),
    uint8: tensor([1, 2], ["i"], "uint8"),
    bool: tensor([true, true], ["i"]),
    float16: tensor([1, 2], ["i"], "float16"),
    bfloat16: tensor([1, 2], ["i"], "bfloat16"),
  };

  it("follow one table for sums of two tensors", () => {
    const table = Object.values(dtypes).map((a) =>
      Object.values(dtypes)
        .map((b) => a.add<Tensor>(b).dtype)
        .join(" "),
    );
    expect(table).toEqual([
      "float32 float64 float32 float32 float32 float32 float32 float32",
      "float64 float64 float64 float64 float64 float64 float64 float64",
      "float32 float64 int32 int64 int32 int32 float32 float32",
      "float32 float64 int64 int64 int64 int64 float32 float32",
      "float32 float64 int32 int64 int32 int32 float32 float32",
      "float32 float64 int32 int64 int32 int32 float32 float32",
      "float32 float64 float32 float32 float32 float32 float32 float32",
      "float32 float64 float32 float32 float32 float32 float32 float32",
    ]);
  });

  it("are not widened by whole numbers; a fraction makes integers float64", () => {
    expect(
      Object.values(dtypes)
        .map((a) => a.mul(2).dtype)
        .join(" "),
    ).toBe("float32 float64 int32 int64 int32 int32 float32 float32");
    expect(
      Object.values(dtypes)
        .map((a) => a.mul(0.5).dtype)
        .join(" "),
    ).toBe("float32 float64 float64 float64 float64 float64 float32 float32");
    expect(dtypes.int32.div(2)).toMatchObject({ dtype: "float64" });
    expect(dtypes.int32.div(2).toArray()).toEqual([0.5, 1]);
    expect(dtypes.bool.sum().item()).toBe(2);
    expect(dtypes.bool.mean().dtype).toBe("float64");
    expect(dtypes.float16.exp().dtype).toBe("float32");
    expect(where(dtypes.bool, dtypes.bool, dtypes.bool).dtype).toBe("bool");
    expect(where(dtypes.bool, 1, 0).dtype).toBe("int32");
  });

  it("never wrap around: integer overflow is an error", () => {
    const large = tensor([2 ** 31 - 1], ["i"], "int32");
    expect(() => large.add(1)).toThrow(
      'tensor.add: got 2147483648 at flat index 0; expected numbers that fit int32, -2147483648 to 2147483647. Compute in floating point: cast("float64") first.',
    );
    expect(() => concat([large, large], "i").sum()).toThrow("tensor.sum: got 4294967294");
    expect(large.cast("int64").add(1).data).toEqual(BigInt64Array.of(2n ** 31n));
    expect(() => Tensor.of(BigInt64Array.of(2n ** 53n), [1]).add(1)).toThrow(
      "got the int64 value 9007199254740992 at flat index 0",
    );
    expect(() => dtypes.int32.mul(dtypes.int32).matmul(tensor([2e9, 2e9], ["i"], "int32"), "i")).toThrow("fit int32");
  });

  it("are checked by cast: range, NaN and infinity", () => {
    expect(() => tensor([256]).cast("uint8")).toThrow('tensor.cast("uint8"): got 256');
    expect(() => tensor([Number.NaN]).cast("int32")).toThrow("got NaN");
    expect(() => tensor([Infinity]).cast("int64")).toThrow("got Infinity");
    expect(tensor([-0.5, 2.7, Number.NaN]).cast("bool").toArray()).toEqual([1, 1, 1]);
    expect(tensor([0.1]).cast("float64").item()).toBe(Math.fround(0.1));
    expect(x.cast("float32").data).toBe(x.data);
  });
});

describe("arithmetic", () => {
  it("aligns by name and not by place", () => {
    const perColumn = tensor([10, 20, 30], ["column"]);
    expect(x.add(perColumn).toArray()).toEqual([
      [11, 22, 33],
      [14, 25, 36],
    ]);
    expect(perColumn.add(x).axes).toEqual(["row", "column"]);
    expect(tensor([1, 2], ["row"]).mul(perColumn).axes).toEqual(["row", "column"]);
    expect(
      x
        .sub(x.transpose(["column", "row"]))
        .any()
        .item(),
    ).toBe(0);
  });

  it("lists every operand when sizes clash", () => {
    expect(() => x.add(zeros([4, 3], ["row", "column"]))).toThrow(
      'tensor.add: got [row=2, column=3] and [row=4, column=3], which differ in axis "row"; expected one size for each axis name (size 1 repeats). Select with at(), or rename() an axis that means something else: axes align by name.',
    );
    expect(() => where(x, x, zeros([5], ["row"]))).toThrow("[row=2, column=3] and [row=2, column=3] and [row=5]");
  });

  it("computes known values at the edges", () => {
    const edges = tensor([-Infinity, -2.5, -0.5, 0, 0.5, 1.5, 2.5, Infinity, Number.NaN], ["i"], "float64");
    expect(edges.round().toArray()).toEqual([-Infinity, -2, -0, 0, 0, 2, 2, Infinity, Number.NaN]);
    expect(edges.relu().toArray()).toEqual([0, 0, 0, 0, 0.5, 1.5, 2.5, Infinity, Number.NaN]);
    expect(edges.isNaN().sum().item()).toBe(1);
    expect(edges.isFinite().sum().item()).toBe(6);
    expect(edges.clamp(-1, 2).toArray()).toEqual([-1, -1, -0.5, 0, 0.5, 1.5, 2, 2, Number.NaN]);
    expect(edges.clamp(-Infinity, 0).max().item()).toBeNaN();
    expect(edges.sign().toArray()).toEqual([-1, -1, -1, 0, 1, 1, 1, 1, Number.NaN]);
    expect(tensor([-1e4, 0, 1e4], ["i"], "float64").sigmoid().toArray()).toEqual([0, 0.5, 1]);
    expect(tensor([-1, 0], ["i"]).log().toArray()).toEqual([Number.NaN, -Infinity]);
    expect(tensor([4, 9], ["i"]).sqrt().toArray()).toEqual([2, 3]);
    expect(tensor([2, 3], ["i"], "int32").pow(-1).data).toEqual(Float64Array.of(0.5, 1 / 3));
    expect(x.neg().abs().equals(x)).toBe(true);
    expect(x.square().sum().item()).toBe(91);
    expect(x.reciprocal().mul(x).toArray()).toEqual([
      [1, 1, 1],
      [1, 1, 1],
    ]);
    expect(
      x
        .map((value) => value * 2 + 1)
        .at({ row: 0 })
        .toArray(),
    ).toEqual([3, 5, 7]);
    expect(
      tensor([1.5, -1.5], ["i"])
        .floor()
        .add(tensor([1.5, -1.5], ["i"]).ceil())
        .toArray(),
    ).toEqual([3, -3]);
    expect(tensor([0, 1], ["i"], "int32").clamp(1, 5)).toMatchObject({ dtype: "int32" });
    expect(
      tensor([true, false])
        .not()
        .or(tensor([true, false]))
        .all()
        .item(),
    ).toBe(1);
    const pi = tensor(Math.PI, [], "float64");
    expect([pi.cos().item(), pi.div(2).sin().item(), pi.tanh().item()]).toEqual([-1, 1, Math.tanh(Math.PI)]);
    expect(x.where(x.gt(3), -1).toArray()).toEqual([
      [-1, -1, -1],
      [4, 5, 6],
    ]);
    expect(x.exp().at({ row: 0, column: 0 }).item()).toBe(Math.fround(Math.E));
  });
});
