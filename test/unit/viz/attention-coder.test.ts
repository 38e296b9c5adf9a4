/** The code of rounded weights: what is written comes back, in fewer bytes than gzip takes. */
import { gzipSync } from "node:zlib";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { decodeCodes, encodeCodes } from "../../../src/viz/attention/coder.js";
import { headSize, rowStart, visibleKeys } from "../../../src/viz/attention/shape.js";
import { decodeHead, encodeWeights, roundingOf } from "../../../src/viz/attention/weights.js";
import { madePattern } from "./attention-patterns.js";

const shapes = fc.record({
  heads: fc.integer({ min: 1, max: 3 }),
  queries: fc.integer({ min: 1, max: 7 }),
  more: fc.integer({ min: 0, max: 3 }),
  isCausal: fc.boolean(),
  zero: fc.integer({ min: 0, max: 255 }),
});

/** Comparing large arrays element by element is slow. */
function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  return Buffer.compare(a, b) === 0;
}

describe("the code", () => {
  test("gives back every byte, whatever the shape and the code of zero", () => {
    fc.assert(
      fc.property(shapes, fc.infiniteStream(fc.integer({ min: 0, max: 255 })), (drawn, stream) => {
        const { more, ...rest } = drawn;
        const shape = { ...rest, keys: rest.queries + more };
        const count = shape.heads * headSize(shape);
        const codes = Uint8Array.from({ length: count }, () => stream.next().value as number);
        expect(sameBytes(decodeCodes(encodeCodes(codes.slice(), shape), shape, count), codes)).toBe(true);
      }),
      { numRuns: 200 },
    );
  });

  test("survives long runs of one value and a change after them", () => {
    const shape = { heads: 1, queries: 300, keys: 300, isCausal: false, zero: 0 };
    const codes = new Uint8Array(headSize(shape));
    codes[codes.length - 1] = 255;
    codes[7] = 1;
    const bytes = encodeCodes(codes.slice(), shape);
    expect(bytes.length).toBeLessThan(120);
    expect(sameBytes(decodeCodes(bytes, shape, codes.length), codes)).toBe(true);
  });

  test("takes at most 0.85 of the bytes of gzip on attention", () => {
    const [heads, pos] = [24, 48];
    const pattern = madePattern(heads, pos);
    const shape = { heads, queries: pos, keys: pos, isCausal: true, zero: 0 };
    const codes: number[] = [];
    for (let head = 0; head < heads; head++) {
      for (let query = 0; query < pos; query++) {
        for (let key = 0; key <= query; key++) {
          codes.push(Math.round((pattern[(head * pos + query) * pos + key] ?? 0) * 40));
        }
      }
    }
    const bytes = Uint8Array.from(codes);
    expect(encodeCodes(bytes, shape).length).toBeLessThan(0.85 * gzipSync(bytes, { level: 9 }).length);
  });
});

describe("the arrangement of weights", () => {
  test("counts what each query sees, by brute force", () => {
    for (const isCausal of [true, false]) {
      for (const [queries, keys] of [
        [1, 1],
        [1, 5],
        [5, 5],
        [3, 7],
      ] as const) {
        const shape = { queries, keys, isCausal };
        let count = 0;
        for (let query = 0; query < queries; query++) {
          expect(rowStart(shape, query)).toBe(count);
          let seen = 0;
          for (let key = 0; key < keys; key++) if (!isCausal || key <= query + keys - queries) seen += 1;
          expect(visibleKeys(shape, query)).toBe(seen);
          count += seen;
        }
        expect(headSize(shape)).toBe(count);
      }
    }
  });
});

describe("weights in a spec", () => {
  const pos = 32;
  const heads = 20;
  const data = madePattern(heads, pos);
  const shape = { heads, queries: pos, keys: pos, isCausal: true };
  const blocks = Array.from({ length: heads }, (_, head) => ({
    at: (query: number, key: number) => data[(head * pos + query) * pos + key] ?? 0,
  }));
  const worst = (weights: ReturnType<typeof encodeWeights>): number => {
    let error = 0;
    blocks.forEach((block, head) => {
      const read = decodeHead(weights, shape, head);
      for (let query = 0; query < pos; query++) {
        for (let key = 0; key <= query; key++) {
          error = Math.max(error, Math.abs(read.at(query, key) - block.at(query, key)));
        }
      }
    });
    return error;
  };
  const extent = { min: 0, max: 1 };

  test("are off by at most half a step, and the spec says what a step is", () => {
    const weights = encodeWeights(blocks, shape, { extent, isExact: false });
    expect(roundingOf(weights)).toBe(1 / 250);
    expect(worst(weights)).toBeLessThanOrEqual(0.5 / 250 + 1e-12);
  });

  test("take coarser steps for fewer bytes", () => {
    const weights = encodeWeights(blocks, shape, { extent, isExact: false, bytes: 2500 });
    const size = "groups" in weights ? weights.groups.join("").length : Number.NaN;
    expect(size).toBeLessThanOrEqual(2500);
    expect(roundingOf(weights)).toBeGreaterThan(1 / 100);
    expect(worst(weights)).toBeLessThanOrEqual(roundingOf(weights) / 2 + 1e-12);
  });

  test("are exact on demand", () => {
    const weights = encodeWeights(blocks, shape, { extent, isExact: true });
    expect(roundingOf(weights)).toBe(0);
    expect(worst(weights)).toBe(0);
  });

  test("may be negative or NaN", () => {
    const changed = blocks.map(({ at }, head) => ({
      at: (query: number, key: number) => (head === 3 && key === 2 ? Number.NaN : at(query, key) - 0.5),
    }));
    const weights = encodeWeights(changed, shape, { extent: { min: -0.5, max: 0.5 }, isExact: false });
    expect(decodeHead(weights, shape, 3).at(9, 2)).toBeNaN();
    expect(decodeHead(weights, shape, 4).at(9, 2)).toBeCloseTo(changed[4]?.at(9, 2) ?? Number.NaN, 2);
    expect(decodeHead(weights, shape, 4).at(2, 9)).toBeNaN();
  });
});
