/** Graphs over tokens and layers: what is drawn, said and refused. */
import { describe, expect, test } from "vitest";
import { type GraphData, graph } from "../../../src/viz/index.js";
import { gridOf, placeNodes } from "../../../src/viz/views/graph-layout.js";
import { flowOf, neighboursOf, strongestLinks } from "../../../src/viz/views/graph-links.js";
import {
  groupPins,
  markedLinks,
  noMarks,
  searchNodes,
  togglePin,
  ungroup,
} from "../../../src/viz/views/graph-marks.js";
import { type GraphOptions, type GraphSpec } from "../../../src/viz/views/graph-spec.js";

const data: GraphData = {
  tokens: ["a", " b"],
  nodes: [
    { id: "t", mark: "target", pos: 1, label: "x", probability: 0.5 },
    { id: "f", mark: "feature", layer: 1, pos: 1, influence: 0.4, activation: 2 },
    { id: "g", mark: "feature", layer: 0, pos: 0, influence: 0.9 },
    { id: "k", mark: "token", pos: 0, label: "a" },
  ],
  edges: [
    { source: "f", target: "t", weight: 3 },
    { source: "g", target: "t", weight: -1 },
    { source: "g", target: "f", weight: 1 },
    { source: "k", target: "g", weight: 2 },
  ],
};
const specOf = (given: GraphData = data, options: GraphOptions = {}): GraphSpec =>
  graph(given, options).spec as GraphSpec;

test("flow runs from targets by shares of absolute weights; links are ranked by what they carry", () => {
  const spec = specOf();
  // Half to begin with: 3/4 of it to f, 1/4 to g, all of f's on to g, all of g's to k.
  expect([...flowOf(spec)]).toEqual([0.5, 0.375, 0.5, 0.5]);
  const links = strongestLinks(spec, 2, () => true).map(({ from, to }) => [spec.ids[from], spec.ids[to]]);
  expect(links).toHaveLength(2);
  expect(links[1]).toEqual(["k", "g"]);
  const { inputs, outputs } = neighboursOf(spec, 2);
  expect(inputs.map(({ from, weight }) => [from, weight])).toEqual([[3, 2]]);
  expect(outputs.map(({ to }) => to).sort()).toEqual([0, 1]);
});

test("columns are tokens, rows are layers from the bottom up, and cells with many nodes fold", () => {
  const spec = specOf();
  const { places } = placeNodes(spec, gridOf(spec), () => true);
  const [target, upper, lower, token] = places.map(([, y]) => y);
  expect([target, upper, lower, token]).toEqual([target, upper, lower, token].sort((a, b) => (a ?? 0) - (b ?? 0)));
  expect(places[1]?.[0]).toBeGreaterThan(places[2]?.[0] ?? 0);
  const many = Array.from({ length: 2000 }, (_, i) => {
    return { id: `n${i}`, mark: "feature", layer: 0, pos: 0, influence: i / 2000 } as const;
  });
  const crowded = specOf({ tokens: ["a"], nodes: many, edges: [] });
  const { folds, folded, places: spots } = placeNodes(crowded, gridOf(crowded), () => true);
  expect(folds.reduce((sum, { count }) => sum + count, 0)).toBe(folded.size);
  expect(folded.size).toBeGreaterThan(100);
  expect(folded.has(0)).toBe(false);
  expect(spots.every(([x, y]) => Number.isFinite(x) && Number.isFinite(y))).toBe(true);
});

test("a threshold hides nodes of little influence, never targets or tokens", () => {
  const spec = specOf(data, { threshold: 0.5 });
  const svg = graph(data, { threshold: 0.5 }).toSvg();
  expect(spec.threshold).toBe(0.5);
  expect(svg.match(/<circle/g)).toHaveLength(1);
  expect(
    graph(data)
      .toSvg()
      .match(/<circle/g),
  ).toHaveLength(2);
});

test("is said in words", () => {
  const text = graph(data, { title: "T" }).toText();
  expect(text).toContain('graph over "a b": 1 targets, 2 features, 0 errors, 4 edges');
  expect(graph(data).summary()).toContain("most flows from");
});

describe("refused, with the place:", () => {
  const [first, ...rest] = data.nodes;
  if (first === undefined) throw new Error("a node");
  test.each([
    ["no node", { ...data, nodes: [] }, {}, "viz.graph"],
    ["an id twice", { ...data, nodes: [first, first] }, {}, 'nodes[1].id: got "t" a second time'],
    [
      "an edge to nowhere",
      { ...data, edges: [{ source: "f", target: "?", weight: 1 }] },
      {},
      'edges[0].target: got "?"',
    ],
    ["NaN", { ...data, edges: [{ source: "f", target: "t", weight: Number.NaN }] }, {}, "edges[0].weight: got NaN"],
    ["a loop", { ...data, edges: [{ source: "f", target: "f", weight: 1 }] }, {}, "to itself"],
    ["a position outside", { ...data, nodes: [{ ...first, pos: 2 }, ...rest] }, {}, "nodes[0].pos: got 2"],
    ["a feature without a layer", { ...data, nodes: [{ id: "x", mark: "feature" }], edges: [] }, {}, "nodes[0].layer"],
    ["an influence above 1", { ...data, nodes: [{ ...first, influence: 2 }, ...rest] }, {}, "influence: got 2"],
    ["a threshold", data, { threshold: 2 }, "threshold: got 2"],
  ] as readonly (readonly [string, GraphData, GraphOptions, string])[])("%s", (_, given, options, message) => {
    expect(() => graph(given, options)).toThrow(message);
  });
});

test("pins and groups are marks; links between groups are sums of edges", () => {
  const spec = specOf();
  const pinned = ["f", "g", "k", "t"].reduce(togglePin, noMarks);
  expect(pinned.pins).toEqual(["f", "g", "k", "t"]);
  const grouped = groupPins(pinned, "features", ["f", "g", "stranger"]);
  expect(grouped.groups).toEqual([{ label: "features", nodes: ["f", "g"] }]);
  // 3 - 1 into the target; the edge from g to f is inside the group.
  expect(markedLinks(spec, grouped)).toEqual([
    { from: "features", to: "t", weight: 2 },
    { from: "k", to: "features", weight: 2 },
  ]);
  expect(markedLinks(spec, ungroup(grouped, "features"))).toHaveLength(4);
  // A node moves from group to group, and leaves its group with its pin; empty groups go.
  const moved = groupPins(grouped, "lower", ["g"]);
  expect(moved.groups).toEqual([
    { label: "features", nodes: ["f"] },
    { label: "lower", nodes: ["g"] },
  ]);
  expect(togglePin(moved, "g")).toEqual({ pins: ["f", "k", "t"], groups: [{ label: "features", nodes: ["f"] }] });
  expect(groupPins(grouped, "none", ["stranger"])).toEqual(grouped);
});

test("search looks at ids and words, whatever their case", () => {
  const spec = specOf();
  expect(searchNodes(spec, " X ").map((node) => spec.ids[node])).toEqual(["t"]);
  expect(searchNodes(spec, "")).toEqual([]);
});

test("saved marks are drawn, and refused where they do not fit", () => {
  const marks = { pins: ["f", "g"], groups: [{ label: "both", nodes: ["f", "g"] }] };
  const svg = graph(data, { marks }).toSvg();
  expect(svg).toContain(">both</text>");
  expect(svg.match(/<circle/g)?.length).toBe(
    (graph(data)
      .toSvg()
      .match(/<circle/g)?.length ?? 0) + 2,
  );
  const refused =
    (given: GraphOptions["marks"]): (() => unknown) =>
    () =>
      graph(data, given === undefined ? {} : { marks: given });
  expect(refused({ pins: ["zz"], groups: [] })).toThrow('viz.graph: marks.pins: got "zz"');
  expect(refused({ pins: ["f"], groups: [{ label: " ", nodes: ["f"] }] })).toThrow("a group without a label");
  expect(refused({ pins: ["f"], groups: [{ label: "a", nodes: ["g"] }] })).toThrow("expected nodes that are pinned");
});
