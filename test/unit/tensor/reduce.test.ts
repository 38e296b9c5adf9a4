import { describe, expect, it } from "vitest";
import { createRandom } from "../../../src/core/index.js";
import { arange, dot, full, ones, tensor, zeros } from "../../../src/tensor/index.js";

const x = tensor(
  [
    [1, 2, 3],
    [4, 5, 6],
  ],
  ["row", "column"],
);

describe("reductions", () => {
  it("accumulate in float64 and round once", () => {
    expect(tensor([1e8, 1, -1e8], ["i"]).sum().item()).toBe(1);
    expect(tensor([1e100, 1, -1e100], ["i"], "float64").sum().item()).toBe(1);
    const many = full([1_000_003], 0.1, ["i"]);
    expect(many.sum().item()).toBe(Math.fround(1_000_003 * Math.fround(0.1)));
    expect(many.mean().item()).toBe(Math.fround(0.1));
    expect(
      tensor([1e8, 1e8 + 8], ["i"])
        .variance()
        .item(),
    ).toBe(16);
    expect(tensor([1e200, 1e200], ["i"], "float64").norm().item()).toBe(Math.SQRT2 * 1e200);
    expect(tensor([3e-200, 4e-200], ["i"], "float64").norm().item()).toBeCloseTo(5e-200, 210);
    expect(
      tensor([1e8, 1], ["k"])
        .matmul(tensor([1, 1], ["k"]), "k")
        .sub(1e8)
        .item(),
    ).toBe(0);
    expect(dot(tensor([1e8, 1, -1e8], ["k"]), ones([3], ["k"])).item()).toBe(1);
  });

  it("of nothing are 0, NaN, -Infinity, false, true, or an error that says so", () => {
    const nothing = zeros([2, 0], ["a", "b"]);
    expect(nothing.sum("b").toArray()).toEqual([0, 0]);
    expect(nothing.mean("b").toArray()).toEqual([Number.NaN, Number.NaN]);
    expect(nothing.variance("b").toArray()).toEqual([Number.NaN, Number.NaN]);
    expect(nothing.norm("b").toArray()).toEqual([0, 0]);
    expect(nothing.logsumexp("b").toArray()).toEqual([-Infinity, -Infinity]);
    expect(nothing.any("b").toArray()).toEqual([0, 0]);
    expect(nothing.all("b").toArray()).toEqual([1, 1]);
    expect(nothing.softmax("b").shape).toEqual([2, 0]);
    expect(nothing.sum("a").shape).toEqual([0]);
    expect(nothing.max("a").shape).toEqual([0]);
    expect(nothing.topk(0, "b").values.shape).toEqual([2, 0]);
    expect(nothing.matmul(zeros([0, 3], ["b", "c"]), "b").toArray()).toEqual([
      [0, 0, 0],
      [0, 0, 0],
    ]);
    expect(() => nothing.max("b")).toThrow(
      'tensor.max: got an empty row over "b" of [a=2, b=0]; expected at least one element to choose from.',
    );
    expect(() => nothing.argmin()).toThrow('over "a", "b"');
  });

  it("read long rows through strides: a column, every second element, a reversed row", () => {
    const t = arange(101 * 7, "i").reshape([101, 7], ["row", "column"]);
    expect(t.sum("row").at({ column: 3 }).item()).toBe((7 * 100 * 101) / 2 + 3 * 101);
    expect(t.max("row").toArray()).toEqual([700, 701, 702, 703, 704, 705, 706]);
    expect(
      arange(200, "i")
        .at({ i: { from: 1, step: 2 } })
        .sum()
        .item(),
    ).toBe(10_000);
    expect(arange(200, "i").flip("i").argmax().item()).toBe(0);
    expect(
      arange(3 * 100, "i")
        .reshape([3, 100], ["a", "b"])
        .argmax("b")
        .toArray(),
    ).toEqual([99, 99, 99]);
  });

  it("take one axis, several, or all, and refuse unknown and repeated ones", () => {
    expect(x.sum().item()).toBe(21);
    expect(x.sum("row").toArray()).toEqual([5, 7, 9]);
    expect(x.sum(["row", "column"]).item()).toBe(21);
    expect(x.sum([]).equals(x)).toBe(true);
    expect(x.mean("column", { keepAxis: true }).toArray()).toEqual([[2], [5]]);
    expect(x.std("column", { correction: 1 }).toArray()).toEqual([1, 1]);
    expect(x.argmax().item()).toBe(5);
    expect(() => x.sum("colum" as "column")).toThrow(
      'tensor.sum: got axis "colum"; expected an axis of [row=2, column=3]. Check the spelling. Nearest: "column", "row".',
    );
    expect(() => x.sum(["row", "row"])).toThrow('with "row" twice');
  });
});

describe("rows", () => {
  it("softmax stays finite for large numbers and is NaN for rows without probabilities", () => {
    const rows = tensor(
      [
        [1000, 1000],
        [-Infinity, 0],
        [-Infinity, -Infinity],
        [Infinity, 0],
        [Number.NaN, 0],
      ],
      ["row", "i"],
    );
    const nan = Number.NaN;
    expect(rows.softmax("i").toArray()).toEqual([
      [0.5, 0.5],
      [0, 1],
      [nan, nan],
      [nan, nan],
      [nan, nan],
    ]);
    expect(rows.logSoftmax("i").at({ row: 1 }).toArray()).toEqual([-Infinity, 0]);
    expect(rows.logSoftmax("i").at({ row: 2 }).isNaN().all().item()).toBe(1);
    expect(
      rows
        .logsumexp("i")
        .at({ row: [1, 2, 3, 4] })
        .toArray(),
    ).toEqual([0, -Infinity, Infinity, nan]);
  });

  it("topk finds long lists too, and refuses too many", () => {
    const shuffled = tensor(createRandom(0).shuffle(Array.from({ length: 500 }, (_, i) => i)), ["i"]);
    for (const k of [1, 64, 65, 500]) {
      const { values, indices } = shuffled.topk(k, "i");
      expect(values.toArray()).toEqual(Array.from({ length: k }, (_, i) => 499 - i));
      expect(shuffled.gather("i", indices).equals(values)).toBe(true);
    }
    expect(shuffled.topk(2, "i", { largest: false }).values.toArray()).toEqual([0, 1]);
    expect(() => x.topk(4, "column")).toThrow(
      'tensor.topk: k: got 4 for axis "column" of [row=2, column=3]; expected a whole number from 0 to 3.',
    );
    expect(() => x.topk(1.5, "column")).toThrow("got 1.5");
  });

  it("cumsum of float32 accumulates in float64", () => {
    expect(tensor([1e8, 1, -1e8], ["i"]).cumsum("i").toArray()).toEqual([1e8, 1e8, 1]);
  });
});
