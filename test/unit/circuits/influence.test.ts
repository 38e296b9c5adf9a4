/** Influence, pruning and scores against sums of matrix powers and graphs counted by hand. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  type EdgeRow,
  type EdgeRows,
  graphScores,
  influence,
  keptByShare,
  prune,
} from "../../../src/circuits/attribution/influence.js";

function graph(size: number, edges: readonly (readonly [target: number, source: number, weight: number])[]): EdgeRows {
  const rows = new Map<number, EdgeRow>();
  for (const target of new Set(edges.map(([one]) => one))) {
    const own = edges.filter(([one]) => one === target);
    rows.set(target, {
      sources: Int32Array.from(own, ([, source]) => source),
      weights: Float64Array.from(own, ([, , weight]) => weight),
    });
  }
  return { order: Array.from({ length: size }, (_, i) => i), rows, size };
}

/** Sum of `pᵀ Â^k` by dense matrix powers. */
function byPowers(
  size: number,
  edges: readonly (readonly [number, number, number])[],
  start: readonly number[],
): number[] {
  const a = Array.from({ length: size }, () => new Array<number>(size).fill(0));
  for (const [t, s, w] of edges) (a[t] ?? [])[s] = Math.abs(w);
  const normal = a.map((row) => {
    const total = Math.max(
      1e-10,
      row.reduce((x, y) => x + y, 0),
    );
    return row.map((x) => x / total);
  });
  let flow = [...start];
  const sum = new Array<number>(size).fill(0);
  for (let k = 0; k < size; k++) {
    flow = flow.map((_, s) => flow.reduce((total, f, t) => total + f * (normal[t]?.[s] ?? 0), 0));
    flow.forEach((f, s) => {
      sum[s] = (sum[s] ?? 0) + f;
    });
  }
  return sum;
}

test("influence is the sum of all powers of the normalised edges", () => {
  const weight = fc.double({ min: -3, max: 3, noNaN: true });
  fc.assert(
    fc.property(fc.array(fc.tuple(fc.nat(7), fc.nat(7), weight), { maxLength: 20 }), fc.nat(3), (raw, at) => {
      const unique = new Map(raw.filter(([a, b]) => a < b).map((edge) => [`${edge[0]}-${edge[1]}`, edge] as const));
      const edges = [...unique.values()];
      const start = Array.from({ length: 8 }, (_, i) => (i === at ? 0.7 : i === 0 ? 0.2 : 0));
      const expected = byPowers(8, edges, start);
      influence(graph(8, edges), start).forEach((value, i) => {
        expect(value).toBeCloseTo(expected[i] ?? 0, 10);
      });
    }),
  );
});

describe("a graph counted by hand", () => {
  // 0 target; 1, 2 features; 3 error; 4 token. Into 0: 3 from 1, -1 from 2. Into 1: 2 from 4, 2 from 3. Into 2: 1 from 4.
  const edges = [
    [0, 1, 3],
    [0, 2, -1],
    [1, 4, 2],
    [1, 3, 2],
    [2, 4, 1],
  ] as const;
  const start = [1, 0, 0, 0, 0];
  const roles = ["always", "feature", "feature", "error", "always"] as const;

  test("influence", () => {
    expect([...influence(graph(5, edges), start)]).toEqual([0, 0.75, 0.25, 0.375, 0.625]);
  });

  test("scores", () => {
    const kinds = { isToken: (node: number) => node === 4, isError: (node: number) => node === 3 };
    const { replacement, completeness } = graphScores(graph(5, edges), start, kinds);
    expect(replacement).toBeCloseTo(0.625, 12);
    expect(completeness).toBeCloseTo((1 + 0.75 * 0.5 + 0.25) / 2, 12);
  });

  test("pruning keeps what holds the share, and drops what hangs loose", () => {
    const all = prune(graph(5, edges), start, roles, { nodeShare: 1, edgeShare: 1 });
    expect(all.nodes).toEqual([true, true, true, true, true]);
    const some = prune(graph(5, edges), start, roles, { nodeShare: 0.8, edgeShare: 1 });
    expect(some.nodes).toEqual([true, true, false, true, true]);
    const few = prune(graph(5, edges), start, roles, { nodeShare: 0.3, edgeShare: 1 });
    expect(few.nodes).toEqual([true, true, false, false, true]);
  });

  test("an error that nothing reads goes, too", () => {
    const cut = prune(graph(5, edges), start, roles, { nodeShare: 1, edgeShare: 0.5 });
    expect(cut.nodes).toEqual([true, true, false, true, true]);
  });
});

test("a share is reached with as few as possible, ties together", () => {
  expect(keptByShare([1, 5, 3, 1], 0.8)).toEqual([false, true, true, false]);
  expect(keptByShare([1, 1, 1], 0.5)).toEqual([true, true, true]);
  expect(keptByShare([], 0.5)).toEqual([]);
});
