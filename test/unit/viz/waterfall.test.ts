/** Bars that stand on each other: a waterfall. */
import { describe, expect, it } from "vitest";
import { bars, toStaticSvg, type View } from "../../../src/viz/index.js";

const values = [2, -3, 0.5, 4];
const options = { axis: { labels: ["a", "b", "c", "d"] }, unit: "logits", running: "total" } as const;

/** Left and right edges of the drawn bars, from top to bottom. */
function edges(view: View): readonly (readonly [number, number])[] {
  const svg = toStaticSvg(view.spec);
  const rects = [...svg.matchAll(/<rect [^>]*>/g)].map(([tag]) => {
    const number = (name: string): number => Number(new RegExp(`\\b${name}="([-\\d.]+)"`).exec(tag)?.[1] ?? Number.NaN);
    return { left: number("x"), width: number("width"), height: number("height") };
  });
  return rects.filter(({ height }) => height === 14).map(({ left, width }) => [left, left + width] as const);
}

describe("a waterfall", () => {
  it("begins each bar where the one before ended, and ends with the sum from 0", () => {
    const found = edges(bars(values, options));
    expect(found).toHaveLength(5);
    const [first] = found;
    const zero = first?.[0] ?? Number.NaN;
    const perUnit = ((first?.[1] ?? Number.NaN) - zero) / 2;
    const expected = [
      [0, 2],
      [-1, 2],
      [-1, -0.5],
      [-0.5, 3.5],
      [0, 3.5],
    ];
    for (const [i, pair] of expected.entries())
      for (const [side, value] of pair.entries())
        expect(((found[i]?.[side] ?? Number.NaN) - zero) / perUnit).toBeCloseTo(value, 1);
  });

  it("says the sum in its text and table, and keeps the order given", () => {
    const { spec } = bars(values, { ...options, order: "size" });
    if (spec.view !== "bars") throw new Error(spec.view);
    expect(spec.axis.labels).toEqual(["a", "b", "c", "d", "total"]);
    expect(spec.values.at(-1)).toBe(3.5);
    expect(spec.order).toBe("given");
    expect(String(bars(values, options))).toContain("total");
  });

  it("is not what plain bars are", () => {
    const plain = bars(values, { axis: { labels: ["a", "b", "c", "d"] } });
    expect(edges(plain)).toHaveLength(4);
    expect(plain.spec).not.toHaveProperty("running");
  });
});
