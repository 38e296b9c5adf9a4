/** Figures of plotly.js: what is taken and refused, the pictures that stand for them, and our views as figures. */
import { readFileSync } from "node:fs";
import { gunzipSync } from "node:zlib";
import { describe, expect, test } from "vitest";
import {
  bars,
  heatmap,
  histogram,
  lines,
  type PlotlyFigure,
  type PlotlySpec,
  panels,
  plotly,
  scatter,
  table,
  tokens,
  type View,
} from "../../../src/viz/index.js";
import { fallbackOf } from "../../../src/viz/plotly/fallback.js";
import { listOf, type PlotlyJson } from "../../../src/viz/plotly/figure.js";
import { plainText, plotlyText } from "../../../src/viz/plotly/words.js";
import { kindOf, type ViewSpec } from "../../../src/viz/registry.js";

function figureOf(view: View): PlotlyJson {
  return (view.spec as PlotlySpec).figure;
}

/** The views that stand for a figure of one or more traces. */
function standIns(...data: readonly object[]): readonly ViewSpec[] {
  return fallbackOf(figureOf(plotly({ data }))).specs;
}

const quiet = { runtime: false, onWarning: () => undefined } as const;

describe("figures", () => {
  test("are taken as objects or as JSON, and given back by toPlotly()", () => {
    const figure = { data: [{ type: "bar", x: ["a"], y: [1] }], layout: { title: { text: "T" } } };
    const expected = { ...figure, config: {}, frames: [] };
    expect(plotly(figure).toPlotly()).toEqual(expected);
    expect(plotly(JSON.stringify(figure)).toPlotly()).toEqual(expected);
  });
  test("may hold typed arrays, tensors, dates, NaN and what is undefined", () => {
    const tensor = { toArray: () => [[1, 2]] };
    const trace = { x: Float32Array.of(1, Number.NaN), y: [new Date(0), undefined], z: tensor, n: 3n, name: undefined };
    expect(figureOf(plotly({ data: [trace] })).data).toEqual([
      { x: [1, null], y: ["1970-01-01T00:00:00.000Z", null], z: [[1, 2]], n: 3 },
    ]);
  });
  test("long lists of numbers become typed arrays of plotly.js without loss", () => {
    const exact = Array.from({ length: 1500 }, (_, i) => i / 3);
    const single = exact.map(Math.fround);
    const grid = Array.from({ length: 40 }, (_, i) =>
      Array.from({ length: 50 }, (_unused, j) => (i === j ? Number.NaN : i / 7)),
    );
    const [trace = {}] = figureOf(
      plotly({ data: [{ type: "heatmap", x: exact, y: single, z: grid, text: ["a"] }] }),
    ).data;
    expect(trace).toMatchObject({
      x: { dtype: "f8" },
      y: { dtype: "f4" },
      z: { dtype: "f8", shape: "40, 50" },
      text: ["a"],
    });
    expect(listOf(trace["x"])).toEqual(exact);
    expect(listOf(trace["y"])).toEqual(single);
    expect(listOf(trace["z"])).toEqual(grid);
  });
  test("of plotly.py come with typed arrays under both kinds of names", () => {
    const bdata = Buffer.from(Int16Array.of(-1, 300).buffer).toString("base64");
    expect(listOf({ dtype: "i2", bdata })).toEqual([-1, 300]);
    expect(listOf({ dtype: "int16", bdata })).toEqual([-1, 300]);
    expect(listOf({ dtype: "complex", bdata })).toBeUndefined();
  });
  test("name themselves after their layout, without its markup", () => {
    const title = (layout: object, options = {}): string => plotly({ data: [{ y: [1] }], layout }, options).spec.title;
    expect(title({ title: "<b>Loss</b> &amp; more" })).toBe("Loss & more");
    expect(title({ title: { text: "A<br>B" } })).toBe("A B");
    expect(title({ title: "A" }, { title: "Mine" })).toBe("Mine");
    expect(title({})).toBe("");
    const { note } = plotly(bars([1], { title: "T", note: "in <nats>" }).toPlotly()).spec;
    expect(note).toBe("in <nats>");
  });
  test("of usual traces need the small build, of others the large one", () => {
    const build = (...types: readonly string[]): string =>
      (plotly({ data: types.map((type) => ({ type })) }).spec as PlotlySpec).build;
    expect(build("scatter", "bar", "heatmap", "histogram")).toBe("common");
    expect(build("scatter", "pie")).toBe("all");
  });
});

describe("bad figures", () => {
  const cyclic: Record<string, unknown> = {};
  cyclic["self"] = cyclic;
  const cases: readonly (readonly [string, unknown, string])[] = [
    ["text that is no JSON", "{", "viz.plotly: figure: got text that is not JSON; expected JSON of a figure. Pass the"],
    ["a list", [], "viz.plotly: figure: got a list; expected an object with a list of traces, data. Pass { data:"],
    ["nothing", undefined, "viz.plotly: figure: got undefined; expected an object with a list of traces, data."],
    ["no traces", { data: [] }, "viz.plotly: data: got no traces; expected at least one trace. Check the selection"],
    ["a trace that is a number", { data: [1] }, "viz.plotly: data[0]: got a number; expected an object. See the"],
    ["a function", { data: [{ x: () => 1 }] }, "viz.plotly: data[0].x: got a function; expected what JSON can hold."],
    [
      "a cycle",
      { data: [{}], layout: cyclic },
      "got objects within each other without end; expected what JSON can hold. Figures are data; leave code and cycles out.",
    ],
    [
      "an unknown trace",
      { data: [{}, { type: "lines" }] },
      'viz.plotly: data[1].type: got "lines"; expected one of bar, barpolar, box, ',
    ],
    [
      "a map",
      { data: [{ type: "choropleth" }] },
      'viz.plotly: data[0].type: got "choropleth", a map, whose shapes come from the network; expected one of ',
    ],
    [
      "a picture by address",
      { data: [{}], layout: { images: [{ source: "https://example.org/x.png" }] } },
      'viz.plotly: layout.images[0].source: got "https://example.org/x.png"; expected a picture inside the figure, data:image/…. Views never ask the network; put the picture\'s bytes there.',
    ],
  ];
  for (const [what, figure, message] of cases) {
    test(`${what} is refused with a message that says where`, () => {
      expect(() => plotly(figure as PlotlyFigure)).toThrow(message);
    });
  }
});

describe("pictures that stand for figures", () => {
  test("lines and points of one plane become lines", () => {
    const [spec, ...more] = standIns({ y: [1, 4, 9] }, { mode: "markers", x: [0, 2], y: [1, null], name: "b" });
    expect(more).toEqual([]);
    expect(spec).toMatchObject({
      view: "lines",
      series: [
        { name: "trace 0", y: [1, 4, 9], mark: "both" },
        { name: "b", x: [0, 2], y: [1, "NaN"], mark: "points" },
      ],
    });
  });
  test("categories and dates become labels", () => {
    const [spec] = standIns({ x: ["2024-01-01", "2024-02-01"], y: [1, 2] });
    expect(spec).toMatchObject({ xLabels: { labels: ["2024-01-01", "2024-02-01"] }, series: [{ x: [0, 1] }] });
  });
  test("texts that are numbers are numbers, and a start and a step are positions", () => {
    expect(standIns({ x: ["1", "20"], y: [1, 2] })[0]).toMatchObject({ series: [{ x: [1, 20] }] });
    expect(standIns({ y: [1, 2, 3], x0: 10, dx: 5 })[0]).toMatchObject({ series: [{ x: { start: 10, step: 5 } }] });
  });
  test("points alone become points, with labels, groups and colours", () => {
    const one = { mode: "markers", x: [1, 2], y: [3, 4], text: ["a", "<b>b</b>"], marker: { color: [0, 1] } };
    expect(standIns(one)[0]).toMatchObject({ view: "scatter", labels: ["a", "b"], values: [0, 1] });
    expect(standIns({ ...one, name: "g" }, { ...one, name: "h" })[0]).toMatchObject({ groups: ["g", "h"], values: [] });
  });
  test("bars are bars, lying or standing, and many of them points", () => {
    expect(standIns({ type: "bar", x: ["a", "b"], y: [1, -2] })[0]).toMatchObject({
      view: "bars",
      values: [1, -2],
      axis: { labels: ["a", "b"] },
    });
    expect(standIns({ type: "bar", orientation: "h", y: ["a"], x: [5] })[0]).toMatchObject({ values: [5] });
    const many = Array.from({ length: 100 }, (_, i) => i);
    expect(standIns({ type: "bar", x: many, y: many })[0]).toMatchObject({
      view: "lines",
      series: [{ mark: "points" }],
    });
  });
  test("the first row of a heatmap is at the bottom, unless its axis is reversed", () => {
    const z = [
      [1, 2],
      [3, null],
    ];
    const data = [{ type: "heatmap", z, x: ["p", "q"], y: ["r", "s"], zmin: 0, zmax: 5 }];
    const upright = {
      values: [
        [3, "NaN"],
        [1, 2],
      ],
      x: { labels: ["p", "q"] },
      y: { labels: ["s", "r"] },
      color: { max: 5 },
    };
    expect(fallbackOf(figureOf(plotly({ data }))).specs[0]).toMatchObject(upright);
    for (const yaxis of [{ autorange: "reversed" }, { range: [1.5, -0.5] }]) {
      const [spec] = fallbackOf(figureOf(plotly({ data, layout: { yaxis } }))).specs;
      expect(spec).toMatchObject({
        values: [
          [1, 2],
          [3, "NaN"],
        ],
        y: { labels: ["r", "s"] },
      });
    }
    expect(standIns({ type: "heatmap", z: [[1, 2]], transpose: true })[0]).toMatchObject({ values: [[2], [1]] });
  });
  test("histograms follow their own bins and norm", () => {
    const xbins = { start: 0, end: 4, size: 2 };
    const [spec] = standIns(
      { type: "histogram", x: [1, 1, 3], xbins, histnorm: "probability", name: "a" },
      { type: "histogram", x: [3], name: "a" },
    );
    expect(spec).toMatchObject({
      view: "histogram",
      edges: [0, 2, 4],
      measure: "share",
      series: [
        { name: "a (0)", counts: [2, 1] },
        { name: "a (1)", counts: [0, 1] },
      ],
    });
    expect(standIns({ type: "histogram", y: ["k", "l", "k"] })[0]).toMatchObject({ view: "bars", values: [2, 1] });
    expect(standIns({ type: "histogram", x: [0.5, 1.5], nbinsx: 2 })[0]).toMatchObject({ edges: [0.5, 1, 1.5] });
  });
  test("each plane has its own, with the names and kinds of its axes", () => {
    const layout = { xaxis: { title: "n", type: "log" }, yaxis2: { title: { text: "loss" } } };
    const data = [
      { x: [1, 2], y: [1, 2] },
      { x: [1], y: [2], xaxis: "x2", yaxis: "y2" },
    ];
    const { specs } = fallbackOf(figureOf(plotly({ data, layout })));
    expect(specs).toMatchObject([{ x: { name: "n", kind: "log" } }, { y: { name: "loss" } }]);
  });
  test("hidden traces are left out, and what cannot be drawn is said", () => {
    expect(standIns({ y: [1], visible: "legendonly" })).toEqual([]);
    const view = plotly({ data: [{ type: "pie", name: "Shares", labels: ["a", "b"], values: [1, 2] }] });
    expect(view.toText()).toBe("figure of plotly.js, 1 trace (1 pie)\n  pie “Shares”: labels (2), values (2)");
    expect(view.toSvg()).toContain("plotly.js draws the whole figure where scripts run.");
    expect(plotly({ data: [{ type: "heatmap", z: [] }] }).toText()).toContain(
      "not drawn here: viz.heatmap: got no values",
    );
  });
  test("of many figures the first eight are drawn", () => {
    const data = Array.from({ length: 10 }, (_, i) => ({ type: "bar", x: ["a"], y: [i] }));
    expect(plotly({ data }).toText()).toContain("2 more pictures are not drawn here");
  });
  test("the table has a row for each point and each cell", () => {
    const { spec } = plotly({
      data: [
        { name: "a", x: [1, 2], y: [3, null] },
        { type: "heatmap", z: [[5, 6]], x: ["p", "q"] },
      ],
    });
    expect(kindOf(spec).table(spec)).toEqual({
      columns: ["trace", "x", "y", "z"],
      rows: [
        ["a", "1", "3", ""],
        ["a", "2", "", ""],
        ["1 (heatmap)", "p", "0", "5"],
        ["1 (heatmap)", "q", "0", "6"],
      ],
    });
  });
});

describe("texts", () => {
  test("of plotly.js lose their tags and entities", () => {
    expect(plainText('<b>a</b><br/>x<sup>2</sup> &lt;s&gt; &#65;&#x42; &unknown; <a href="x">y</a> < 3')).toBe(
      "a x2 <s> AB &unknown; y < 3",
    );
  });
  test("go to plotly.js such that they come back", () => {
    for (const text of ["<s>", "a & b", "&lt;", "</b>"]) expect(plainText(plotlyText(text))).toBe(text);
  });
});

describe("outputs", () => {
  const usual = plotly({ data: [{ y: [1, 2] }], layout: { title: "T" } });
  const rare = plotly({ data: [{ type: "sankey" }] });
  const warnings: string[] = [];
  const onWarning = (message: string): void => void warnings.push(message);

  test("carry plotly.js, which warns and names what is large; without it they are small", () => {
    const html = usual.toHtml({ onWarning });
    expect(html.length).toBeGreaterThan(520_000);
    expect(html.length).toBeLessThan(680_000);
    expect(warnings).toEqual([
      expect.stringMatching(
        /^view "T" is an output of [\d.]+ kB \(plotly\.js [\d.]+ kB, .*\); above 512 kB notebooks grow slow\. In a notebook only the first figure carries plotly\.js; configure\(\{ plotly: "never" \}\) shows simpler pictures without it\.$/,
      ),
    ]);
    expect(usual.toHtml({ plotly: false }).length).toBeLessThan(100_000);
    expect(usual.toHtml(quiet).length).toBeLessThan(20_000);
  });
  test("of rarer traces stay below 1.6 MB", () => {
    expect(rare.toHtml({ onWarning: () => undefined }).length).toBeLessThan(1_600_000);
  });
  test("of sheets carry the build that all their figures need", () => {
    const html = panels([usual, rare]).toHtml({ onWarning: () => undefined });
    expect(html).toContain('p.coming="all"');
    expect(html).not.toContain('p.coming="common"');
    expect(panels([usual, bars([1])]).toHtml({ onWarning: () => undefined })).toContain('p.coming="common"');
    expect(panels([bars([1])]).toHtml()).not.toContain("p.coming");
  });
  test("hold no address that plotly.js would ask without a click", () => {
    const path = new URL("../../../dist/viz/plotly-common.json", import.meta.url);
    const { gzip, version } = JSON.parse(readFileSync(path, "utf8")) as { gzip: string; version: string };
    const code = gunzipSync(Buffer.from(gzip, "base64")).toString();
    expect(version).toMatch(/^4\./);
    expect(code).not.toMatch(/\beval\(|\bdefine\(|importScripts/);
  });
});

describe("our views as figures", () => {
  test("a heatmap keeps its order, colours and range", () => {
    const view = heatmap([[1, -2]], {
      title: "A <b>",
      unit: "logits",
      x: { labels: ["a", "a"] },
      y: { labels: [" b"], kind: "tokens" },
    });
    const { data, layout } = view.toPlotly();
    expect(data).toMatchObject([{ type: "heatmap", x: ["0 a", "1 a"], y: ["·b"], z: [[1, -2]], zmin: -2, zmax: 2 }]);
    expect(layout).toMatchObject({
      title: { text: "A &lt;b&gt;" },
      yaxis: { autorange: "reversed", type: "category" },
    });
    expect(data[0]?.["colorscale"]).toHaveLength(21);
  });
  test("bars lie, sorted as they are drawn", () => {
    const { data } = bars([1, Number.NaN, -3], { order: "size" }).toPlotly();
    expect(data).toMatchObject([{ type: "bar", orientation: "h", x: [-3, 1, null], y: ["2", "0", "1"] }]);
  });
  test("lines keep gaps, bands and logarithmic axes", () => {
    const { data, layout } = lines([{ name: "a", y: [1, Number.NaN, 100], low: [1, 1, 1], high: [9, 9, 900] }], {
      y: { log: true },
    }).toPlotly();
    expect(data.map((trace) => trace["y"])).toEqual([
      [1, 1, 1],
      [9, 9, 900],
      [1, null, 100],
    ]);
    expect(data[1]).toMatchObject({ fill: "tonexty" });
    expect(layout).toMatchObject({ yaxis: { type: "log", range: [0, 3] } });
    expect(lines([1, 0], { y: { log: true } }).toPlotly().data).toMatchObject([{ y: [1, null] }]);
    const labelled = lines([1, 2], { x: { labels: [" a", "b"], kind: "tokens" } }).toPlotly();
    expect(labelled.layout).toMatchObject({ xaxis: { tickvals: [0, 1], ticktext: ["·a", "b"] } });
  });
  test("a histogram is bars over its bins, with its markers", () => {
    const { data, layout } = histogram(
      { counts: [1, 3], edges: [0, 1, 3] },
      { markers: [{ value: 2, label: "m" }] },
    ).toPlotly();
    expect(data).toMatchObject([{ type: "bar", x: [0.5, 2], y: [1, 3], width: [1, 2] }]);
    expect(layout).toMatchObject({ shapes: [{ x0: 2 }], annotations: [{ text: "m" }] });
  });
  test("points keep groups, labels and values", () => {
    const grouped = scatter([1, 2, 3], [4, 5, 6], { groups: ["g", "h", "g"], labels: ["a", "<", "c"] }).toPlotly();
    expect(grouped.data).toMatchObject([
      { name: "g", x: [1, 3], text: ["a", "c"] },
      { name: "h", x: [2], text: ["&lt;"] },
    ]);
    const valued = scatter([1, 2], [1, 2], { values: [3, Number.NaN], diagonal: true }).toPlotly();
    expect(valued.data).toMatchObject([{ marker: { color: [3, null], showscale: true } }]);
    expect(valued.layout).toMatchObject({ shapes: [{ type: "line" }] });
  });
  test("tokens of one channel are a heatmap, of several a table", () => {
    expect(tokens([" a", " a"], [1, 2]).toPlotly().data).toMatchObject([
      { type: "heatmap", x: ["0 ·a", "1 ·a"], z: [[1, 2]] },
    ]);
    const several = tokens([" a"], { loss: [1], entropy: [2] }).toPlotly();
    expect(several.data).toMatchObject([
      { type: "table", header: { values: ["position", "token", "loss", "entropy"] } },
    ]);
  });
  test("a table is a table", () => {
    const view = table([{ name: "token", kind: "token" }], [["<s>"]]);
    expect(view.toPlotly().data).toMatchObject([{ type: "table", cells: { values: [["&lt;s&gt;"]] } }]);
  });
  test("all of them are figures that plotly() takes", () => {
    const all = [heatmap([[1]]), bars([1]), lines([1]), histogram([1, 2]), scatter([1], [1]), tokens(["a"], [1])];
    for (const view of all) expect(plotly(view.toPlotly()).toText()).toContain("figure of plotly.js");
  });
  test("a sheet is refused", () => {
    expect(() => panels([bars([1])]).toPlotly()).toThrow(
      "view.toPlotly: got a sheet of several views; expected a single view. Call toPlotly() on each of its views.",
    );
  });
});
