/** Thousands of points as one bitmap. */
import type { Rgb } from "./color.js";
import type { Box, PictureMark, Point } from "./marks.js";
import { palettes, type Theme } from "./theme.js";

/** Returns the parts of a colour that is written `#rrggbb`. */
export function rgbOf(css: string): Rgb {
  const part = (at: number): number => Number.parseInt(css.slice(at, at + 2), 16);
  return [part(1), part(3), part(5)];
}

/** Returns points as plus signs three pixels wide; of a single colour, stronger where more of them lie. */
export function bitmap(
  field: Box,
  places: readonly Point[],
  look: { color: (index: number) => Rgb; theme: Theme; isPlain: boolean },
): PictureMark {
  const counts = new Uint32Array(field.width * field.height);
  const top = new Int32Array(field.width * field.height).fill(-1);
  places.forEach(([px, py], i) => {
    if (!Number.isFinite(px)) return;
    const [cx, cy] = [Math.round(px - field.x), Math.round(py - field.y)];
    for (const [dx, dy] of plus) {
      const [x, y] = [cx + dx, cy + dy];
      if (x < 0 || y < 0 || x >= field.width || y >= field.height) continue;
      counts[y * field.width + x] = (counts[y * field.width + x] ?? 0) + 1;
      top[y * field.width + x] = i;
    }
  });
  const ground = rgbOf(palettes[look.theme].ground);
  return {
    columns: field.width,
    rows: field.height,
    cellWidth: 1,
    cellHeight: 1,
    color(x, y) {
      const index = top[y * field.width + x] ?? -1;
      if (index < 0) return ground;
      const share = look.isPlain ? 1 - 0.55 ** Math.min(8, counts[y * field.width + x] ?? 1) : 1;
      return mixed(ground, look.color(index), share);
    },
  };
}

const plus: readonly Point[] = [
  [0, 0],
  [-1, 0],
  [1, 0],
  [0, -1],
  [0, 1],
];

function mixed(ground: Rgb, color: Rgb, share: number): Rgb {
  const part = (i: 0 | 1 | 2): number => Math.round(ground[i] + (color[i] - ground[i]) * share);
  return [part(0), part(1), part(2)];
}
