/** Histograms: how bins are chosen and filled, what is said and what is refused. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { chooseBins, tally } from "../../../src/viz/bins.js";
import { type HistogramSpec, histogram, type View } from "../../../src/viz/index.js";
import { kindOf } from "../../../src/viz/registry.js";
import { binText, heightAt } from "../../../src/viz/views/histogram.js";

function specOf(view: View): HistogramSpec {
  return view.spec as HistogramSpec;
}

const waves = Array.from({ length: 1000 }, (_, i) => Math.sin(i) + Math.sin(1.7 * i));

describe("bins", () => {
  test("have round widths that cover all values", () => {
    const { edges, rule } = chooseBins("x", [waves], {});
    expect(edges[0]).toBeLessThanOrEqual(Math.min(...waves));
    expect(edges.at(-1)).toBeGreaterThanOrEqual(Math.max(...waves));
    expect(rule).toBe("width 0.2, by the rules of Freedman–Diaconis and Sturges");
    // Multiples of a tenth that are exactly what one writes.
    expect(edges).toContain(0.6);
  });
  test("follow the wish for a count", () => {
    const counts = [5, 50, 400].map((bins) => chooseBins("x", [waves], { bins }).edges.length - 1);
    expect(counts.map((count, i) => count / ([5, 50, 400][i] ?? 1)).every((ratio) => ratio > 0.5 && ratio < 2)).toBe(
      true,
    );
  });
  test("whole numbers stand in the middle of bins, one each while they are few", () => {
    expect(chooseBins("x", [[3, 1, 4, 1]], {}).edges).toEqual([0.5, 1.5, 2.5, 3.5, 4.5]);
    expect(chooseBins("x", [[7]], {}).edges).toEqual([6.5, 7.5]);
    const many = chooseBins("x", [Array.from({ length: 1000 }, (_, i) => i)], {}).edges;
    expect(many[0]).toBe(-0.5);
    expect((many[1] ?? 0) - (many[0] ?? 0)).toBeGreaterThan(1);
  });
  test("a single other number, or none that is finite, has a bin as well", () => {
    expect(histogram([0.3, 0.3]).toText()).toContain("2 values");
    const empty = histogram([Number.NaN]);
    expect(empty.toText()).toContain("0 values");
    expect(empty.toText()).toContain("1 not finite");
    expect(empty.toSvg()).toContain("</svg>");
  });
  test("no rule makes more than some 400 of them, whatever outliers there are", () => {
    const { edges } = chooseBins("x", [[...waves, 1e6]], {});
    expect(edges.length).toBeLessThan(450);
  });
  test("every finite value is in one bin or outside, as a search through all bins finds it", () => {
    const numbers = fc.array(fc.oneof(fc.double({ min: -50, max: 50 }), fc.integer({ min: -5, max: 5 })), {
      minLength: 1,
    });
    fc.assert(
      fc.property(numbers, fc.option(fc.integer({ min: 1, max: 60 }), { nil: undefined }), (values, bins) => {
        const { edges } = chooseBins("x", [values], bins === undefined ? {} : { bins });
        const { counts, below, above, missing } = tally(values, edges);
        const expected = counts.map((_, bin) => {
          const [low = 0, high = 0] = [edges[bin], edges[bin + 1]];
          const isLast = bin === counts.length - 1;
          return values.filter((value) => value >= low && (value < high || (isLast && value === high))).length;
        });
        expect(counts).toEqual(expected);
        expect([below, above]).toEqual([0, 0]);
        expect(counts.reduce((sum, count) => sum + count, 0) + missing).toBe(values.length);
      }),
      { numRuns: 60 },
    );
  });
  test("a range leaves values outside, and says how many", () => {
    const view = histogram([-5, 0.1, 0.2, 0.9, 7, 8], { range: [0, 1] });
    expect(specOf(view).series[0]).toMatchObject({ below: 1, above: 2 });
    expect(view.toText()).toContain("6 values; mean 1.87");
    expect(view.toText()).toContain("1 below and 2 above the bins");
  });
});

describe("heights", () => {
  const counts = { counts: [1, 3, 0], edges: [0, 1, 3, 4] };
  const height = (measure: "count" | "density" | "share"): readonly number[] => {
    const spec = specOf(histogram(counts, { measure }));
    return [0, 1, 2].map((bin) =>
      heightAt(spec, spec.series[0] ?? { name: "", counts: [], below: 0, above: 0, missing: 0 }, bin),
    );
  };
  test("are counts, shares, or densities whose areas sum to 1", () => {
    expect(height("count")).toEqual([1, 3, 0]);
    expect(height("share")).toEqual([0.25, 0.75, 0]);
    expect(height("density")).toEqual([0.25, 0.375, 0]);
  });
  test("on a logarithmic axis a count of 1 still stands above the foot, and empty bins are empty", () => {
    const view = histogram({ counts: [1000, 1, 0], edges: [0, 1, 2, 3] }, { log: true });
    const heights = [...view.toSvg().matchAll(/<rect [^>]*height="([\d.]+)" fill="#0068b5"/g)].map(([, h]) =>
      Number(h),
    );
    expect(heights.length).toBe(2);
    expect(heights[1]).toBeGreaterThan(10);
  });
  test("nothing to count is drawn as an empty axis, logarithmic or not", () => {
    expect(histogram({ counts: [0, 0], edges: [0, 1, 2] }, { log: true }).toSvg()).toContain("</svg>");
  });
});

describe("words", () => {
  test("say mean, deviation and the fullest bin of each series", () => {
    const view = histogram({ a: [1, 1, 2, 4], b: [2, 2] }, { name: "rank" });
    expect(view.toText()).toBe(
      [
        "histogram of rank, 4 bins from 0.5 to 4.5 (width 1)",
        "  a: 4 values; mean 2, standard deviation 1.22; most in 1: 2 (50 %)",
        "  b: 2 values; mean 2, standard deviation 0; most in 2: 2 (100 %)",
      ].join("\n"),
    );
  });
  test("name a bin by its number when it holds one whole number, unless the bins were given", () => {
    expect(binText(specOf(histogram([1, 2])), 0)).toBe("1");
    expect(binText(specOf(histogram([0.6, 1.2], { bins: [0.5, 1.5] })), 0)).toBe("0.5 to 1.5");
  });
  test("markers are drawn, said, and always in sight", () => {
    const view = histogram([0.1, 0.5], { markers: [{ value: 9, label: "measured" }, { value: -2 }] });
    expect(view.toSvg()).toContain(">measured</text>");
    expect(view.toText()).toMatch(/ {2}measured: 9\n {2}marker: −2$/);
    const { x } = specOf(view);
    expect([x.min, x.max]).toEqual([-2, 9]);
  });
  test("the table has a row for each bin", () => {
    const { spec } = histogram({ a: { counts: [1, 2], edges: [0, 1, 2] }, b: { counts: [3, 4], edges: [0, 1, 2] } });
    expect(kindOf(spec).table(spec)).toEqual({
      columns: ["from", "to", "a", "b"],
      rows: [
        ["0", "1", "1", "3"],
        ["1", "2", "2", "4"],
      ],
    });
  });
});

describe("sizes", () => {
  test("a million values take as little as their bins", () => {
    const million = Float32Array.from({ length: 1_000_000 }, (_, i) => Math.sin(i * i));
    expect(histogram(million).toHtml({ runtime: false }).length).toBeLessThan(30_000);
  });
});

describe("bad data", () => {
  const cases: readonly (readonly [string, () => unknown, string])[] = [
    ["no values", () => histogram([]), "viz.histogram: got no values; expected at least one value."],
    ["no series", () => histogram({}), "viz.histogram: got no values; expected at least one value."],
    [
      "counts that do not fit the edges",
      () => histogram({ counts: [1, 2], edges: [0, 1] }),
      "viz.histogram: counts: got length 2; expected length 1.",
    ],
    [
      "negative counts",
      () => histogram({ a: { counts: [-1], edges: [0, 1] } }),
      "viz.histogram: a.counts: got -1 at 0; expected finite counts of at least 0. Give how many values each bin holds.",
    ],
    [
      "edges that do not ascend",
      () => histogram({ counts: [1, 1], edges: [0, 1, 1] }),
      "viz.histogram: edges: got 1 at 2; expected two or more finite edges in ascending order. Give the left edge",
    ],
    [
      "a single edge",
      () => histogram([1], { bins: [0] }),
      "viz.histogram: bins: got 1 edges; expected two or more finite edges in ascending order.",
    ],
    [
      "different edges",
      () => histogram({ a: { counts: [1], edges: [0, 1] }, b: { counts: [1], edges: [0, 2] } }),
      "viz.histogram: edges: got 2 at 1; expected 1, as in the first series. Count all series over the same bins.",
    ],
    [
      "an impossible count of bins",
      () => histogram([1], { bins: 0 }),
      "viz.histogram: bins: got 0; expected a whole number from 1 to 10000. Leave bins out to let a rule choose.",
    ],
    [
      "a range upside down",
      () => histogram([1], { range: [1, 0] }),
      "viz.histogram: range: got [1, 0]; expected two finite numbers, the lower first.",
    ],
  ];
  for (const [what, action, message] of cases) {
    test(`${what} is refused with a message that says where`, () => {
      expect(action).toThrow(message);
    });
  }
});
