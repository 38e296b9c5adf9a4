/** A cross-hair on lines: the values of all of them at one position. */
import { bisectCenter } from "d3-array";
import { numberAt } from "../../entries.js";
import { element, lineMark, type Mark } from "../../marks.js";
import { formatNumber } from "../../numbers.js";
import { isInField } from "../../plane.js";
import {
  allPositions,
  indexOf,
  type LinesSeries,
  type LinesSpec,
  layOutLines,
  lineStyles,
  linesKind,
  placeText,
  positionAt,
  valueText,
} from "../../views/lines.js";
import { listMove } from "../moves.js";
import type { SceneInput, SceneView, Targets, Tip } from "../view.js";

/** Longer lists would leave the page. */
const maxRows = 30;

/** Interactive lines. */
export const linesClient: SceneView<LinesSpec> = {
  scene: (spec, input) => ({ drawing: linesKind.draw(spec, input), targets: targetsOf(spec, input) }),
};

function targetsOf(spec: LinesSpec, { theme }: SceneInput): Targets {
  const plane = layOutLines(spec);
  const { field } = plane;
  const positions = allPositions(spec).filter((x) => x >= spec.x.min && x <= spec.x.max);
  const places = positions.map((x) => plane.x.at(x));
  const styles = lineStyles(spec, theme);
  const indices = spec.series.map((series) => indexOf(spec, series));
  const dots = (target: number): readonly Mark[] =>
    spec.series.flatMap((series, s) => {
      const value = numberAt(series.y, indices[s]?.get(positions[target] ?? 0) ?? -1);
      const y = plane.y.at(value);
      if (!(y >= field.y && y <= field.y + field.height)) return [];
      const look = { r: 4, fill: styles[s]?.color ?? "ink", stroke: "ground", "stroke-width": 1.5 };
      return [element("circle", { cx: places[target] ?? 0, cy: y, ...look })];
    });
  return {
    at: (x, y) => (isInField(plane, x, y) && places.length > 0 ? bisectCenter(places, x) : undefined),
    move: listMove(places.length),
    box: (target) => ({ x: (places[target] ?? 0) - 1, y: field.y + 8, width: 2, height: 16 }),
    overlay(target) {
      const x = places[target] ?? 0;
      return [lineMark([x, field.y], [x, field.y + field.height], "accent"), ...dots(target)];
    },
    tip: (target) => tipOf(spec, positions[target] ?? 0, indices),
  };
}

function tipOf(spec: LinesSpec, x: number, indices: readonly ReadonlyMap<number, number>[]): Tip {
  const rows = spec.series.flatMap((series, s): [string, string][] => {
    const index = indices[s]?.get(x);
    const value = index === undefined ? between(spec, series, x) : valueText(series, index);
    return value === undefined ? [] : [[series.name || spec.y.name || "value", value]];
  });
  const rest = rows.length - maxRows;
  return {
    title: placeText(spec, x),
    rows: rest > 0 ? [...rows.slice(0, maxRows), ["", `and ${rest} more`]] : rows,
  };
}

/** A series without a point at `x` has one on the line between its neighbours, marked as such. */
function between(spec: LinesSpec, series: LinesSeries, x: number): string | undefined {
  for (let i = 1; i < series.y.length; i++) {
    const [left, right] = [positionAt(spec, series, i - 1), positionAt(spec, series, i)];
    if (!(left < x && x < right)) continue;
    const [a, b] = [numberAt(series.y, i - 1), numberAt(series.y, i)];
    const value = a + ((b - a) * (x - left)) / (right - left);
    return Number.isFinite(value) ? `≈ ${formatNumber(value)}` : undefined;
  }
  return undefined;
}
