/** Packing for notebooks and its inverse in the browser. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { unpack } from "../../../src/viz/client/unpack.js";
import { decodeCell, encodeCell } from "../../../src/viz/numbers.js";
import { pack } from "../../../src/viz/pack.js";
import type { Cell } from "../../../src/viz/spec.js";

/** Through JSON, as a notebook file would carry it. */
async function roundTrip(value: unknown): Promise<{ value: unknown; rounding: number }> {
  return unpack(JSON.parse(JSON.stringify(pack(value))));
}

function wave(count: number): readonly number[] {
  return Array.from({ length: count }, (_, i) => Math.sin(i * i) * 3 - 0.5);
}

describe("pack", () => {
  test("lists of up to 1,000 numbers stay exact, and exact specs stay exact at any length", async () => {
    const short = { values: [wave(1000)], names: ["a", "b"] };
    expect(await roundTrip(short)).toEqual({ value: short, rounding: 0 });
    expect(pack({ values: wave(5000) }, true)).toEqual({ values: wave(5000) });
  });

  test.each([
    ["two bytes", 5000, 65_531],
    ["one byte", 30_000, 251],
  ])("longer lists take %s a number and are off by half a step at most", async (_, count, steps) => {
    const values = wave(count);
    const packed = pack(values) as { data: string; packed: number };
    expect(packed.data.length).toBeLessThan(count * packed.packed * 1.4);
    const { value, rounding } = await roundTrip(values);
    const back = (value as Cell[]).map(decodeCell);
    expect(rounding).toBeCloseTo((Math.max(...values) - Math.min(...values)) / steps, 10);
    expect(Math.max(...values.map((x, i) => Math.abs(x - (back[i] ?? 0))))).toBeLessThanOrEqual(rounding * 0.500001);
  });

  test("keeps nesting, zero, NaN and infinities", async () => {
    const rows = Array.from({ length: 6 }, (_, i) => wave(400).map((x, j) => (i === j ? 0 : x)));
    const grid: (number | string)[][] = rows.map((row) => [...row]);
    Object.assign(grid[2] ?? [], { 7: "NaN", 8: "Infinity", 9: "-Infinity" });
    const { value } = await roundTrip({ deep: { grid } });
    const back = (value as { deep: { grid: Cell[][] } }).deep.grid;
    expect([back.length, back[0]?.length]).toEqual([6, 400]);
    expect(back.map((row, i) => row[i])).toEqual([0, 0, 0, 0, 0, 0]);
    expect(back[2]?.slice(7, 10)).toEqual(["NaN", "Infinity", "-Infinity"]);
  });

  test("whole numbers that fit are exact", async () => {
    const counts = Array.from({ length: 2000 }, (_, i) => (i * i) % 977);
    expect(await roundTrip(counts)).toEqual({ value: counts, rounding: 0 });
  });

  test("constant lists and lists without a finite number come back", async () => {
    const constant = Array.from({ length: 1500 }, () => 0.25);
    const { value } = await roundTrip(constant);
    expect(new Set(value as number[]).size).toBe(1);
    expect((value as number[])[0]).toBeCloseTo(0.25, 4);
    const missing = Array.from({ length: 1500 }, () => "NaN");
    expect((await roundTrip(missing)).value).toEqual(missing);
  });

  test("long lists of texts are compressed and come back exactly", async () => {
    const texts = Array.from({ length: 40 }, (_, i) =>
      Array.from({ length: 50 }, (_cell, j) => ` t${i % 7}${j % 3}\n\ud83d`),
    );
    expect(JSON.stringify(pack(texts)).length).toBeLessThan(JSON.stringify(texts).length / 10);
    expect(await roundTrip(texts)).toEqual({ value: texts, rounding: 0 });
  });

  test("ragged lists and lists of objects are packed inside only", async () => {
    const value = { rows: [wave(3), wave(2)], items: [{ a: 1 }, { a: wave(3) }], none: null };
    expect(await roundTrip(value)).toEqual({ value, rounding: 0 });
  });

  test("any numbers come back within half a step, wherever they lie", async () => {
    const anyNumber = fc.double({ noDefaultInfinity: true, min: -1e300, max: 1e300 });
    await fc.assert(
      fc.asyncProperty(fc.array(anyNumber, { minLength: 1, maxLength: 12 }), async (seeds) => {
        const values = Array.from({ length: 1200 }, (_, i) => seeds[i % seeds.length] ?? 0);
        const { value, rounding } = await roundTrip(values.map(encodeCell));
        const back = (value as Cell[]).map(decodeCell);
        seeds.forEach((seed, i) => {
          if (Number.isNaN(seed)) expect(back[i]).toBeNaN();
          else expect(Math.abs((back[i] ?? 0) / 2 - seed / 2)).toBeLessThanOrEqual((rounding / 2) * 0.51);
        });
      }),
      { numRuns: 40 },
    );
  });
});
