import { inspect } from "node:util";
import { describe, expect, it } from "vitest";
import { createRandom, isLimpidError } from "../../../src/core/index.js";
import {
  arange,
  concat,
  type DType,
  dot,
  einsum,
  eye,
  full,
  ones,
  outer,
  rand,
  randn,
  stack,
  Tensor,
  tensor,
  where,
  zeros,
} from "../../../src/tensor/index.js";

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

describe("contractions", () => {
  it("compute known products", () => {
    const y = tensor(
      [
        [1, 0],
        [0, 1],
        [1, 1],
      ],
      ["column", "out"],
    );
    expect(x.matmul(y, "column").toArray()).toEqual([
      [4, 5],
      [10, 11],
    ]);
    expect(einsum([x], []).item()).toBe(21);
    expect(einsum([x], ["column", "row"]).toArray()).toEqual([
      [1, 4],
      [2, 5],
      [3, 6],
    ]);
    expect(outer(tensor([1, 2], ["i"]), tensor([3, 4], ["j"])).toArray()).toEqual([
      [3, 4],
      [6, 8],
    ]);
    expect(dot(x, tensor([1, 1, 1], ["column"])).toArray()).toEqual([6, 15]);
    expect(x.cast("int32").matmul(tensor([1, 2, 3], ["column"], "int32"), "column").data).toEqual(
      Int32Array.of(14, 32),
    );
    expect(einsum([tensor(2), x], ["row", "column"]).equals(x.mul(2))).toBe(true);
  });

  it("agree with plain loops at sizes beyond one block", () => {
    const random = createRandom(3);
    const [m, k, n] = [11, 131, 1031];
    const a = randn([m, k], ["m", "k"], random);
    const b = randn([n, k], ["n", "k"], random);
    const product = a.cast("float64").matmul(b, "k");
    let worst = 0;
    for (let i = 0; i < m; i++) {
      for (let j = 0; j < n; j += 37) {
        let sum = 0;
        for (let p = 0; p < k; p++) sum += (a.data[i * k + p] ?? 0) * (b.data[j * k + p] ?? 0);
        worst = Math.max(worst, Math.abs(sum - (product.data[i * n + j] ?? 0)));
      }
    }
    expect(worst).toBeLessThan(1e-12);
  });

  it("refuse unknown axes and sizes that differ", () => {
    const loose: Tensor = x;
    expect(() => loose.matmul(zeros([3], ["k"]), "column")).toThrow('tensor.matmul: right operand: got axis "column"');
    expect(() => x.matmul(zeros([4], ["column"]), "column")).toThrow(
      'got [row=2, column=3] and [column=4], which differ in axis "column"',
    );
    expect(() => einsum([x], ["rows"])).toThrow(
      'einsum: output: got axis "rows"; expected axes among "row", "column". The operands are [row=2, column=3].',
    );
    expect(() => einsum([], [])).toThrow("einsum: got no operands");
    expect(() => outer(x, x)).toThrow('outer: got the axis "row" in both operands');
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
    expect(`${x}`).toBe(inspect(x));
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
