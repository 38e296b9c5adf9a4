/** Lines: data in all their forms, axes, gaps, what is said and what is refused. */
import { describe, expect, test } from "vitest";
import { type LinesSpec, lines, type View } from "../../../src/viz/index.js";
import { bandPath, linePath, lonely, thin } from "../../../src/viz/paths.js";
import { axisScale, numberAxis } from "../../../src/viz/plane.js";
import { kindOf } from "../../../src/viz/registry.js";
import { allPositions, positionAt } from "../../../src/viz/views/lines.js";

function specOf(view: View): LinesSpec {
  return view.spec as LinesSpec;
}

/** The path data of the lines of a picture. */
function paths(view: View): readonly string[] {
  return [...view.toSvg().matchAll(/<path d="([^"]*)" fill="none"/g)].map(([, d = ""]) => d);
}

describe("data", () => {
  test("a list, a record and a list of series say the same", () => {
    const [one] = specOf(lines([1, 2])).series;
    expect(one).toEqual({ name: "", y: [1, 2], mark: "both" });
    expect(specOf(lines({ a: [1, 2] })).series).toEqual(specOf(lines([{ name: "a", y: [1, 2] }])).series);
    expect(specOf(lines(Float32Array.of(1, 2))).series[0]).toEqual(one);
  });
  test("series of a list without names are numbered", () => {
    expect(specOf(lines([{ y: [1] }, { y: [2] }])).series.map(({ name }) => name)).toEqual(["1", "2"]);
    expect(specOf(lines([{ y: [1] }])).series.map(({ name }) => name)).toEqual([""]);
  });
  test("evenly spaced positions are kept as start and step, exactly", () => {
    const values = Array.from({ length: 5000 }, (_, i) => 100 + 250 * i);
    const spec = specOf(lines({ loss: values.map((x) => 1 / x) }, { x: { values } }));
    expect(spec.positions).toEqual({ start: 100, step: 250 });
    expect(spec.series[0] && positionAt(spec, spec.series[0], 4999)).toBe(values[4999]);
    expect(specOf(lines([1, 2, 3], { x: { values: [1, 2, 4] } })).positions).toEqual([1, 2, 4]);
  });
  test("the positions of all series are each named once, in order", () => {
    const spec = specOf(
      lines([
        { name: "a", x: [3, 1, Number.NaN], y: [1, 2, 3] },
        { name: "b", x: [2, 3], y: [4, 5] },
      ]),
    );
    expect(allPositions(spec)).toEqual([1, 2, 3]);
  });
  test("also when a later series is longer", () => {
    const spec = specOf(lines([{ y: [1] }, { x: [7, 8, 9], y: [1, 2, 3] }, { y: [1, 2, 3] }]));
    expect(allPositions(spec)).toEqual([0, 1, 2, 7, 8, 9]);
  });
  test("data do not change with the caller's list", () => {
    const list = [1, 2];
    const view = lines(list);
    list[0] = 9;
    expect(specOf(view).series[0]?.y).toEqual([1, 2]);
  });
});

describe("pictures", () => {
  test("a NaN interrupts the line, and a point between gaps becomes a dot", () => {
    const view = lines([{ y: [1, 2, Number.NaN, 3, Number.NaN, 4, 5], mark: "line" }]);
    const [d = ""] = paths(view);
    expect(d.match(/M/g)?.length).toBe(3);
    expect(view.toSvg().match(/<circle/g)?.length).toBe(1);
  });
  test("a band is one shape around its ends, and one more after a gap", () => {
    const view = lines([{ y: [1, 2, 3], low: [0, 1, 2], high: [2, 3, 4] }]);
    expect(view.toSvg().match(/fill-opacity="0.2"/g)?.length).toBe(1);
    expect(
      bandPath([
        [0, 1, 2],
        [1, 1, 2],
        [2, Number.NaN, 2],
        [3, 1, 2],
      ]),
    ).toBe("M0,1L1,1L1,2L0,2ZM3,1L3,2Z");
  });
  test("values outside a narrower range are left out", () => {
    const [d = ""] = paths(lines([{ y: [0, 5, 1], mark: "line" }], { y: { range: [0, 2] } }));
    expect(d.match(/M/g)?.length).toBe(2);
  });
  test("on a logarithmic axis factors are distances, and values not above 0 are gaps", () => {
    const view = lines([{ y: [1, 10, 100, 0, 1000], mark: "line" }], { y: { log: true } });
    const points = [...(paths(view)[0] ?? "").matchAll(/[ML]([\d.]+),([\d.]+)/g)].map(([, , y]) => Number(y));
    expect(points.length).toBe(4);
    const [first = 0, second = 0, third = 0] = points;
    expect(first - second).toBeCloseTo(second - third, 0);
    expect(view.toText()).toContain("1 not above 0");
  });
  test("labels stand in place of positions", () => {
    const svg = lines([1, 2, 3], { x: { labels: [" a", "b", "c"], kind: "tokens" } }).toSvg();
    expect(svg).toContain(">·a</text>");
  });
  test("ordered series go from light to dark", () => {
    const svg = lines({ a: [1], b: [2], c: [3] }, { colors: "ordered" }).toSvg();
    const swatches = [...svg.matchAll(/stroke="(#\w+)" stroke-width="2.5"/g)].map(([, color]) => color);
    expect(new Set(swatches).size).toBe(3);
  });
  test("more than seven series differ by dashes, and a long legend is cut", () => {
    const svg = lines(Object.fromEntries(Array.from({ length: 40 }, (_, i) => [`s${i}`, [i]]))).toSvg();
    expect(svg).toContain('stroke-dasharray="6 3"');
    expect(svg).toContain(">and 17 more</text>");
  });
  test("a hundred thousand points are drawn as few that look the same", () => {
    const y = Array.from({ length: 100_000 }, (_, i) => Math.sin(i / 700) + (i === 50_000 ? 5 : 0));
    const view = lines(y);
    expect(view.toSvg().length).toBeLessThan(60_000);
    const top = Math.min(...[...(paths(view)[0] ?? "").matchAll(/,([\d.]+)/g)].map(([, v]) => Number(v)));
    expect(top).toBeLessThan(60);
  });
});

describe("paths", () => {
  test("start anew after each gap", () => {
    expect(
      linePath([
        [0, 1],
        [1, 2.04],
        [2, Number.NaN],
        [3, 4],
      ]),
    ).toBe("M0,1L1,2M3,4");
  });
  test("thinning keeps the extremes of each pixel column, and gaps", () => {
    const points = Array.from({ length: 100 }, (_, i) => [i / 50, i % 7] as const);
    const kept = thin([...points.slice(0, 60), [Number.NaN, 0], ...points.slice(60)], 50);
    expect(kept.length).toBeLessThan(16);
    expect(kept.some(([x]) => Number.isNaN(x))).toBe(true);
    for (const column of [0, 1]) {
      const ys = kept.filter(([x]) => Math.floor(x) === column).map(([, y]) => y);
      expect([Math.min(...ys), Math.max(...ys)]).toEqual([0, 6]);
    }
    expect(thin(points, 100)).toBe(points);
  });
  test("lonely points have gaps on both sides", () => {
    const gap = [Number.NaN, 0] as const;
    expect(lonely([[0, 0], gap, [2, 0], [3, 0], gap, [5, 0]])).toEqual([
      [0, 0],
      [5, 0],
    ]);
  });
});

describe("axes", () => {
  const labels = (min: number, max: number, kind: "linear" | "log" = "linear"): readonly string[] =>
    axisScale({ name: "", kind, min, max }, [0, 400], 5)
      .ticks.map(({ label }) => label)
      .filter((label) => label !== "");
  test("ticks are round and written with as many decimals as their step needs", () => {
    expect(labels(0, 1)).toEqual(["0", "0.2", "0.4", "0.6", "0.8", "1.0"]);
    expect(labels(-3, 2)).toEqual(["−3", "−2", "−1", "0", "1", "2"]);
    expect(labels(0, 100_000)).toEqual(["0", "20k", "40k", "60k", "80k", "100k"]);
    expect(labels(1990, 2020)).toEqual(["1990", "1995", "2000", "2005", "2010", "2015", "2020"]);
    expect(labels(0, 2.5e6)).toEqual(["0", "0.5M", "1.0M", "1.5M", "2.0M", "2.5M"]);
    expect(labels(0, 4e-6)).toEqual(["0", "1.0e−6", "2.0e−6", "3.0e−6", "4.0e−6"]);
  });
  test("powers of ten are named on logarithmic axes, and more when there is room", () => {
    expect(labels(1, 1000, "log")).toEqual(["1", "10", "100", "1000"]);
    expect(labels(1, 30, "log")).toEqual(["1", "2", "5", "10", "20"]);
    expect(labels(1e-12, 1, "log")).toEqual(["1.0e−12", "1.0e−9", "1.0e−6", "0.001", "1"]);
    expect(labels(2, 3, "log")).toEqual(
      ["2.0", "2.2", "2.4", "2.6", "2.8", "3.0"].map((text) => text.replace(".0", "")),
    );
  });
  test("a single value gets room, and no finite value an axis all the same", () => {
    const axis = (values: readonly number[], log = false): readonly number[] => {
      const { min, max } = numberAxis("x", values, { defaultName: "", ends: "nice", log });
      return [min, max];
    };
    expect(axis([4])).toEqual([2, 6]);
    expect(axis([0])).toEqual([-1, 1]);
    expect(axis([8], true)).toEqual([4, 16]);
    expect(axis([Number.NaN])).toEqual([0, 1]);
  });
});

describe("words", () => {
  const view = lines(
    { a: [1, Number.NaN, 3], b: [5, 4, 0] },
    { x: { name: "layer" }, y: { name: "nats" }, title: "T" },
  );
  test("say the ends and extremes of each line", () => {
    expect(view.toText()).toBe(
      [
        "T",
        "2 lines over layer 0 to 2; nats 0 to 5, 1 not finite",
        "  a: from 1 to 3; lowest 1 at layer 0, highest 3 at layer 2, 1 not finite",
        "  b: from 5 to 0; lowest 0 at layer 2, highest 5 at layer 0",
      ].join("\n"),
    );
    expect(view.summary()).toMatch(/^T: 2 lines over layer 0 to 2; .*highest 5 at layer 0\.$/);
  });
  test("nothing finite is said, not drawn", () => {
    const empty = lines([Number.NaN, Number.NaN]);
    expect(empty.toText()).toContain("no finite value");
    expect(empty.toSvg()).toContain("</svg>");
  });
  test("the table has a row for each position, with empty places where a series has no point", () => {
    const table = kindOf(view.spec).table(
      lines([
        { name: "a", x: [1, 2], y: [10, 20], low: [9, 19], high: [11, 21] },
        { name: "b", x: [2, 3], y: [5, 6] },
      ]).spec,
    );
    expect(table).toEqual({
      columns: ["x", "a", "a low", "a high", "b"],
      rows: [
        ["1", "10", "9", "11", ""],
        ["2", "20", "19", "21", "5"],
        ["3", "", "", "", "6"],
      ],
    });
  });
});

describe("sizes", () => {
  const many = Array.from({ length: 20_000 }, (_, i) => Math.exp(-i / 1000));
  test("20,000 points take at most 120 kB without browser code", () => {
    expect(lines(many).toHtml({ runtime: false }).length).toBeLessThan(120_000);
  });
  test("on a logarithmic axis many small numbers keep six digits", () => {
    const spec = specOf(lines(many, { y: { log: true } }));
    expect(spec.exact).toBe(true);
    expect(Number(spec.series[0]?.y[19_999])).toBeCloseTo(Number((many[19_999] ?? 0).toPrecision(6)), 20);
    expect(specOf(lines(many)).exact).toBeUndefined();
  });
});

describe("bad data", () => {
  const cases: readonly (readonly [string, () => unknown, string])[] = [
    ["no values", () => lines([]), "viz.lines: got no values; expected at least one value."],
    ["only empty series", () => lines({ a: [] }), "viz.lines: got no values; expected at least one value."],
    [
      "an x of another length",
      () => lines([{ name: "a", x: [1], y: [1, 2] }]),
      'viz.lines: series "a", x: got length 1; expected length 2.',
    ],
    [
      "positions of another length",
      () => lines({ a: [1, 2] }, { x: { values: [1, 2, 3] } }),
      'viz.lines: series "a", y, as long as x.values: got length 2; expected length 3.',
    ],
    [
      "a band with one end",
      () => lines([{ y: [1, 2], low: [0, 1] }]),
      "viz.lines: high: got length 0; expected length 2.",
    ],
    [
      "labels that do not fit",
      () => lines([1, 2], { x: { labels: ["a"] } }),
      "viz.lines: x.labels: got length 1; expected length 2.",
    ],
    [
      "a logarithmic axis without a value above 0",
      () => lines([-1, 0], { y: { log: true } }),
      "viz.lines: y: got log: true, and no finite value above 0; expected a value above 0. Use a linear axis.",
    ],
    [
      "a range upside down",
      () => lines([1], { y: { range: [2, 1] } }),
      "viz.lines: y: range: got [2, 1]; expected two finite numbers, the lower first. Leave range out",
    ],
    [
      "a logarithmic range from 0",
      () => lines([1], { y: { range: [0, 1], log: true } }),
      "viz.lines: y: range: got [0, 1]; expected two finite numbers above 0, the lower first.",
    ],
  ];
  for (const [what, action, message] of cases) {
    test(`${what} is refused with a message that says where`, () => {
      expect(action).toThrow(message);
    });
  }
});
