/** The project's bound: `max|a − b| ≤ tol · max(1, max|b|)` per tensor. */
import { expect } from "vitest";
import type { Tensor } from "../../src/tensor/index.js";

/** `max|a − b| / max(1, max|b|)` over finite places; infinite where shapes or infinities differ. */
export function deviation(actual: Tensor, expected: Tensor): number {
  if (actual.shape.join() !== expected.shape.join()) return Number.POSITIVE_INFINITY;
  const a = Array.from(actual.data as Iterable<number | bigint>, Number);
  const b = Array.from(expected.data as Iterable<number | bigint>, Number);
  let worst = 0;
  let scale = 1;
  for (const [i, want] of b.entries()) {
    const got = a[i] ?? Number.NaN;
    if (!Number.isFinite(want) || !Number.isFinite(got)) {
      if (!Object.is(got, want)) return Number.POSITIVE_INFINITY;
      continue;
    }
    worst = Math.max(worst, Math.abs(got - want));
    scale = Math.max(scale, Math.abs(want));
  }
  return worst / scale;
}

/** Asserts the bound and names the tensor. */
export function expectClose(actual: Tensor, expected: Tensor, tolerance: number, name: string): void {
  expect(
    deviation(actual, expected),
    `${name} [${actual.shape.join(", ")}] against [${expected.shape.join(", ")}]`,
  ).toBeLessThanOrEqual(tolerance);
}
