import { describe, expect, it } from "vitest";
import { bfloat16ToFloat32, float16ToFloat32, toBfloat16, toFloat16 } from "../../../src/tensor/index.js";

/** The closed form of IEEE 754 binary16. */
function float16Value(bits: number): number {
  const sign = bits >= 0x8000 ? -1 : 1;
  const exponent = Math.floor(bits / 1024) % 32;
  const fraction = bits % 1024;
  if (exponent === 31) return fraction === 0 ? sign * Infinity : Number.NaN;
  return exponent === 0 ? sign * fraction * 2 ** -24 : sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}

/** The nearest of all finite values by search, ties to the even bit pattern. */
function nearestBits(value: number, table: readonly number[]): number {
  let [low, high] = [0, table.length - 1];
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if ((table[middle] ?? 0) <= value) low = middle;
    else high = middle;
  }
  const [below, above] = [value - (table[low] ?? 0), (table[high] ?? 0) - value];
  if (below === above) return low % 2 === 0 ? low : high;
  return below < above ? low : high;
}

const allBits = Uint16Array.from({ length: 65_536 }, (_, i) => i);

describe("float16", () => {
  it("widens every one of the 65,536 values to its closed form", () => {
    const widened = float16ToFloat32(allBits);
    const wrong = allBits.filter((bits) => !Object.is(widened[bits], float16Value(bits)));
    expect([...wrong]).toEqual([]);
  });

  it("narrows every widened value back to its own bits, NaN staying NaN", () => {
    const back = toFloat16(float16ToFloat32(allBits));
    const isNaNBits = (bits: number): boolean => Number.isNaN(float16Value(bits));
    expect([...allBits.filter((bits) => !isNaNBits(bits) && back[bits] !== bits)]).toEqual([]);
    expect([...allBits.filter((bits) => isNaNBits(bits) && !isNaNBits(back[bits] ?? 0))]).toEqual([]);
    expect([...allBits.filter((bits) => isNaNBits(bits) && (bits & 0x8000) !== ((back[bits] ?? 0) & 0x8000))]).toEqual(
      [],
    );
  });

  it("rounds midpoints between neighbours to the even one, and numbers beside them to the nearest", () => {
    const wrong: number[] = [];
    for (let bits = 0; bits < 0x7bff; bits++) {
      const [low, high] = [float16Value(bits), float16Value(bits + 1)];
      const middle = (low + high) / 2;
      const even = bits % 2 === 0 ? bits : bits + 1;
      const [a, b, c] = toFloat16(Float64Array.of(middle, middle * (1 - 2 ** -52), middle * (1 + 2 ** -52)));
      if (a !== even || b !== bits || c !== bits + 1) wrong.push(bits);
      const [d, e] = toFloat16(Float32Array.of(middle, -middle));
      if (d !== even || e !== even + 0x8000) wrong.push(bits);
    }
    expect(wrong).toEqual([]);
  });

  it("keeps zeros with their signs, overflows to infinity from 65520, and rounds tiny numbers to zero", () => {
    const values = Float32Array.of(
      0,
      -0,
      65_504,
      65_519.996,
      65_520,
      Infinity,
      -1e30,
      2 ** -25,
      2 ** -25 * 1.0001,
      1e-40,
    );
    const expected = [0, 0x8000, 0x7bff, 0x7bff, 0x7c00, 0x7c00, 0xfc00, 0, 1, 0];
    expect([...toFloat16(values)]).toEqual(expected);
    expect([...toFloat16(Float64Array.from(values))]).toEqual(expected);
  });

  it("agrees with a search over the table for numbers of all sizes", () => {
    const table = Array.from({ length: 0x7c00 }, (_, bits) => float16Value(bits));
    for (let i = 0; i < 2000; i++) {
      const value = 2 ** (-26 + (i % 41)) * (1 + ((i * 7919) % 1009) / 1009);
      if (value > 65_504) continue;
      expect(toFloat16(Float64Array.of(value))[0]).toBe(nearestBits(value, table));
    }
  });
});

describe("bfloat16", () => {
  it("widens every value to the float32 with the same upper half", () => {
    const words = new Uint32Array(bfloat16ToFloat32(allBits).buffer);
    expect([...allBits.filter((bits) => words[bits] !== bits * 65_536)]).toEqual([]);
  });

  it("narrows every widened value back to its own bits, NaN staying NaN", () => {
    const widened = bfloat16ToFloat32(allBits);
    const back = toBfloat16(widened);
    expect([...allBits.filter((bits) => !Number.isNaN(widened[bits]) && back[bits] !== bits)]).toEqual([]);
    const nans = allBits.filter((bits) => Number.isNaN(widened[bits]));
    expect([...bfloat16ToFloat32(back.filter((_, i) => Number.isNaN(widened[i])))].every(Number.isNaN)).toBe(true);
    expect(nans.length).toBe(254);
  });

  it("rounds midpoints to even, and a float64 beside a midpoint once and not twice", () => {
    expect([...toBfloat16(Float32Array.of(1 + 2 ** -8, 1 + 3 * 2 ** -8))]).toEqual([0x3f80, 0x3f82]);
    const beside = [1 + 2 ** -8 + 2 ** -50, 1 + 2 ** -8 - 2 ** -50, 1 + 3 * 2 ** -8 - 2 ** -50];
    expect([...toBfloat16(Float64Array.from(beside))]).toEqual([0x3f81, 0x3f80, 0x3f81]);
  });

  it("overflows to infinity and keeps subnormals and signs", () => {
    const largest = (2 - 2 ** -7) * 2 ** 127;
    const half = 2 ** 119;
    expect([...toBfloat16(Float64Array.of(largest, largest + half, -1e300, 2 ** -133, -0))]).toEqual([
      0x7f7f, 0x7f80, 0xff80, 1, 0x8000,
    ]);
  });
});
