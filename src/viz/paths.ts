/**
 * Lines and bands as SVG paths, and many points as few that look the same.
 *
 * By hand, because d3-shape weighs 5 kB of the 60 that all browser code may have.
 */
import type { Point } from "./marks.js";

/** Tells whether a point has a place; gaps have none. */
export function isFinitePoint([x, y]: Point): boolean {
  return Number.isFinite(x) && Number.isFinite(y);
}

/** Returns the points between gaps, which no line would show. */
export function lonely(points: readonly Point[]): readonly Point[] {
  const has = (i: number): boolean => isFinitePoint(points[i] ?? [Number.NaN, Number.NaN]);
  return points.filter((_, i) => has(i) && !has(i - 1) && !has(i + 1));
}

/**
 * Returns fewer points that look the same when there are more than `limit`.
 *
 * In each pixel column the first, lowest, highest and last stay; one gap stays of several in a row.
 */
export function thin(points: readonly Point[], limit: number): readonly Point[] {
  if (points.length <= limit) return points;
  const kept: Point[] = [];
  let column: Point[] = [];
  const flush = (): void => {
    if (column.length > 4) column = extremes(column);
    kept.push(...column);
    column = [];
  };
  for (const point of points) {
    const [last] = column;
    if (!isFinitePoint(point) || (last !== undefined && Math.floor(last[0]) !== Math.floor(point[0]))) flush();
    if (isFinitePoint(point)) column.push(point);
    else if (kept.length === 0 || isFinitePoint(kept.at(-1) ?? point)) kept.push(point);
  }
  flush();
  return kept;
}

function extremes(column: readonly Point[]): Point[] {
  let [low, high] = [0, 0];
  column.forEach(([, y], i) => {
    if (y < (column[low]?.[1] ?? y)) low = i;
    if (y > (column[high]?.[1] ?? y)) high = i;
  });
  const indices = [...new Set([0, low, high, column.length - 1])].sort((a, b) => a - b);
  return indices.flatMap((i) => column.slice(i, i + 1));
}

/** Returns straight lines from point to point as path data, interrupted at gaps. */
export function linePath(points: readonly Point[]): string {
  let isDrawing = false;
  return points
    .map((point) => {
      const step = isFinitePoint(point) ? `${isDrawing ? "L" : "M"}${pair(point)}` : "";
      isDrawing = step !== "";
      return step;
    })
    .join("");
}

/** One point of a band: x, and both its y. */
export type BandEdge = readonly [x: number, low: number, high: number];

/** Returns the area between the lower and upper ends as path data, one closed shape between each two gaps. */
export function bandPath(edges: readonly BandEdge[]): string {
  const runs: BandEdge[][] = [[]];
  for (const edge of edges) {
    if (edge.every(Number.isFinite)) runs.at(-1)?.push(edge);
    else runs.push([]);
  }
  const shapes = runs.filter((run) => run.length > 0);
  return shapes
    .map((run) => {
      const low = run.map(([x, y]) => pair([x, y]));
      const high = run.toReversed().map(([x, , y]) => pair([x, y]));
      return `M${[...low, ...high].join("L")}Z`;
    })
    .join("");
}

function pair([x, y]: Point): string {
  return `${Math.round(x * 10) / 10},${Math.round(y * 10) / 10}`;
}
