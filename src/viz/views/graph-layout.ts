/**
 * Where the nodes of a graph stand: columns are tokens, rows are layers, and nodes of one cell fan out side by side.
 *
 * Full cells get smaller dots in up to three lines; the least influential of what is left fold into a mark "+n".
 */
import { numberAt } from "../entries.js";
import { type Point, textWidth } from "../marks.js";
import { formatNumber } from "../numbers.js";
import { shorten, visibleToken } from "../token-text.js";
import type { GraphSpec } from "./graph-spec.js";

/** A column: where it begins, how wide it is, what stands under it. */
export interface GraphColumn {
  readonly x: number;
  readonly width: number;
  readonly label: string;
}

/** A row: its middle and height. */
export interface GraphLevel {
  readonly y: number;
  readonly height: number;
}

/** The grid, the same whichever nodes are shown. */
export interface GraphGrid {
  readonly width: number;
  readonly height: number;
  readonly columns: readonly GraphColumn[];
  /** From the tokens up. */
  readonly levels: readonly GraphLevel[];
  /** 1 where the first column is that of nodes without a position. */
  readonly firstColumn: 0 | 1;
}

/** Nodes that found no room. */
export interface GraphFold {
  readonly at: Point;
  readonly count: number;
}

/** Nodes in the grid. */
export interface GraphPlaces {
  /** The middle of each node, NaN of those hidden; folded ones stand at their mark. */
  readonly places: readonly Point[];
  /** Half the size of each node. */
  readonly sizes: Float64Array;
  readonly folds: readonly GraphFold[];
  /** Nodes inside a fold. */
  readonly folded: ReadonlySet<number>;
}

/** Sizes of nodes: wide ones while they fit in a line, then small ones. */
const wide = { step: 12, half: 4.5 } as const;
const small = { step: 7.5, half: 3 } as const;
const mostLines = 3;
const lineHeight = 9;
const targetLine = 16;
const foldWidth = 26;

/** Left of the columns stand the names of layers. */
const gutter = 46;
/** Widths that columns share among them, and the least of one. */
const roomForColumns = 900;
const leastColumn = 46;

const labelSize = 12;

/** Returns the words beside a target: its label and probability. */
export function targetText(spec: GraphSpec, node: number): string {
  const probability = numberAt(spec.probabilities, node);
  const name = spec.labels[node] === "" ? (spec.ids[node] ?? "") : (spec.labels[node] ?? "");
  return (
    shorten(visibleToken(name).replaceAll("·", " "), 24) + (probability > 0 ? `  ${formatNumber(probability)}` : "")
  );
}

/** The nodes of each cell, by row and column. */
function cellsOf(spec: GraphSpec, firstColumn: number, isShown: (node: number) => boolean): Map<string, number[]> {
  const cells = new Map<string, number[]>();
  spec.ids.forEach((_, node) => {
    if (!isShown(node)) return;
    const column = (spec.positions[node] ?? -1) + firstColumn;
    const key = `${spec.rows[node] ?? 0} ${column}`;
    const cell = cells.get(key) ?? [];
    cell.push(node);
    cells.set(key, cell);
  });
  return cells;
}

function columnOf(key: string): number {
  return Number(key.split(" ")[1]);
}

function rowOf(key: string): number {
  return Number(key.split(" ")[0]);
}

/** Widths that hold every cell in one line where there is room, and the tokens. */
function columnWidths(labels: readonly string[], cells: ReadonlyMap<string, readonly number[]>, top: number): number[] {
  const wanted = labels.map((label) => Math.max(leastColumn, textWidth(label, labelSize, true) + 14));
  for (const [key, nodes] of cells) {
    const column = columnOf(key);
    if (rowOf(key) !== top) wanted[column] = Math.max(wanted[column] ?? 0, nodes.length * wide.step + 14);
  }
  const total = wanted.reduce((a, b) => a + b, 0);
  const spare = Math.max(0, roomForColumns - leastColumn * labels.length);
  const over = total - leastColumn * labels.length;
  const share = over > spare ? spare / over : 1;
  return wanted.map((width) => Math.floor(leastColumn + (width - leastColumn) * share));
}

/** How many nodes a line of a column holds. */
function capacity(width: number, step: number): number {
  return Math.max(1, Math.floor((width - 10) / step));
}

function linesIn(count: number, width: number): number {
  if (count <= capacity(width, wide.step)) return 1;
  return Math.min(mostLines, Math.ceil(count / capacity(width, small.step)));
}

/** Returns the grid of a graph. */
export function gridOf(spec: GraphSpec): GraphGrid {
  const firstColumn = spec.positions.includes(-1) ? 1 : 0;
  const labels = [
    ...(firstColumn === 1 ? ["any"] : []),
    ...spec.tokens.map((token) => shorten(visibleToken(token), 12)),
  ];
  const top = spec.layers + 1;
  const cells = cellsOf(spec, firstColumn, () => true);
  const widths = columnWidths(labels, cells, top);
  const heights = Array.from({ length: top + 1 }, () => 24);
  for (const [key, nodes] of cells) {
    const row = rowOf(key);
    const lines = linesIn(nodes.length, widths[columnOf(key)] ?? leastColumn);
    const height = row === top ? nodes.length * targetLine + 8 : 15 + lines * lineHeight;
    heights[row] = Math.max(heights[row] ?? 0, height);
  }
  let x = gutter;
  const columns = widths.map((width, i): GraphColumn => {
    const column = { x, width, label: labels[i] ?? "" };
    x += width;
    return column;
  });
  const total = heights.reduce((a, b) => a + b, 0);
  let bottom = total;
  const levels = heights.map((height): GraphLevel => {
    bottom -= height;
    return { y: bottom + height / 2, height };
  });
  return {
    width: x + roomForTargets(spec, columns, { firstColumn, x }),
    height: total + 22,
    columns,
    levels,
    firstColumn,
  };
}

/** Words of targets may reach over the right end. */
function roomForTargets(
  spec: GraphSpec,
  columns: readonly GraphColumn[],
  { firstColumn, x }: { readonly firstColumn: number; readonly x: number },
): number {
  return spec.ids.reduce((most, _, node) => {
    if (spec.marks[node] !== "target") return most;
    const column = columns[(spec.positions[node] ?? -1) + firstColumn];
    const middle = (column?.x ?? 0) + (column?.width ?? 0) / 2;
    return Math.max(most, middle + 10 + textWidth(targetText(spec, node), labelSize) - x);
  }, 4);
}

/** Returns where the shown nodes stand. */
export function placeNodes(spec: GraphSpec, grid: GraphGrid, isShown: (node: number) => boolean): GraphPlaces {
  const places = spec.ids.map((): Point => [Number.NaN, Number.NaN]);
  const sizes = new Float64Array(spec.ids.length);
  const folds: GraphFold[] = [];
  const folded = new Set<number>();
  const top = spec.layers + 1;
  for (const [key, nodes] of cellsOf(spec, grid.firstColumn, isShown)) {
    const [column, level] = [grid.columns[columnOf(key)], grid.levels[rowOf(key)]];
    if (column === undefined || level === undefined) continue;
    const byInfluence = [...nodes].sort((a, b) => importance(spec, a) - importance(spec, b) || a - b);
    const cell = rowOf(key) === top ? listed(nodes, column, level) : fanned(byInfluence, column, level);
    cell.spots.forEach(([node, at]) => {
      places[node] = at;
      sizes[node] = cell.half;
    });
    if (cell.fold !== undefined) folds.push(cell.fold);
    for (const node of cell.folded) folded.add(node);
  }
  return { places, sizes, folds, folded };
}

/** Small is important; nodes without an influence, such as tokens, are. */
function importance(spec: GraphSpec, node: number): number {
  return numberAt(spec.influences, node) || 0;
}

interface CellPlaces {
  readonly spots: readonly (readonly [node: number, at: Point])[];
  readonly half: number;
  readonly fold?: GraphFold;
  readonly folded: readonly number[];
}

/** Targets: one below the other, words on their right. */
function listed(nodes: readonly number[], { x, width }: GraphColumn, { y }: GraphLevel): CellPlaces {
  const first = y - ((nodes.length - 1) * targetLine) / 2;
  const spots = nodes.map((node, i) => [node, [x + width / 2, first + i * targetLine]] as const);
  return { spots, half: 5, folded: [] };
}

function fanned(nodes: readonly number[], { x, width }: GraphColumn, { y }: GraphLevel): CellPlaces {
  const lines = linesIn(nodes.length, width);
  const { step, half } = nodes.length <= capacity(width, wide.step) ? wide : small;
  const perLine = capacity(width, step);
  const isFull = nodes.length > perLine * lines;
  // The mark takes the room of some nodes at the end of the last line.
  const kept = isFull ? Math.max(1, perLine * lines - Math.ceil(foldWidth / step)) : nodes.length;
  const firstY = y - ((lines - 1) * lineHeight) / 2;
  const across = Math.min(nodes.length, perLine);
  const firstX = x + width / 2 - ((across - 1) * step) / 2;
  const spots = nodes.slice(0, kept).map((node, i) => {
    const line = Math.floor(i / perLine);
    return [node, [firstX + (i % perLine) * step, firstY + line * lineHeight]] as const;
  });
  if (!isFull) return { spots, half, folded: [] };
  const at: Point = [x + width - foldWidth / 2 - 2, firstY + (lines - 1) * lineHeight];
  const folded = nodes.slice(kept);
  return {
    spots: [...spots, ...folded.map((node) => [node, at] as const)],
    half,
    fold: { at, count: folded.length },
    folded,
  };
}
