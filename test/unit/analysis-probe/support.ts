/** Examples and features with known answers. */
import { createRandom } from "../../../src/core/index.js";
import { Tensor } from "../../../src/tensor/index.js";

/** Features of noise with a planted direction: class 1 is moved along it. */
export interface Planted {
  readonly features: Tensor;
  readonly labels: readonly string[];
  readonly direction: readonly number[];
}

/** Plants a direction of length `gap` in features of unequal scale. */
export function planted(rows: number, width: number, gap: number, seed: number): Planted {
  const random = createRandom(seed);
  const raw = Array.from({ length: width }, () => random.normal());
  const length = Math.hypot(...raw);
  const direction = raw.map((x) => x / length);
  const labels = Array.from({ length: rows }, (_, i) => (i % 2 === 0 ? "off" : "on"));
  const data = Float32Array.from({ length: rows * width }, (_, i) => {
    const moved = labels[Math.floor(i / width)] === "on" ? gap * (direction[i % width] ?? 0) : 0;
    return random.normal() + moved + 5;
  });
  return { features: Tensor.of(data, [rows, width], ["row", "feature"]), labels, direction };
}

/** Cosine of two vectors. */
export function cosine(a: ArrayLike<number>, b: ArrayLike<number>): number {
  let [ab, aa, bb] = [0, 0, 0];
  for (let i = 0; i < a.length; i++) {
    ab += (a[i] ?? 0) * (b[i] ?? 0);
    aa += (a[i] ?? 0) ** 2;
    bb += (b[i] ?? 0) ** 2;
  }
  return ab / Math.sqrt(aa * bb);
}

/** Plain numbers of a tensor. */
export function numbersOf(tensor: Tensor): number[] {
  return Array.from(tensor.contiguous().data as ArrayLike<number>);
}
