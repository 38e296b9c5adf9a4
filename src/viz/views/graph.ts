/** Graphs of nodes over tokens and layers: drawn and said. */
import { colorAt, cssColor } from "../color.js";
import { numberAt } from "../entries.js";
import type { DrawContext, TableData, ViewKind } from "../kind.js";
import { type Drawing, element, type Mark, type Point, rectMark, round, textMark } from "../marks.js";
import { formatNumber } from "../numbers.js";
import type { Theme } from "../theme.js";
import { visibleToken } from "../token-text.js";
import { type GraphGrid, type GraphPlaces, gridOf, placeNodes, targetText } from "./graph-layout.js";
import { edgeCount, type GraphLink, strongestLinks } from "./graph-links.js";
import { type GraphMarks, noMarks } from "./graph-marks.js";
import type { GraphSpec } from "./graph-spec.js";

/** Links in a picture that nobody points at. */
const drawnLinks = 60;

/** Returns the nodes that a state leaves: influential enough, or without an influence. */
export function shownIn(spec: GraphSpec, threshold: number): (node: number) => boolean {
  return (node) => spec.marks[node] === "target" || !(numberAt(spec.influences, node) > threshold);
}

function linkColor(weight: number, theme: Theme): string {
  return cssColor(colorAt(weight < 0 ? 0.12 : 0.88, "diverging", theme));
}

/** Curves from source to target: positive and negative in the two colours of differences, width by weight. */
export function drawLinks(
  links: readonly GraphLink[],
  places: readonly Point[],
  look: { readonly theme: Theme; readonly opacity: number },
): readonly Mark[] {
  const most = links.reduce((largest, { weight }) => Math.max(largest, Math.abs(weight)), 0) || 1;
  return links.flatMap(({ from, to, weight }) => {
    const [[x1, y1], [x2, y2]] = [places[from] ?? [Number.NaN, 0], places[to] ?? [Number.NaN, 0]];
    if (!Number.isFinite(x1) || !Number.isFinite(x2)) return [];
    const bend = (y1 + y2) / 2;
    const [a, b, c, d, m] = [x1, y1, x2, y2, bend].map(round) as [number, number, number, number, number];
    const width = round(0.6 + (3.4 * Math.abs(weight)) / most);
    const path = { d: `M${a},${b}C${a},${m} ${c},${m} ${c},${d}`, fill: "none", "stroke-width": width };
    return [element("path", { ...path, stroke: linkColor(weight, look.theme), "stroke-opacity": look.opacity })];
  });
}

function nodeMark(mark: string, [x, y]: Point, half: number): Mark {
  const box = { x: x - half, y: y - half, width: 2 * half, height: 2 * half };
  if (mark === "feature") return element("circle", { cx: round(x), cy: round(y), r: round(half), fill: "ink" });
  if (mark !== "error") return rectMark(box, mark === "other" ? "quiet" : "ink");
  const { width, height } = box;
  const size = { x: round(box.x), y: round(box.y), width: round(width), height: round(height) };
  return element("rect", { ...size, fill: "ground", stroke: "ink" });
}

function drawGrid(spec: GraphSpec, { columns, levels, width, height }: GraphGrid): readonly Mark[] {
  const names = levels.map(({ y }, row) => {
    const name = row === 0 ? "tokens" : row === levels.length - 1 ? "" : `L${row - 1}`;
    return textMark(0, y + 4, name, { size: 11, fill: "quiet" });
  });
  const lines = levels.slice(0, spec.layers + 1).map(({ y, height: own }) => {
    return element("line", { x1: 0, y1: round(y - own / 2), x2: round(width), y2: round(y - own / 2), stroke: "grid" });
  });
  const tokens = columns.map(({ x, width: own, label }) =>
    textMark(x + own / 2, height - 6, label, { size: 12, mono: true, anchor: "middle" }),
  );
  return [...lines, ...names, ...tokens];
}

function drawNodes(spec: GraphSpec, { places, sizes, folds, folded }: GraphPlaces): readonly Mark[] {
  const nodes = places.flatMap((at, node) => {
    if (!Number.isFinite(at[0]) || folded.has(node)) return [];
    const own = nodeMark(spec.marks[node] ?? "other", at, sizes[node] ?? 3);
    if (spec.marks[node] !== "target") return [own];
    return [own, textMark(at[0] + 10, at[1] + 4, targetText(spec, node), { size: 12 })];
  });
  const more = folds.map(({ at: [x, y], count }) =>
    textMark(x, y + 4, `+${count}`, { size: 10, fill: "quiet", anchor: "middle" }),
  );
  return [...nodes, ...more];
}

/** Rings around pinned nodes, and the names of groups above their first. */
export function drawReading(spec: GraphSpec, { pins, groups }: GraphMarks, { places }: GraphPlaces): readonly Mark[] {
  const at = (id: string): Point | undefined => {
    const place = places[spec.ids.indexOf(id)];
    return place !== undefined && Number.isFinite(place[0]) ? place : undefined;
  };
  const rings = pins.flatMap((id) => {
    const place = at(id);
    if (place === undefined) return [];
    const [cx, cy] = place;
    return [element("circle", { cx: round(cx), cy: round(cy), r: 7, fill: "none", stroke: "accent" })];
  });
  const names = groups.flatMap(({ label, nodes }) => {
    const found = nodes.map(at).filter((place) => place !== undefined);
    const [first] = found.sort((a, b) => a[1] - b[1]);
    return first === undefined ? [] : [textMark(first[0] + 9, first[1] - 6, label, { size: 11, fill: "accent" })];
  });
  return [...rings, ...names];
}

/** Draws the nodes that a threshold leaves, with the links given. */
export function drawGraph(
  spec: GraphSpec,
  grid: GraphGrid,
  places: GraphPlaces,
  [links, reading]: readonly [links: readonly Mark[], reading: GraphMarks],
): Drawing {
  const marks = [...drawGrid(spec, grid), ...links, ...drawNodes(spec, places), ...drawReading(spec, reading, places)];
  return { width: grid.width, height: grid.height, marks };
}

function draw(spec: GraphSpec, { theme }: DrawContext): Drawing {
  const grid = gridOf(spec);
  const isShown = shownIn(spec, spec.threshold);
  const places = placeNodes(spec, grid, isShown);
  const links = strongestLinks(spec, drawnLinks, isShown);
  const drawn = drawLinks(links, places.places, { theme, opacity: 0.55 });
  return drawGraph(spec, grid, places, [drawn, spec.reading ?? noMarks]);
}

/** Returns what a node is called: its id, and its words. */
export function nodeTitle(spec: GraphSpec, node: number): string {
  const [id = "", label = ""] = [spec.ids[node], spec.labels[node]];
  return label === "" || label === id ? id : `${id}: ${label}`;
}

/** Returns what is known of a node. */
export function nodeRows(spec: GraphSpec, node: number): readonly (readonly [string, string])[] {
  const pos = spec.positions[node] ?? -1;
  const cells = { activation: spec.activations, influence: spec.influences, probability: spec.probabilities };
  const names = { activation: "activation", influence: "influence, cumulative", probability: "probability" };
  return [
    ...(pos < 0 ? [] : [["at", visibleToken(spec.tokens[pos] ?? "")] as const]),
    ...Object.entries(cells).flatMap(([key, list]) => {
      const value = numberAt(list, node);
      return Number.isFinite(value) ? [[names[key as keyof typeof names], formatNumber(value)] as const] : [];
    }),
  ];
}

function count(spec: GraphSpec, mark: string): number {
  return spec.marks.filter((own) => own === mark).length;
}

function facts(spec: GraphSpec): string {
  const prompt = JSON.stringify(spec.tokens.join("")).slice(0, 80);
  return `graph over ${prompt}: ${count(spec, "target")} targets, ${count(spec, "feature")} features, ${count(spec, "error")} errors, ${edgeCount(spec)} edges`;
}

function linkText(spec: GraphSpec, { from, to, weight }: GraphLink): string {
  return `${formatNumber(weight).padStart(8)}  ${nodeTitle(spec, from)} → ${nodeTitle(spec, to)}`;
}

function table(spec: GraphSpec): TableData {
  const links = strongestLinks(spec, Number.POSITIVE_INFINITY, () => true);
  const rows = [...links]
    .reverse()
    .map(({ from, to, weight }) => [nodeTitle(spec, from), nodeTitle(spec, to), formatNumber(weight)]);
  return { columns: ["source", "target", "weight"], rows };
}

/** How graphs are drawn and said. */
export const graphKind: ViewKind<GraphSpec> = {
  draw,
  table,
  text: (spec) => [
    facts(spec),
    ...[...strongestLinks(spec, 8, () => true)].reverse().map((link) => linkText(spec, link)),
  ],
  summary: (spec) => {
    const strongest = strongestLinks(spec, 1, () => true)[0];
    return `${facts(spec)}${strongest === undefined ? "" : `; most flows from ${nodeTitle(spec, strongest.from)} to ${nodeTitle(spec, strongest.to)}`}`;
  },
};
