/** Points: colours, labels, guides, one bitmap when they are thousands; what is said and what is refused. */
import { describe, expect, test } from "vitest";
import { type ScatterSpec, scatter, type View } from "../../../src/viz/index.js";
import { kindOf } from "../../../src/viz/registry.js";

function specOf(view: View): ScatterSpec {
  return view.spec as ScatterSpec;
}

function circles(view: View): readonly (readonly [x: number, y: number, fill: string])[] {
  const found = view.toSvg().matchAll(/<circle cx="([\d.]+)" cy="([\d.]+)" fill="(#\w+)"/g);
  return [...found].map(([, x, y, fill = ""]) => [Number(x), Number(y), fill]);
}

const many = Array.from({ length: 5000 }, (_, i) => Math.sin(i * i));

describe("pictures", () => {
  test("a point is a circle, those without a place are left out", () => {
    const drawn = circles(scatter([1, 2, Number.NaN, 3], [1, 2, 3, Number.POSITIVE_INFINITY]));
    expect(drawn.length).toBe(2);
    const [[x1, y1] = [0, 0], [x2, y2] = [0, 0]] = drawn;
    expect(x2).toBeGreaterThan(x1);
    expect(y2).toBeLessThan(y1);
  });
  test("groups have a colour each, in the order of their first point, and a legend", () => {
    const view = scatter([1, 2, 3], [1, 2, 3], { groups: ["b", "a", "b"] });
    const [first, second, third] = circles(view).map(([, , fill]) => fill);
    expect(first).toBe(third);
    expect(first).not.toBe(second);
    expect(specOf(view).groups).toEqual(["b", "a"]);
    expect(view.toSvg()).toMatch(/>b<\/text>.*>a<\/text>/);
  });
  test("values colour points along a scale with a bar", () => {
    const view = scatter([1, 2, 3], [1, 2, 3], { values: [-1, 0, 2], unit: "layer" });
    expect(new Set(circles(view).map(([, , fill]) => fill)).size).toBe(3);
    expect(specOf(view).color).toEqual({ kind: "diverging", min: -2, max: 2 });
    expect(view.toSvg()).toContain(">layer</text>");
  });
  test("a diagonal gives both axes one range", () => {
    const { x, y } = specOf(scatter([0, 1], [5, 10], { diagonal: true }));
    expect([x.min, x.max]).toEqual([y.min, y.max]);
    expect(scatter([0, 1], [5, 10], { diagonal: true }).toSvg()).toContain('stroke-dasharray="4 3"');
  });
  test("a diagonal between a linear and a logarithmic axis is a curve", () => {
    const svg = scatter([1, 10], [1, 10], { diagonal: true, y: { log: true } }).toSvg();
    expect(/<path d="([^"]*)"/.exec(svg)?.[1]?.split("L").length).toBe(65);
  });
  test("zero lines are in sight", () => {
    const { x, y } = specOf(scatter([3, 4], [5, 6], { zero: true }));
    expect(Math.max(x.min, y.min)).toBeLessThan(0);
  });
  test("few labels are written where they fit, many are not", () => {
    expect(scatter([1, 2], [1, 2], { labels: ["L0H1", "L5H0"] }).toSvg()).toContain(">L0H1</text>");
    const places = Array.from({ length: 100 }, (_, i) => i);
    expect(scatter(places, places, { labels: places.map((i) => `p${i}`) }).toSvg()).not.toContain(">p5</text>");
    const crowded = scatter([1, 1, 1], [1, 1, 1], { labels: ["aaa", "bbb", "ccc"] }).toSvg();
    expect(["aaa", "bbb", "ccc"].filter((label) => crowded.includes(`>${label}<`)).length).toBeLessThan(3);
  });
  test("thousands of points are one bitmap", () => {
    const svg = scatter(many, many.toReversed()).toSvg();
    expect(svg).not.toContain("<circle");
    expect(svg.match(/<image /g)?.length).toBe(1);
    expect(svg.length).toBeLessThan(60_000);
  });
  test("a bitmap shows groups and values in their colours as well", () => {
    const groups = many.map((_, i) => (i % 2 === 0 ? "even" : "odd"));
    for (const options of [{ groups }, { values: many }]) {
      expect(scatter(many, many.toReversed(), { ...options, theme: "dark" }).toSvg()).toContain("<image ");
    }
  });
});

describe("words", () => {
  test("say the ends of both axes by label, and the correlation", () => {
    const view = scatter([1, 2, 4], [2, 4, 8], {
      title: "T",
      labels: ["a", "b", "c"],
      groups: ["g", "h", "g"],
      x: { name: "predicted" },
    });
    expect(view.toText()).toBe(
      [
        "T",
        "3 points",
        "  predicted from 1 (a) to 4 (c)",
        "  y from 2 (a) to 8 (c)",
        "  correlation 1",
        "  groups: g 2, h 1",
      ].join("\n"),
    );
    expect(view.summary()).toBe(
      "T: 3 points; predicted from 1 (a) to 4 (c); y from 2 (a) to 8 (c); correlation 1; groups: g 2, h 1.",
    );
  });
  test("the correlation is Pearson's, and missing for a constant", () => {
    // From numpy.corrcoef([1, 2, 3, 5], [2, 1, 4, 3]).
    expect(scatter([1, 2, 3, 5], [2, 1, 4, 3]).toText()).toContain("correlation 0.529");
    expect(scatter([1, 2], [3, 3]).toText()).not.toContain("correlation");
    expect(scatter([Number.NaN], [1]).toText()).toContain("1 points, 1 not finite");
  });
  test("the table has a row for each point with all that is known of it", () => {
    const { spec } = scatter([1, 2], [3, 4], {
      labels: [" a", "b"],
      labelKind: "tokens",
      groups: ["g", "h"],
      values: [5, 6],
    });
    expect(kindOf(spec).table(spec)).toEqual({
      columns: ["point", "x", "y", "group", "value"],
      rows: [
        ["·a", "1", "3", "g", "5"],
        ["b", "2", "4", "h", "6"],
      ],
    });
  });
});

describe("sizes", () => {
  test("20,000 points take at most 200 kB without browser code", () => {
    const x = Array.from({ length: 20_000 }, (_, i) => Math.sin(i * i));
    expect(scatter(x, x.toReversed()).toHtml({ runtime: false }).length).toBeLessThan(200_000);
  });
});

describe("bad data", () => {
  const cases: readonly (readonly [string, () => unknown, string])[] = [
    ["no points", () => scatter([], []), "viz.scatter: got no values; expected at least one value."],
    ["a y of another length", () => scatter([1], [1, 2]), "viz.scatter: y: got length 2; expected length 1."],
    [
      "labels that do not fit",
      () => scatter([1, 2], [1, 2], { labels: ["a"] }),
      "viz.scatter: labels: got length 1; expected length 2.",
    ],
    [
      "groups that do not fit",
      () => scatter([1, 2], [1, 2], { groups: ["a"] }),
      "viz.scatter: groups: got length 1; expected length 2.",
    ],
    [
      "values that do not fit",
      () => scatter([1, 2], [1, 2], { values: [1, 2, 3] }),
      "viz.scatter: values: got length 3; expected length 2.",
    ],
    [
      "a logarithmic axis without a value above 0",
      () => scatter([-1], [1], { x: { log: true } }),
      "viz.scatter: x: got log: true, and no finite value above 0; expected a value above 0.",
    ],
  ];
  for (const [what, action, message] of cases) {
    test(`${what} is refused with a message that says where`, () => {
      expect(action).toThrow(message);
    });
  }
});
