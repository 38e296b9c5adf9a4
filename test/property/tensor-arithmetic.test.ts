import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { einsum, type Tensor, where } from "../../src/tensor/index.js";
import { flat, type Index, indices, type Naive, names, type Pair, pairs, viewsOf } from "../unit/tensor/naive.js";

/** Two or three tensors whose shared axes agree in size, or have size 1 where `ones` allows it. */
function aligned(count: number, options: { special?: boolean; ones?: boolean } = {}): fc.Arbitrary<Pair[]> {
  return fc
    .array(fc.integer({ min: 0, max: 3 }), { minLength: names.length, maxLength: names.length })
    .chain((sizes) =>
      fc.tuple(...Array.from({ length: count }, () => pairsOfSizes(sizes, options))).map((found) => [...found]),
    );
}

function pairsOfSizes(sizes: readonly number[], options: { special?: boolean; ones?: boolean }): fc.Arbitrary<Pair> {
  const special = options.special ?? false;
  return fc.tuple(pairs({ minSize: 3, special }), fc.nat({ max: 15 })).map(([pair, ones]) =>
    pair.naive.axes.reduce((current, axis) => {
      const axisIndex = names.findIndex((name) => name === axis);
      const isOne = options.ones === true && ((ones >> axisIndex) & 1) === 1;
      return cut(current, axis, isOne ? 1 : (sizes[axisIndex] ?? 0));
    }, pair),
  );
}

function cut({ tensor, naive }: Pair, axis: string, size: number): Pair {
  const shape = naive.shape.map((n, i) => (naive.axes[i] === axis ? size : n));
  return { tensor: tensor.at({ [axis]: { to: size } }), naive: { ...naive, shape } };
}

/** Reads an operand at an index of the result: absent axes are ignored, axes of size 1 repeat. */
function read(naive: Naive, index: Index): number {
  return naive.get(
    Object.fromEntries(naive.axes.map((axis, i) => [axis, naive.shape[i] === 1 ? 0 : (index[axis] ?? 0)])),
  );
}

function values(tensor: Tensor): number[] {
  return Array.from(tensor.data, Number);
}

describe("broadcasting", () => {
  const operations = {
    add: (x: number, y: number) => x + y,
    sub: (x: number, y: number) => x - y,
    mul: (x: number, y: number) => x * y,
    div: (x: number, y: number) => x / y,
    maximum: (x: number, y: number) => (Number.isNaN(x) || Number.isNaN(y) ? Number.NaN : x > y ? x : y),
    minimum: (x: number, y: number) => (Number.isNaN(x) || Number.isNaN(y) ? Number.NaN : x < y ? x : y),
    lt: (x: number, y: number) => Number(x < y),
    ge: (x: number, y: number) => Number(x >= y),
    eq: (x: number, y: number) => Number(x === y),
  } as const;

  it("equals explicit loops over all named indices, NaN and infinities included", () => {
    fc.assert(
      fc.property(aligned(2, { special: true, ones: true }), (found) => {
        const [left, right] = found as [Pair, Pair];
        for (const [op, oracle] of Object.entries(operations)) {
          const result: Tensor = left.tensor[op as keyof typeof operations](right.tensor);
          const expected = indices(result.axes, result.shape).map((at) =>
            oracle(read(left.naive, at), read(right.naive, at)),
          );
          expect(values(result).map((x) => x + 0)).toEqual(expected.map((x) => x + 0));
        }
      }),
      { numRuns: 150 },
    );
  });

  it("orders the axes as the operand that has them all, else left then new", () => {
    fc.assert(
      fc.property(aligned(2), (found) => {
        const [left, right] = found.map(({ tensor }) => tensor) as [Tensor, Tensor];
        const sum = left.add(right);
        const isIn = (part: Tensor, whole: Tensor): boolean => part.axes.every((axis) => whole.axes.includes(axis));
        const fresh = right.axes.filter((axis) => !left.axes.includes(axis));
        const expected = isIn(left, right) && !isIn(right, left) ? right.axes : [...left.axes, ...fresh];
        expect(sum.axes).toEqual(expected);
        expect([...sum.axes].sort()).toEqual([...right.add(left).axes].sort());
      }),
    );
  });

  it("selects by a condition as explicit loops do", () => {
    fc.assert(
      fc.property(aligned(3, { ones: true }), (found) => {
        const [mask, yes, no] = found as [Pair, Pair, Pair];
        const result = where(mask.tensor.gt(0), yes.tensor, no.tensor);
        const expected = indices(result.axes, result.shape).map((at) =>
          read(mask.naive, at) > 0 ? read(yes.naive, at) : read(no.naive, at),
        );
        expect(values(result)).toEqual(expected);
      }),
    );
  });

  it("treats a number as a tensor without axes", () => {
    fc.assert(
      fc.property(viewsOf(pairs({ special: true })), fc.integer({ min: -4, max: 4 }), ({ tensor, naive }, x) => {
        expect(values(tensor.mul(x)).map((y) => y + 0)).toEqual(flat(naive).map((y) => y * x + 0));
        expect(values(tensor.lt(x))).toEqual(flat(naive).map((y) => Number(y < x)));
      }),
    );
  });
});

describe("contractions", () => {
  function naiveEinsum(operands: readonly Naive[], output: readonly string[]): Naive {
    const sizes = new Map(operands.flatMap(({ axes, shape }) => axes.map((axis, i) => [axis, shape[i] ?? 0] as const)));
    const summed = [...sizes.keys()].filter((axis) => !output.includes(axis));
    const inner = indices(
      summed,
      summed.map((axis) => sizes.get(axis) ?? 0),
    );
    const get = (at: Index): number =>
      inner.reduce(
        (sum, rest) => sum + operands.reduce((product, each) => product * read(each, { ...at, ...rest }), 1),
        0,
      );
    return { axes: output, shape: output.map((axis) => sizes.get(axis) ?? 0), get };
  }

  it("einsum equals naive loops for one, two and three operands and any output", () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 3 }).chain((count) => aligned(count)),
        fc.nat({ max: 15 }),
        fc.boolean(),
        (found, mask, isReversed) => {
          const all = [...new Set(found.flatMap(({ naive }) => naive.axes))];
          const chosen = all.filter((_, i) => ((mask >> i) & 1) === 1);
          const output = isReversed ? chosen.reverse() : chosen;
          const result = einsum(
            found.map(({ tensor }) => tensor),
            output,
          );
          const expected = naiveEinsum(
            found.map(({ naive }) => naive),
            output,
          );
          expect(result.axes).toEqual(output);
          const [got, want] = [values(result), flat(expected)];
          expect(got.length).toBe(want.length);
          got.forEach((x, i) => expect(Math.abs(x - (want[i] ?? Number.NaN))).toBeLessThanOrEqual(1e-9));
        },
      ),
      { numRuns: 300 },
    );
  });

  it("matmul keeps left axes, then the right's new ones, and batches over the shared", () => {
    fc.assert(
      fc.property(aligned(2), fc.nat(), (found, seed) => {
        const [left, right] = found as [Pair, Pair];
        const shared = left.naive.axes.filter((axis) => right.naive.axes.includes(axis));
        const axis = shared[seed % Math.max(1, shared.length)];
        if (axis === undefined) return;
        const result = left.tensor.matmul(right.tensor, axis);
        const fresh = right.naive.axes.filter((name) => !left.naive.axes.includes(name));
        const output = [...left.naive.axes.filter((name) => name !== axis), ...fresh];
        expect(result.axes).toEqual(output);
        const want = flat(naiveEinsum([left.naive, right.naive], output));
        values(result).forEach((x, i) => expect(Math.abs(x - (want[i] ?? Number.NaN))).toBeLessThanOrEqual(1e-9));
      }),
    );
  });

  it("carries NaN to every result that it takes part in, and to no other", () => {
    fc.assert(
      fc.property(aligned(2, { special: true }), (found) => {
        const [left, right] = found as [Pair, Pair];
        const shared = left.naive.axes.filter((axis) => right.naive.axes.includes(axis));
        const output = [...new Set([...left.naive.axes, ...right.naive.axes])].filter((axis) => axis !== shared[0]);
        const got = values(einsum([left.tensor, right.tensor], output));
        const want = flat(naiveEinsum([left.naive, right.naive], output));
        expect(got.map(Number.isNaN)).toEqual(want.map(Number.isNaN));
      }),
    );
  });
});
