import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  countRatio,
  type Dim,
  dimAdd,
  dimDivide,
  dimEquals,
  dimMul,
  dimProduct,
  dimSub,
  evalDim,
  normalizeDim,
  sameCount,
} from "../../src/graph/index.js";

const symbol = fc.constantFrom("batch", "pos", "past", "head");
const atom: fc.Arbitrary<Dim> = fc.oneof(fc.integer({ min: -4, max: 9 }), symbol);
const dim: fc.Arbitrary<Dim> = fc
  .array(fc.tuple(fc.constantFrom(dimAdd, dimMul, dimSub), atom), { maxLength: 5 })
  .map((steps) => steps.reduce<Dim>((sum, [combine, next]) => combine(sum, next), "pos"));
const bindings = fc.record({
  batch: fc.integer({ min: 0, max: 5 }),
  pos: fc.integer({ min: 0, max: 7 }),
  past: fc.integer({ min: 0, max: 11 }),
  head: fc.integer({ min: 0, max: 13 }),
});

describe("size algebra", () => {
  it("commutes with evaluation", () => {
    fc.assert(
      fc.property(dim, dim, bindings, (a, b, values) => {
        const [x, y] = [evalDim(a, values), evalDim(b, values)];
        expect(evalDim(dimAdd(a, b), values)).toBe(x + y);
        expect(evalDim(dimSub(a, b), values)).toBe(x - y);
        expect(evalDim(dimMul(a, b), values) + 0).toBe(x * y + 0);
      }),
    );
  });

  it("is canonical: equal sizes are equal texts, and text reads back as itself", () => {
    fc.assert(
      fc.property(dim, dim, (a, b) => {
        expect(normalizeDim(a)).toBe(a);
        expect(dimAdd(a, b)).toBe(dimAdd(b, a));
        expect(dimMul(a, b)).toBe(dimMul(b, a));
        expect(dimSub(dimAdd(a, b), b)).toBe(a);
        expect(dimEquals(a, b)).toBe(dimSub(a, b) === 0);
      }),
    );
  });

  it("divides what it multiplied", () => {
    fc.assert(
      fc.property(dim, atom, (a, b) => {
        fc.pre(b !== 0);
        expect(dimDivide(dimMul(a, b), b)).toBe(a);
      }),
    );
  });

  it("counts the elements of shapes as their products do", () => {
    const shape = fc.array(dim, { maxLength: 4 });
    fc.assert(
      fc.property(shape, shape, shape, (shared, a, b) => {
        const [left, right] = [
          [...shared, ...a],
          [...b, ...shared.toReversed()],
        ];
        expect(sameCount(left, right)).toBe(dimEquals(dimProduct(left), dimProduct(right)));
        expect(sameCount(left, [...a, ...shared])).toBe(true);
        const divided = dimDivide(dimProduct(left), dimProduct(right));
        if (divided !== undefined) expect(countRatio(left, right)).toBe(divided);
      }),
    );
  });
});
