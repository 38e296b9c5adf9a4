/** Where keys lead, for the usual arrangements of targets. */
import type { Box } from "../marks.js";
import type { MoveKey, Targets } from "./targets.js";

/** Keys in a grid of `nx` columns and `ny` rows, targets numbered row by row. */
export function gridMove(nx: number, ny: number): Targets["move"] {
  return (from, key) => {
    const [x, y] = [from % nx, Math.floor(from / nx)];
    const at = (column: number, row: number): number => clamp(row, ny) * nx + clamp(column, nx);
    if (key === "ArrowLeft") return at(x - 1, y);
    if (key === "ArrowRight") return at(x + 1, y);
    if (key === "ArrowUp") return at(x, y - 1);
    if (key === "ArrowDown") return at(x, y + 1);
    return key === "Home" ? at(0, y) : at(nx - 1, y);
  };
}

/** Keys in a list of `count` targets: all arrows go one back or one on. */
export function listMove(count: number): Targets["move"] {
  return (from, key) => {
    if (key === "Home") return 0;
    if (key === "End") return count - 1;
    return clamp(from + (key === "ArrowLeft" || key === "ArrowUp" ? -1 : 1), count);
  };
}

/** Keys among boxes in lines, such as words: left and right in order, up and down to the nearest of the next line. */
export function flowMove(boxes: readonly Box[]): Targets["move"] {
  const along = listMove(boxes.length);
  return (from, key) => {
    const box = boxes[from];
    if ((key !== "ArrowUp" && key !== "ArrowDown") || box === undefined) return along(from, key);
    return nextLine(boxes, box, key) ?? from;
  };
}

function nextLine(boxes: readonly Box[], from: Box, key: MoveKey): number | undefined {
  const sign = key === "ArrowUp" ? -1 : 1;
  let best: number | undefined;
  let bestCost = Number.POSITIVE_INFINITY;
  boxes.forEach((box, i) => {
    const rows = sign * (box.y - from.y);
    // Lines count before columns: no line is wider than this.
    const cost = rows * 1e4 + Math.abs(box.x + box.width / 2 - from.x - from.width / 2);
    if (rows > 0 && cost < bestCost) [best, bestCost] = [i, cost];
  });
  return best;
}

/** Returns the first box that holds the point, or `undefined`. */
export function boxAt(boxes: readonly Box[], x: number, y: number): number | undefined {
  const found = boxes.findIndex((b) => x >= b.x && x < b.x + b.width && y >= b.y && y < b.y + b.height);
  return found < 0 ? undefined : found;
}

function clamp(value: number, count: number): number {
  return Math.min(count - 1, Math.max(0, value));
}
