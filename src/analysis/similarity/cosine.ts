/** Similarities of activations token by token: both sides must live in one space. */
import { ShapeError } from "../../core/index.js";
import type { Features } from "./features.js";

/** Norms below this have no direction. */
const degenerate = 1e-8;

/** Means over tokens, and how many tokens had no direction on a side. */
export interface CosineMeans {
  readonly cosine: number;
  /** `arccos(cos) / π`: 0 for equal directions, 1 for opposite ones. */
  readonly angular: number;
  readonly degenerate: number;
}

function checkWidths(x: Features, y: Features): void {
  if (x.width === y.width) return;
  throw new ShapeError({
    where: "similarity: cosine",
    got: `activations ${x.width} and ${y.width} wide`,
    expected: "activations of one space",
    fix: 'Compare different widths with "cka", "svcca", "procrustes" or "rsa".',
  });
}

/** Returns mean cosine and mean angular distance over rows; a row without direction on a side counts as cosine 0. */
export function cosineMeans(x: Features, y: Features): CosineMeans {
  checkWidths(x, y);
  let [cosine, angular, without] = [0, 0, 0];
  for (let row = 0; row < x.rows; row++) {
    let [cross, own, other] = [0, 0, 0];
    for (let i = row * x.width; i < (row + 1) * x.width; i++) {
      const [a, b] = [x.data[i] ?? 0, y.data[i] ?? 0];
      cross += a * b;
      own += a * a;
      other += b * b;
    }
    const isDegenerate = Math.sqrt(own) < degenerate || Math.sqrt(other) < degenerate;
    const value = isDegenerate ? 0 : Math.min(1, Math.max(-1, cross / Math.sqrt(own * other)));
    if (isDegenerate) without += 1;
    cosine += value / x.rows;
    angular += Math.acos(value) / Math.PI / x.rows;
  }
  return { cosine, angular, degenerate: without };
}
