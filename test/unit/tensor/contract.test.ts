import { describe, expect, it } from "vitest";
import { createRandom } from "../../../src/core/index.js";
import { dot, einsum, outer, randn, type Tensor, tensor, zeros } from "../../../src/tensor/index.js";

const x = tensor(
  [
    [1, 2, 3],
    [4, 5, 6],
  ],
  ["row", "column"],
);

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
