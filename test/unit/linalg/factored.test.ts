/** Factored matrices against the products formed in full. */
import { describe, expect, it } from "vitest";
import { FactoredMatrix } from "../../../src/analysis/index.js";
import { createRandom } from "../../../src/core/index.js";
import { eigenvalues, svd } from "../../../src/linalg/index.js";
import { randn, type Tensor, tensor } from "../../../src/tensor/index.js";

function random(shape: readonly number[], axes: readonly string[], seed: number): Tensor {
  return randn(shape, axes, createRandom(seed)).cast("float64");
}

const sizes = { layer: 2, head: 3, left: 7, inner: 3, right: 7 };
const A = random([2, 3, 7, 3], ["layer", "head", "dModel", "dHead"], 1);
const B = random([2, 3, 3, 7], ["layer", "head", "dHead", "dModel"], 2);
const m = new FactoredMatrix(A, B);
const one = m.at({ layer: 1, head: 2 });

describe("a factored matrix", () => {
  it("names its axes left, inner, right, whatever the factors called them, and keeps leading ones", () => {
    expect(m.sizes).toEqual(sizes);
    expect(m.AB.axes).toEqual(["layer", "head", "left", "right"]);
    expect(m.BA.shape).toEqual([2, 3, 3, 3]);
    expect(m.pair.A).toBe(m.A);
    expect(String(m)).toBe("FactoredMatrix [layer=2, head=3, left=7, right=7] of rank at most 3");
  });

  it("is the product of plain loops", () => {
    const [a, b] = [one.A.toArray() as number[][], one.B.toArray() as number[][]];
    const product = one.AB.toArray() as number[][];
    for (let i = 0; i < 7; i++)
      for (let j = 0; j < 7; j++) {
        const expected = [0, 1, 2].reduce((sum, k) => sum + (a[i]?.[k] ?? 0) * (b[k]?.[j] ?? 0), 0);
        expect(product[i]?.[j]).toBeCloseTo(expected, 12);
      }
  });

  it("transposes", () => {
    expect(one.T.AB.maxAbsDiff(one.AB.transpose(["right", "left"]).rename({ right: "left", left: "right" }))).toBe(0);
  });

  it("has the singular values and the norm of the whole matrix", () => {
    const { U, S, V } = m.svd();
    expect([U.shape, S.shape, V.shape]).toEqual([
      [2, 3, 7, 3],
      [2, 3, 3],
      [2, 3, 7, 3],
    ]);
    const whole = svd(one.AB);
    expect(one.S.maxAbsDiff(whole.S.at({ singular: { from: 0, to: 3 } }))).toBeLessThan(1e-12);
    expect(one.U.maxAbsDiff(whole.U.at({ singular: { from: 0, to: 3 } }))).toBeLessThan(1e-9);
    expect(S.at({ layer: 1, head: 2 }).maxAbsDiff(one.S)).toBeLessThan(1e-13);
    expect(one.U.mul(one.S).matmul(one.V, "singular").maxAbsDiff(one.AB)).toBeLessThan(1e-12);
    expect(m.norm().maxAbsDiff(m.AB.square().sum(["left", "right"]).sqrt())).toBeLessThan(1e-12);
    expect(m.svd()).toBe(m.svd());
  });

  it("decomposes factors that are wide, too", () => {
    const wide = new FactoredMatrix(random([2, 5], ["x", "k"], 3), random([5, 9], ["k", "y"], 4));
    const whole = svd(wide.AB);
    expect(wide.S.maxAbsDiff(whole.S)).toBeLessThan(1e-12);
    expect(wide.U.mul(wide.S).matmul(wide.V, "singular").maxAbsDiff(wide.AB)).toBeLessThan(1e-12);
  });

  it("has the eigenvalues of the whole matrix that are not 0, and its trace", () => {
    const { re, im } = one.eigenvalues();
    const whole = eigenvalues(one.AB);
    expect(re.maxAbsDiff(whole.re.at({ eigen: { from: 0, to: 3 } }))).toBeLessThan(1e-10);
    expect(im.maxAbsDiff(whole.im.at({ eigen: { from: 0, to: 3 } }))).toBeLessThan(1e-10);
    const diagonal = (one.AB.toArray() as number[][]).reduce((sum, row, i) => sum + (row[i] ?? 0), 0);
    expect(one.trace().item()).toBeCloseTo(diagonal, 12);
    expect(m.trace().at({ layer: 1, head: 2 }).item()).toBeCloseTo(diagonal, 12);
    expect(m.eigenvalues().re.at({ layer: 1, head: 2 }).maxAbsDiff(re)).toBeLessThan(1e-12);
  });

  it("made even is the same matrix, its factors of equal norm", () => {
    const even = m.makeEven();
    expect(even.AB.maxAbsDiff(m.AB)).toBeLessThan(1e-12);
    const norm = (t: Tensor): Tensor => t.square().sum(t.axes.slice(-2));
    expect(norm(even.A).maxAbsDiff(norm(even.B))).toBeLessThan(1e-12);
  });

  it("collapses to U S and S Vᵀ", () => {
    expect(one.U.matmul(one.collapseLeft(), "singular").maxAbsDiff(one.AB)).toBeLessThan(1e-12);
    expect(one.collapseRight().matmul(one.V, "singular").maxAbsDiff(one.AB)).toBeLessThan(1e-12);
  });

  it("multiplies vectors, matrices and other factored matrices, from both sides", () => {
    const x = random([7], ["anything"], 5);
    const many = random([7, 4], ["anything", "other"], 6);
    expect(one.matmul(x).maxAbsDiff(one.AB.matmul(x.rename({ anything: "right" }), "right"))).toBeLessThan(1e-12);
    expect(one.matmul(many).shape).toEqual([7, 4]);
    expect(m.matmul(x).at({ layer: 1, head: 2 }).maxAbsDiff(one.matmul(x))).toBeLessThan(1e-12);
    expect(one.rmatmul(x).maxAbsDiff(one.AB.matmul(x.rename({ anything: "left" }), "left"))).toBeLessThan(1e-12);
    expect(one.rmatmul(many.transpose(["other", "anything"])).shape).toEqual([4, 7]);
    const narrow = new FactoredMatrix(random([7, 2], ["x", "k"], 7), random([2, 5], ["k", "y"], 8));
    const product = one.matmul(narrow);
    expect(product.sizes).toEqual({ left: 7, inner: 2, right: 5 });
    const joined: Tensor = one.AB.rename({ right: "joint" }).matmul(narrow.AB.rename({ left: "joint" }), "joint");
    expect(product.AB.maxAbsDiff(joined)).toBeLessThan(1e-12);
    expect(narrow.T.matmul(one).sizes["inner"]).toBe(2);
    expect(m.mul(2).AB.maxAbsDiff(m.AB.mul(2))).toBe(0);
    expect(
      m
        .mul(tensor([1, 10], ["layer"]))
        .AB.at({ layer: 1 })
        .maxAbsDiff(m.AB.at({ layer: 1 }).mul(10)),
    ).toBeLessThan(1e-12);
  });

  it("selects by axis; a single index on the left or right keeps its axis", () => {
    expect(m.at({ head: [0, 2] }).sizes["head"]).toBe(2);
    expect(one.at({ left: 4 }).AB.shape).toEqual([1, 7]);
    expect(one.at({ right: { from: 1, to: 3 } }).AB.maxAbsDiff(one.AB.at({ right: { from: 1, to: 3 } }))).toBe(0);
  });

  it("repeats a factor along leading axes that it lacks", () => {
    const shared = new FactoredMatrix(A, B.at({ layer: 0, head: 0 }));
    expect(shared.AB.shape).toEqual([2, 3, 7, 7]);
    expect(shared.S.shape).toEqual([2, 3, 3]);
    expect(shared.norm().maxAbsDiff(shared.AB.square().sum(["left", "right"]).sqrt())).toBeLessThan(1e-12);
  });

  it("refuses what does not fit, and says why", () => {
    expect(() => new FactoredMatrix(A, A)).toThrow(
      "FactoredMatrix: got A of 3 columns and B of 7 rows; expected as many columns of A as rows of B. Transpose one of them.",
    );
    expect(() => new FactoredMatrix(tensor([1, 2], ["x"]), B)).toThrow(
      "FactoredMatrix: A: got [x=2]; expected at least two axes: a matrix, or a stack of matrices. Give a vector a second axis with insertAxis().",
    );
    expect(() => new FactoredMatrix(A, B.at({ head: [0] }))).toThrow(
      /FactoredMatrix: got \[layer=2, head=3, left=7, inner=3\] and \[layer=2, head=1.*expected leading axes of equal names and sizes/,
    );
    const flat = new FactoredMatrix(random([4, 2], ["x", "k"], 1), random([2, 5], ["k", "y"], 2));
    expect(() => flat.eigenvalues()).toThrow(
      "FactoredMatrix.eigenvalues: got a matrix of 4 rows and 5 columns; expected a square matrix. Use svd().",
    );
    expect(() => flat.trace()).toThrow(/FactoredMatrix\.trace/);
    expect(() => flat.matmul(tensor([1, 2], ["x"]))).toThrow(
      "FactoredMatrix.matmul: got an operand of size 2; expected 5, to match the matrix. Check which side it multiplies: matmul is M x, rmatmul is x M.",
    );
    expect(() => flat.rmatmul(tensor([1, 2], ["x"]))).toThrow(
      /FactoredMatrix\.rmatmul: got an operand of size 2; expected 4/,
    );
    expect(() => flat.matmul(one)).toThrow(/got an operand of size 7; expected 5/);
    expect(() => flat.at({ inner: 0 })).toThrow(
      'FactoredMatrix.at: got the axis "inner"; expected axes among left, right. The inner axis belongs to both factors: use makeEven() and build a new one to drop parts of it.',
    );
  });
});
