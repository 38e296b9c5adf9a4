import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Tensor } from "../../src/tensor/index.js";
import { type Index, indices, type Naive, type Pair, pairs, viewsOf } from "../unit/tensor/naive.js";

const anyView = viewsOf(pairs());
const specialView = viewsOf(pairs({ special: true }));

/** Rows over `axes` in row-major order of the rest. */
function rowsOf(naive: Naive, axes: readonly string[]): number[][] {
  const size = (axis: string): number => naive.shape[naive.axes.indexOf(axis)] ?? 0;
  const kept = naive.axes.filter((axis) => !axes.includes(axis));
  const within = indices(axes, axes.map(size));
  return indices(kept, kept.map(size)).map((at: Index) => within.map((inner) => naive.get({ ...at, ...inner })));
}

function chooseAxes(naive: Naive, mask: number): string[] {
  return naive.axes.filter((_, i) => ((mask >> i) & 1) === 1);
}

function values(tensor: Tensor): number[] {
  return [...tensor.data].map((x) => Number(x) + 0);
}

function expectClose(got: readonly number[], want: readonly number[], tolerance = 1e-9): void {
  expect(got.length).toBe(want.length);
  got.forEach((x, i) => {
    const y = want[i] ?? 0;
    const isSame = Object.is(x, y + 0) || Math.abs(x - y) <= tolerance * Math.max(1, Math.abs(y));
    expect(isSame, `element ${i}: ${x} against ${y}`).toBe(true);
  });
}

const total = (row: readonly number[]): number => row.reduce((sum, x) => sum + x, 0);
const mean = (row: readonly number[]): number => total(row) / row.length;
const variance = (row: readonly number[], correction: number): number => {
  const divisor = row.length - correction;
  return divisor > 0 ? total(row.map((x) => (x - mean(row)) ** 2)) / divisor : Number.NaN;
};

describe("reductions", () => {
  it("equal loops over rows for any set of axes, on any view, NaN and infinities included", () => {
    fc.assert(
      fc.property(specialView, fc.nat({ max: 31 }), ({ tensor, naive }, mask) => {
        const axes = chooseAxes(naive, mask);
        const rows = rowsOf(naive, axes);
        expectClose(values(tensor.sum(axes)), rows.map(total));
        expectClose(values(tensor.mean(axes)), rows.map(mean));
        expectClose(
          values(tensor.variance(axes)),
          rows.map((row) => variance(row, 0)),
        );
        expectClose(
          values(tensor.std(axes, { correction: 1 })),
          rows.map((row) => Math.sqrt(variance(row, 1))),
        );
        expectClose(
          values(tensor.norm(axes)),
          rows.map((row) => Math.sqrt(total(row.map((x) => x * x)))),
        );
        expectClose(
          values(tensor.any(axes)),
          rows.map((row) => Number(row.some((x) => x !== 0))),
        );
        expectClose(
          values(tensor.all(axes)),
          rows.map((row) => Number(row.every((x) => x !== 0))),
        );
      }),
      { numRuns: 300 },
    );
  });

  it("find the extremes and the first place of each; NaN wins", () => {
    fc.assert(
      fc.property(specialView, fc.nat({ max: 31 }), ({ tensor, naive }, mask) => {
        const axes = chooseAxes(naive, mask);
        const rows = rowsOf(naive, axes);
        if (rows.some((row) => row.length === 0)) return;
        const hasNaN = (row: readonly number[]): boolean => row.some(Number.isNaN);
        expectClose(
          values(tensor.max(axes)),
          rows.map((row) => Math.max(...row)),
        );
        expectClose(
          values(tensor.min(axes)),
          rows.map((row) => Math.min(...row)),
        );
        const first = (row: readonly number[], best: number): number =>
          hasNaN(row) ? row.findIndex(Number.isNaN) : row.findIndex((x) => x === best);
        expectClose(
          values(tensor.argmax(axes)),
          rows.map((row) => first(row, Math.max(...row))),
        );
        expectClose(
          values(tensor.argmin(axes)),
          rows.map((row) => first(row, Math.min(...row))),
        );
      }),
      { numRuns: 200 },
    );
  });

  it("over several axes equal reductions one after the other, in any order", () => {
    fc.assert(
      fc.property(anyView, fc.nat({ max: 31 }), ({ tensor, naive }, mask) => {
        const axes = chooseAxes(naive, mask);
        const oneByOne = axes.reduce<Tensor>((sum, axis) => sum.sum(axis), tensor);
        const backwards = axes.reduceRight<Tensor>((sum, axis) => sum.sum(axis), tensor);
        const atOnce = tensor.sum(axes);
        expect(atOnce.maxAbsDiff(oneByOne)).toBeLessThanOrEqual(1e-9);
        expect(atOnce.maxAbsDiff(backwards)).toBeLessThanOrEqual(1e-9);
        expect(tensor.sum([...axes].reverse()).equals(atOnce)).toBe(true);
      }),
    );
  });

  it("keep reduced axes with size 1 when asked, so that they broadcast back", () => {
    fc.assert(
      fc.property(anyView, fc.nat({ max: 31 }), ({ tensor, naive }, mask) => {
        const axes = chooseAxes(naive, mask);
        const kept = tensor.sum(axes, { keepAxis: true });
        expect(kept.axes).toEqual(tensor.axes);
        expect(kept.shape).toEqual(tensor.shape.map((n, i) => (axes.includes(tensor.axes[i] ?? "") ? 1 : n)));
        expect([...kept.data]).toEqual([...tensor.sum(axes).data]);
        expect(tensor.sub(kept).equals(tensor.sub(tensor.sum(axes)).transpose(tensor.axes))).toBe(true);
      }),
    );
  });
});

describe("rows along one axis", () => {
  function eachAxis(
    pair: Pair,
    check: (axis: string, rows: number[][], inOrder: (t: Tensor) => number[]) => void,
  ): void {
    for (const axis of pair.naive.axes) {
      const order = [...pair.naive.axes.filter((name) => name !== axis), axis];
      check(axis, rowsOf(pair.naive, [axis]), (t) => values(t.transpose(order)));
    }
  }

  it("softmax sums to 1, ignores a shift, and logSoftmax is its logarithm", () => {
    fc.assert(
      fc.property(anyView, fc.integer({ min: -900, max: 900 }), (pair, shift) => {
        eachAxis(pair, (axis, rows, inOrder) => {
          const probabilities = pair.tensor.softmax(axis);
          expect(probabilities.axes).toEqual(pair.tensor.axes);
          if (pair.tensor.sizeOf(axis) > 0)
            values(probabilities.sum(axis)).forEach((x) => expect(x).toBeCloseTo(1, 12));
          expectClose(values(pair.tensor.add(shift).softmax(axis)), values(probabilities), 1e-9);
          const naive = rows.flatMap((row) => row.map((x) => Math.exp(x) / total(row.map(Math.exp))));
          expectClose(inOrder(probabilities), naive, 1e-9);
          expectClose(inOrder(pair.tensor.logSoftmax(axis)), naive.map(Math.log), 1e-9);
          expectClose(
            values(pair.tensor.logsumexp(axis)),
            rows.map((row) => Math.log(total(row.map(Math.exp)))),
            1e-9,
          );
        });
      }),
    );
  });

  it("sort, argsort and topk agree with a stable sort that puts NaN above all", () => {
    fc.assert(
      fc.property(specialView, fc.boolean(), fc.nat({ max: 4 }), (pair, descending, k) => {
        eachAxis(pair, (axis, rows, inOrder) => {
          const rank = (x: number): number => (Number.isNaN(x) ? Number.MAX_VALUE * 2 + 1 : x);
          const above = (x: number, y: number): number =>
            Number.isNaN(x) || Number.isNaN(y)
              ? Number(Number.isNaN(x)) - Number(Number.isNaN(y))
              : rank(x) === rank(y)
                ? 0
                : x - y;
          const orders = rows.map((row) =>
            row.map((_, i) => i).sort((i, j) => (descending ? -1 : 1) * above(row[i] ?? 0, row[j] ?? 0)),
          );
          expect(inOrder(pair.tensor.argsort(axis, { descending }))).toEqual(orders.flat());
          const sorted = orders.flatMap((order, r) => order.map((i) => (rows[r]?.[i] ?? 0) + 0));
          expect(inOrder(pair.tensor.sort(axis, { descending }))).toEqual(sorted);
          if (k > pair.tensor.sizeOf(axis)) return;
          const best = pair.tensor.topk(k, axis, { largest: descending });
          expect(inOrder(best.indices)).toEqual(orders.flatMap((order) => order.slice(0, k)));
          expect(best.values.equals(pair.tensor.gather(axis, best.indices))).toBe(true);
        });
      }),
      { numRuns: 200 },
    );
  });

  it("cumsum ends in the sum and steps by the elements", () => {
    fc.assert(
      fc.property(anyView, (pair) => {
        eachAxis(pair, (axis, rows, inOrder) => {
          const naive = rows.flatMap((row) => row.map((_, i) => total(row.slice(0, i + 1))));
          expectClose(inOrder(pair.tensor.cumsum(axis)), naive);
        });
      }),
    );
  });
});
