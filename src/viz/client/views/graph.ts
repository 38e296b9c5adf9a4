/** A graph to point at: the node, its strongest links, what goes in and out; a threshold hides what matters little. */
import { element, type Mark, type Point } from "../../marks.js";
import { formatNumber } from "../../numbers.js";
import { drawGraph, drawLinks, nodeRows, nodeTitle, shownIn } from "../../views/graph.js";
import { gridOf, placeNodes } from "../../views/graph-layout.js";
import { type GraphLink, type GraphNeighbours, neighboursOf, strongestLinks } from "../../views/graph-links.js";
import { searchNodes } from "../../views/graph-marks.js";
import type { GraphSpec } from "../../views/graph-spec.js";
import type { MoveKey, SceneView, State, Targets, Tip } from "../view.js";
import { graphDesk, marksOf } from "./graph-desk.js";

/** A node farther from the pointer is not meant, pixels. */
const reach = 24;
/** Links drawn for a chosen node, each way, and those that are named. */
const linksEachWay = 12;
const named = 5;
const restingLinks = 60;

const thresholds: readonly (readonly [string, string])[] = [
  ["1", "all nodes"],
  ["0.95", "95 % of the influence"],
  ["0.9", "90 %"],
  ["0.8", "80 %"],
  ["0.6", "60 %"],
  ["0.4", "40 %"],
];

/** Returns which nodes a state shows: pinned ones always. */
function shownBy(spec: GraphSpec, state: State): (node: number) => boolean {
  const isShown = shownIn(spec, Math.min(spec.threshold, Number(state["threshold"] ?? 1)));
  const { pins } = marksOf(spec, state);
  const isPinned = (node: number): boolean => pins.includes(spec.ids[node] ?? "");
  if ((state["only"] ?? "") === "") return (node) => isShown(node) || isPinned(node);
  return (node) => spec.marks[node] === "target" || isPinned(node);
}

/** Rings around what a search finds. */
function foundRings(spec: GraphSpec, state: State, places: readonly Point[]): readonly Mark[] {
  return searchNodes(spec, state["search"] ?? "").flatMap((node) => {
    const [cx, cy] = at(places, node);
    return Number.isFinite(cx) ? [element("circle", { cx, cy, r: 6, fill: "none", stroke: "ink" })] : [];
  });
}

/** Interactive graphs. */
export const graphClient: SceneView<GraphSpec> = {
  controls: () => [{ name: "threshold", label: "Show", choices: thresholds }],
  desk: graphDesk,
  scene: (spec, { theme, state }) => {
    const isShown = shownBy(spec, state);
    const grid = gridOf(spec);
    const placed = placeNodes(spec, grid, isShown);
    const links = strongestLinks(spec, restingLinks, isShown);
    const drawn = drawLinks(links, placed.places, { theme, opacity: 0.55 });
    const drawing = drawGraph(spec, grid, placed, [drawn, marksOf(spec, state)]);
    const marks = [...drawing.marks, ...foundRings(spec, state, placed.places)];
    return { drawing: { ...drawing, marks }, targets: targetsOf(spec, { isShown, places: placed.places, theme }) };
  },
};

interface Shown {
  readonly isShown: (node: number) => boolean;
  readonly places: readonly Point[];
  readonly theme: "dark" | "light";
}

function targetsOf(spec: GraphSpec, { isShown, places, theme }: Shown): Targets {
  const nodes = places.flatMap(([x], node) => (Number.isFinite(x) ? [node] : []));
  const order = nodes.sort((a, b) => (spec.rows[b] ?? 0) - (spec.rows[a] ?? 0) || at(places, a)[0] - at(places, b)[0]);
  const nodeAt = (target: number): number => order[target] ?? 0;
  const linksOf = (target: number): GraphNeighbours => {
    const { inputs, outputs } = neighboursOf(spec, nodeAt(target));
    const isDrawn = ({ from, to }: GraphLink): boolean => isShown(from) && isShown(to);
    return { inputs: inputs.filter(isDrawn), outputs: outputs.filter(isDrawn) };
  };
  return {
    at: (x, y) => nearest(order, places, [x, y]),
    move: (from, key) => moved(order, places, from, key),
    item: nodeAt,
    find(node) {
      const target = order.indexOf(node);
      return target < 0 ? undefined : target;
    },
    box(target) {
      const [x, y] = at(places, nodeAt(target));
      return { x: x - 6, y: y - 6, width: 12, height: 12 };
    },
    overlay: (target) => overlayOf(places, nodeAt(target), linksOf(target), theme),
    tip: (target) => tipOf(spec, nodeAt(target), linksOf(target)),
  };
}

function overlayOf(
  places: readonly Point[],
  node: number,
  { inputs, outputs }: GraphNeighbours,
  theme: "dark" | "light",
): readonly Mark[] {
  const links = [...outputs.slice(0, linksEachWay), ...inputs.slice(0, linksEachWay)];
  const [cx, cy] = at(places, node);
  const ring = element("circle", { cx, cy, r: 8, fill: "none", stroke: "accent", "stroke-width": 2 });
  return [...drawLinks(links, places, { theme, opacity: 0.9 }), ring];
}

function tipOf(spec: GraphSpec, node: number, { inputs, outputs }: GraphNeighbours): Tip {
  const line = (arrow: string, other: number, weight: number): readonly [string, string] => {
    return [`${arrow} ${nodeTitle(spec, other)}`, formatNumber(weight)];
  };
  return {
    title: nodeTitle(spec, node),
    rows: [
      ...nodeRows(spec, node),
      ...inputs.slice(0, named).map(({ from, weight }) => line("from", from, weight)),
      ...outputs.slice(0, named).map(({ to, weight }) => line("to", to, weight)),
    ],
  };
}

function at(places: readonly Point[], node: number): Point {
  return places[node] ?? [0, 0];
}

function nearest(order: readonly number[], places: readonly Point[], [x, y]: Point): number | undefined {
  let [best, bestSquare]: [number | undefined, number] = [undefined, reach * reach];
  order.forEach((node, target) => {
    const [px, py] = at(places, node);
    const square = (px - x) ** 2 + (py - y) ** 2;
    if (square < bestSquare) [best, bestSquare] = [target, square];
  });
  return best;
}

/** Left and right along all nodes; up and down to the nearest node of another row. */
function moved(order: readonly number[], places: readonly Point[], from: number, key: MoveKey): number {
  const last = order.length - 1;
  if (key === "Home") return 0;
  if (key === "End") return last;
  if (key === "ArrowLeft") return Math.max(0, from - 1);
  if (key === "ArrowRight") return Math.min(last, from + 1);
  const [x, y] = at(places, order[from] ?? 0);
  const side = key === "ArrowUp" ? -1 : 1;
  let [best, distance] = [from, Number.POSITIVE_INFINITY];
  order.forEach((node, target) => {
    const [px, py] = at(places, node);
    const own = Math.abs(py - y) * 4 + Math.abs(px - x);
    if ((py - y) * side > 4 && own < distance) [best, distance] = [target, own];
  });
  return best;
}
