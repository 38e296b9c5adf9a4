/** Copies of windows and of chosen elements against loops over every index. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { copyChosen, copyWindow, windowSizes } from "../../src/analysis/patching/copy.js";

const shapes = fc.constantFrom(
  ["pos", "dModel"],
  ["pos", "head", "dHead"],
  ["head", "queryPos", "keyPos"],
  ["pos", "dMlp"],
);
const isPosition = (axis: string): boolean => axis === "pos" || axis === "queryPos";

/** A shape with a window, chosen indices of some axes, and two arrays that tell every element apart. */
const cases = shapes.chain((axes) =>
  fc
    .tuple(fc.array(fc.integer({ min: 1, max: 5 }), { minLength: axes.length, maxLength: axes.length }))
    .chain(([sizes]) => {
      const pos = sizes[axes.findIndex(isPosition)] ?? 1;
      return fc.integer({ min: 0, max: pos - 1 }).chain((from) =>
        fc
          .tuple(
            ...axes.map((axis, i) => {
              const all = Array.from({ length: sizes[i] ?? 1 }, (_, k) => k).filter(
                (k) => !isPosition(axis) || k >= from,
              );
              return fc.option(fc.subarray(all, { minLength: 1 }), { nil: undefined });
            }),
          )
          .map((chosen) => ({ shape: { axes, sizes, from }, chosen: chosen as (number[] | undefined)[] })),
      );
    }),
);

/** The index of each axis of an element. */
function indexOf(flat: number, sizes: readonly number[]): number[] {
  const index: number[] = [];
  for (const size of [...sizes].reverse()) {
    index.unshift(flat % size);
    flat = Math.floor(flat / size);
  }
  return index;
}

function flatOf(index: readonly number[], sizes: readonly number[]): number {
  return index.reduce((flat, k, i) => flat * (sizes[i] ?? 1) + k, 0);
}

describe("copies of a patch", () => {
  it("take the window of one prompt, and the chosen elements of another", () => {
    fc.assert(
      fc.property(cases, ({ shape, chosen }) => {
        const size = shape.sizes.reduce((a, b) => a * b, 1);
        const own = Float64Array.from({ length: 3 * size }, (_, i) => i);
        const other = Float64Array.from({ length: 3 * size }, (_, i) => 10_000 + i);
        const sizes = windowSizes(shape);
        const length = sizes.reduce((a, b) => a * b, 1);
        const out = new Float64Array(2 * length).fill(-1);
        copyWindow(shape, { data: own, offset: size }, { data: out, offset: length });
        copyChosen(shape, chosen, { data: other, offset: 2 * size }, { data: out, offset: length });
        for (let flat = 0; flat < length; flat++) {
          const index = indexOf(flat, sizes).map((k, i) => (isPosition(shape.axes[i] ?? "") ? k + shape.from : k));
          const isChosen = index.every((k, i) => chosen[i]?.includes(k) ?? true);
          const place = flatOf(index, shape.sizes);
          expect(out[length + flat]).toBe(isChosen ? other[2 * size + place] : own[size + place]);
        }
        expect([...out.subarray(0, length)].every((value) => value === -1)).toBe(true);
      }),
    );
  });
});
