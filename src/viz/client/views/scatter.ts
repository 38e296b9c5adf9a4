/** Points to point at: the nearest one; keys go through them from left to right. */
import { element, type Point } from "../../marks.js";
import { isInField } from "../../plane.js";
import {
  layOutScatter,
  pointLabel,
  pointPlaces,
  pointRows,
  type ScatterSpec,
  scatterKind,
} from "../../views/scatter.js";
import { listMove } from "../moves.js";
import type { SceneView, Targets } from "../view.js";

/** A point farther from the pointer is not meant, pixels. */
const reach = 40;

/** Interactive points. */
export const scatterClient: SceneView<ScatterSpec> = {
  scene: (spec, input) => ({ drawing: scatterKind.draw(spec, input), targets: targetsOf(spec) }),
};

function targetsOf(spec: ScatterSpec): Targets {
  const plane = layOutScatter(spec);
  const places = pointPlaces(spec, plane);
  const at = (i: number): Point => places[i] ?? [0, 0];
  const drawn = places.flatMap(([x], i) => (Number.isFinite(x) ? [i] : []));
  const order = drawn.sort((a, b) => at(a)[0] - at(b)[0] || at(b)[1] - at(a)[1]);
  const ordered = order.map(at);
  const pointOf = (target: number): number => order[target] ?? 0;
  return {
    at: (x, y) => (isInField(plane, x, y) ? nearest(ordered, x, y) : undefined),
    move: listMove(order.length),
    box(target) {
      const [x, y] = at(pointOf(target));
      return { x: x - 5, y: y - 5, width: 10, height: 10 };
    },
    overlay(target) {
      const [cx, cy] = at(pointOf(target));
      return [element("circle", { cx, cy, r: 7, fill: "none", stroke: "accent", "stroke-width": 2 })];
    },
    tip: (target) => ({ title: pointLabel(spec, pointOf(target)), rows: pointRows(spec, pointOf(target)) }),
  };
}

function nearest(places: readonly Point[], x: number, y: number): number | undefined {
  let [best, bestSquare]: [number | undefined, number] = [undefined, reach * reach];
  places.forEach(([px, py], i) => {
    const square = (px - x) ** 2 + (py - y) ** 2;
    if (square < bestSquare) [best, bestSquare] = [i, square];
  });
  return best;
}
