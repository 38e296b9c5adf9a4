/** Decompositions and equations, against closed forms and the identities that define them. */
import { describe, expect, it } from "vitest";
import { createRandom } from "../../../src/core/index.js";
import { eigenvalues, leastSquares, qr, ridge, solve, svd, symmetricEigen } from "../../../src/linalg/index.js";
import { eye, randn, Tensor, tensor, zeros } from "../../../src/tensor/index.js";

function random(rows: number, columns: number, seed: number): Tensor {
  return randn([rows, columns], ["x", "y"], createRandom(seed)).cast("float64");
}

function numbers(t: Tensor): number[] {
  return Array.from(t.contiguous().data, Number);
}

/** `Aᵀ A` is the identity. */
function orthonormality(columns: Tensor): number {
  const [row = "", column = ""] = columns.axes;
  const gram: Tensor = columns.matmul(columns.rename({ [column]: "other" }), row);
  return gram.maxAbsDiff(eye(columns.sizeOf(column), [column, "other"]).cast("float64"));
}

describe("svd", () => {
  it("finds the singular values of [[3, 0], [4, 5]], which are √45 and √5", () => {
    const { S } = svd(
      tensor(
        [
          [3, 0],
          [4, 5],
        ],
        ["x", "y"],
      ),
    );
    expect(numbers(S)[0]).toBeCloseTo(Math.sqrt(45), 12);
    expect(numbers(S)[1]).toBeCloseTo(Math.sqrt(5), 12);
  });

  it.each([
    [7, 4],
    [4, 7],
    [5, 5],
    [1, 6],
    [6, 1],
    [40, 23],
  ])("gives back a matrix of %i x %i, with orthonormal vectors and ordered values", (rows, columns) => {
    const a = random(rows, columns, rows * 31 + columns);
    const { U, S, V } = svd(a);
    const count = Math.min(rows, columns);
    expect([U.shape, S.shape, V.shape]).toEqual([[rows, count], [count], [columns, count]]);
    expect([U.axes, S.axes, V.axes]).toEqual([["x", "singular"], ["singular"], ["y", "singular"]]);
    expect(U.mul(S).matmul(V, "singular").maxAbsDiff(a)).toBeLessThan(1e-12);
    expect(Math.max(orthonormality(U), orthonormality(V))).toBeLessThan(1e-12);
    const values = numbers(S);
    expect(values).toEqual([...values].sort((p, q) => q - p));
  });

  it("makes the largest entry of each left vector positive", () => {
    const { U } = svd(random(9, 6, 5));
    for (let i = 0; i < 6; i++) {
      const column = numbers(U.at({ singular: i }));
      expect(column.reduce((best, x) => (Math.abs(x) > Math.abs(best) ? x : best), 0)).toBeGreaterThan(0);
    }
  });

  it("gives zeros where a matrix lacks rank, and takes the zero matrix", () => {
    const low: Tensor = random(8, 2, 1).matmul(random(2, 6, 2).rename({ x: "y", y: "z" }), "y");
    const values = numbers(svd(low).S);
    expect(values.slice(2).every((s) => s < 1e-13)).toBe(true);
    expect(values.slice(0, 2).every((s) => s > 0.1)).toBe(true);
    expect(numbers(svd(zeros([3, 2], ["x", "y"])).S)).toEqual([0, 0]);
  });

  it("refuses what is no finite matrix", () => {
    expect(() => svd(tensor([1, 2, 3], ["x"]))).toThrow(
      "svd: got [x=3]; expected a matrix: two axes, neither empty. Select with at() or reshape; axes keep their names.",
    );
    expect(() => svd(zeros([0, 2], ["x", "y"]))).toThrow(/neither empty/);
    expect(() => svd(tensor([[1, Number.NaN]], ["x", "y"]))).toThrow(
      "svd: got NaN at element 1; expected finite numbers. Find out where it comes from: a masked score, a division by 0, an overflow.",
    );
  });
});

describe("eigenvalues", () => {
  it("of a rotation are exp(± i θ)", () => {
    const theta = 0.7;
    const [c, s] = [Math.cos(theta), Math.sin(theta)];
    const { re, im } = eigenvalues(
      tensor(
        [
          [c, -s],
          [s, c],
        ],
        ["x", "y"],
      ).cast("float64"),
    );
    expect(numbers(re).map((x) => x.toFixed(6))).toEqual([c.toFixed(6), c.toFixed(6)]);
    expect(numbers(im).map((x) => x.toFixed(6))).toEqual([s.toFixed(6), (-s).toFixed(6)]);
  });

  it("of a circulant matrix are the discrete Fourier transform of its first column", () => {
    const first = [1, -2, 0.5, 3, 0.25];
    const n = first.length;
    const rows = first.map((_, i) => first.map((_cell, j) => first[(i - j + n) % n] ?? 0));
    const { re, im } = eigenvalues(tensor(rows, ["x", "y"]));
    const expected = first.map((_, k) => {
      const sum = (f: (x: number) => number): number =>
        first.reduce((total, x, j) => total + x * f((-2 * Math.PI * j * k) / n), 0);
      return [sum(Math.cos), sum(Math.sin)] as const;
    });
    const distance = (a: readonly [number, number], b: readonly [number, number]): number =>
      Math.hypot(a[0] - b[0], a[1] - b[1]);
    const found = numbers(re).map((x, i) => [x, numbers(im)[i] ?? 0] as const);
    for (const value of found) expect(Math.min(...expected.map((other) => distance(value, other)))).toBeLessThan(1e-9);
    for (const value of expected) expect(Math.min(...found.map((other) => distance(value, other)))).toBeLessThan(1e-9);
    const sizes = found.map(([x, y]) => Math.hypot(x, y));
    expect(sizes.every((size, i) => i === 0 || size <= (sizes[i - 1] ?? 0) + 1e-9)).toBe(true);
  });

  it("refuses a matrix that is not square", () => {
    expect(() => eigenvalues(zeros([2, 3], ["x", "y"]))).toThrow(
      "eigenvalues: got [x=2, y=3]; expected a square matrix. Select with at() or reshape; axes keep their names.",
    );
  });
});

describe("symmetricEigen", () => {
  it("of a path's Laplacian are 2 − 2 cos(kπ/n)", () => {
    const n = 7;
    const rows = Array.from({ length: n }, (_, i) =>
      Array.from({ length: n }, (_cell, j) => {
        if (i === j) return i === 0 || i === n - 1 ? 1 : 2;
        return Math.abs(i - j) === 1 ? -1 : 0;
      }),
    );
    const a = tensor(rows, ["x", "y"]).cast("float64");
    const { values, vectors } = symmetricEigen(a);
    const expected = Array.from({ length: n }, (_, k) => 2 - 2 * Math.cos((k * Math.PI) / n)).reverse();
    for (const [i, value] of numbers(values).entries()) expect(value).toBeCloseTo(expected[i] ?? 0, 12);
    expect(orthonormality(vectors)).toBeLessThan(1e-12);
    const back: Tensor = vectors.mul(values).matmul(vectors.rename({ x: "y" }), "eigen");
    expect(back.maxAbsDiff(a)).toBeLessThan(1e-12);
  });

  it("refuses a matrix that is not symmetric", () => {
    expect(() =>
      symmetricEigen(
        tensor(
          [
            [1, 2],
            [3, 4],
          ],
          ["x", "y"],
        ),
      ),
    ).toThrow(
      "symmetricEigen: got a matrix whose opposite entries differ by up to 1.00; expected a symmetric matrix. Use eigenvalues(), or symmetrise it first.",
    );
  });
});

describe("qr", () => {
  it("gives orthonormal columns and an upper triangle with a diagonal that is not negative", () => {
    const a = random(6, 4, 3);
    const { Q, R } = qr(a);
    expect(orthonormality(Q)).toBeLessThan(1e-13);
    expect(Q.matmul(R, "rank").maxAbsDiff(a)).toBeLessThan(1e-13);
    const rows = R.toArray() as number[][];
    for (const [i, row] of rows.entries())
      for (const [j, x] of row.entries()) {
        if (j < i) expect(Math.abs(x)).toBeLessThan(1e-13);
        if (j === i) expect(x).toBeGreaterThanOrEqual(0);
      }
  });

  it("refuses a wide matrix", () => {
    expect(() => qr(zeros([2, 3], ["x", "y"]))).toThrow(
      "qr: got a matrix of 2 rows and 3 columns; expected at least as many rows as columns. Transpose it.",
    );
  });
});

describe("solve and leastSquares", () => {
  const a = random(5, 5, 8);

  it("solve finds the x that was multiplied", () => {
    const x = random(5, 3, 9).rename({ x: "y", y: "z" });
    const b: Tensor = a.matmul(x, "y");
    const found = solve(a, b);
    expect(found.axes).toEqual(["y", "z"]);
    expect(found.maxAbsDiff(x)).toBeLessThan(1e-11);
    const one: Tensor = x.at({ z: 0 });
    expect(solve(a, a.matmul(one, "y")).maxAbsDiff(one)).toBeLessThan(1e-11);
  });

  it("solve refuses singular matrices and right-hand sides of another size", () => {
    expect(() => solve(zeros([2, 2], ["x", "y"]), tensor([1, 2], ["x"]))).toThrow(
      "solve: got a singular matrix; expected one of full rank. Remove dependent columns, use leastSquares(), or ridge() with a penalty above 0.",
    );
    expect(() => solve(a, tensor([1, 2], ["x"]))).toThrow(
      "solve: got a right-hand side of 2 rows for a matrix of 5; expected as many rows as the matrix. Check the order of axes: rows come first.",
    );
  });

  it("leastSquares leaves a residual that is orthogonal to the columns", () => {
    const tall = random(9, 4, 10);
    const b = random(9, 2, 11).rename({ y: "z" });
    const residual: Tensor = tall.matmul(leastSquares(tall, b), "y").sub(b);
    expect(tall.matmul(residual, "x").abs().max().item()).toBeLessThan(1e-12);
  });

  it("leastSquares takes the shortest of many solutions, also where a matrix lacks rank", () => {
    // x + y = 2 has the shortest solution (1, 1); the second equation says the same.
    const twice = tensor(
      [
        [1, 1],
        [2, 2],
      ],
      ["x", "y"],
    );
    for (const x of numbers(leastSquares(twice, tensor([2, 4], ["x"])))) expect(x).toBeCloseTo(1, 12);
    for (const x of numbers(leastSquares(tensor([[1, 1]], ["x", "y"]), tensor([2], ["x"]))))
      expect(x).toBeCloseTo(1, 12);
  });
});

describe("ridge", () => {
  it("in one dimension is Σ xy / (Σ x² + λ)", () => {
    const x = tensor([[1], [2], [4]], ["row", "feature"]);
    const y = tensor([2, 3, 7], ["row"]);
    const { weights, intercept } = ridge(x, y, { penalty: 3, intercept: false });
    expect(numbers(weights)[0]).toBeCloseTo((2 + 6 + 28) / (21 + 3), 12);
    expect(intercept.item()).toBe(0);
  });

  it.each([
    ["tall", 12, 4],
    ["wide, in the dual form", 4, 12],
  ])("makes the gradient of its own loss vanish: %s", (_name, rows, features) => {
    const x = random(rows, features, 20);
    const y = random(rows, 3, 21).rename({ y: "z" });
    const penalty = 0.7;
    const { weights, intercept } = ridge(x, y, { penalty });
    const residual: Tensor = x.matmul(weights, "y").add(intercept).sub(y);
    expect(residual.sum("x").abs().max().item()).toBeLessThan(1e-12);
    const gradient: Tensor = x.matmul(residual, "x").add(weights.mul(penalty));
    expect(gradient.abs().max().item()).toBeLessThan(1e-12);
  });

  it("without a penalty is least squares", () => {
    const x = random(9, 4, 22);
    const y = random(9, 2, 23).rename({ y: "z" });
    const { weights } = ridge(x, y, { penalty: 0, intercept: false });
    expect(weights.maxAbsDiff(leastSquares(x, y))).toBeLessThan(1e-11);
  });

  it("refuses a negative penalty, and no penalty on dependent features", () => {
    const x = tensor(
      [
        [1, 2],
        [2, 4],
        [3, 6],
      ],
      ["row", "feature"],
    );
    const y = tensor([1, 2, 3], ["row"]);
    expect(() => ridge(x, y, { penalty: -1 })).toThrow(
      "ridge: penalty: got -1; expected a number, 0 or more. Correct the number.",
    );
    expect(() => ridge(x, y, { penalty: 0 })).toThrow(/ridge: got a singular matrix/);
    expect(() => ridge(x, tensor([1, 2], ["row"]), { penalty: 1 })).toThrow(
      /ridge: y: got a right-hand side of 2 rows/,
    );
  });
});

it("integers and float32 are read as float64, and results are float64", () => {
  const a = Tensor.of(Int32Array.from([2, 0, 0, 3]), [2, 2], ["x", "y"]);
  expect(svd(a).S.dtype).toBe("float64");
  expect(numbers(svd(a).S)).toEqual([3, 2]);
});
