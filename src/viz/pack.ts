/**
 * Specs as compact JSON for notebooks: long lists of numbers become compressed bytes.
 *
 * 1. A rectangular list of more than 1,000 numbers is rounded to a grid of steps: 65,533 of them, or 253 above 20,000
 *    numbers. Zero lies on the grid, and whole numbers stay exact while they fit. The last three codes are +∞, −∞, NaN.
 * 2. The codes are gzipped and written in base64. A rectangular list of more than 1,000 texts is gzipped, too.
 *
 * `client/unpack.ts` is the inverse.
 */
import { gzipSync } from "node:zlib";
import { decodeCell, finiteExtent } from "./numbers.js";
import { base64 } from "./png.js";
import type { Cell } from "./spec.js";

/** Lists up to this length stay as they are. */
const exactCount = 1000;
/** Above this count numbers take one byte each. */
const byteCount = 20_000;

/** Beyond these, products of codes and steps would not be exact. */
const smallestStep = 1e-290;
const largestZero = 2 ** 40;

/** A list of numbers or texts as compressed bytes. */
export interface Packed {
  /** Bytes of a code, or `text`. */
  readonly packed: 1 | 2 | "text";
  readonly shape: readonly number[];
  /** The code of 0 and the value of one step; numbers are `(code - zero) * step`. */
  readonly zero: number;
  readonly step: number;
  /** Gzipped, in base64. */
  readonly data: string;
}

/** Returns `value` with its long lists packed; `isExact` leaves all numbers alone. */
export function pack(value: unknown, isExact = false): unknown {
  if (Array.isArray(value)) {
    const shape = shapeOf(value);
    if (shape !== undefined && shape.reduce((product, size) => product * size, 1) > exactCount) {
      const flat: readonly unknown[] = shape.length > 1 ? value.flat(shape.length - 1) : value;
      if (flat.every(isCell)) return isExact ? value : (packNumbers(flat, shape) ?? value);
      if (flat.every((item) => typeof item === "string")) return packTexts(flat, shape);
    }
    return value.map((item) => pack(item, isExact));
  }
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, pack(item, isExact)]));
}

/** The sizes of a rectangular nested list, or `undefined` when it is ragged or holds objects. */
function shapeOf(value: readonly unknown[]): readonly number[] | undefined {
  const [first] = value;
  if (!Array.isArray(first)) return value.some((item) => typeof item === "object") ? undefined : [value.length];
  const inner = shapeOf(first);
  if (inner === undefined) return undefined;
  const isSame = value.every((item) => {
    const shape = Array.isArray(item) ? shapeOf(item) : undefined;
    return shape?.length === inner.length && shape.every((size, i) => size === inner[i]);
  });
  return isSame ? [value.length, ...inner] : undefined;
}

function isCell(value: unknown): value is Cell {
  return typeof value === "number" || value === "NaN" || value === "Infinity" || value === "-Infinity";
}

function packTexts(texts: readonly unknown[], shape: readonly number[]): Packed {
  return { packed: "text", shape, zero: 0, step: 0, data: base64(gzipSync(JSON.stringify(texts), { level: 9 })) };
}

/** Returns `undefined` for numbers that no grid of steps fits, such as 1e300 beside 1e-300 away from 0. */
function packNumbers(cells: readonly Cell[], shape: readonly number[]): Packed | undefined {
  const bytes = cells.length > byteCount ? 1 : 2;
  const levels = bytes === 1 ? 253 : 65_533;
  const numbers = cells.map(decodeCell);
  const { zero, step } = chooseGrid(numbers, levels);
  if (!(step > smallestStep && step < Number.POSITIVE_INFINITY && Math.abs(zero) < largestZero)) return undefined;
  const codes = numbers.map((value) => codeOf(value, { zero, step, levels }));
  const data = bytes === 1 ? Uint8Array.from(codes) : byPlane(codes);
  return { packed: bytes, shape, zero, step, data: base64(gzipSync(data, { level: 9 })) };
}

/** Steps through the data's extent such that 0 is one of them. */
function chooseGrid(numbers: readonly number[], levels: number): { zero: number; step: number } {
  const { min, max } = finiteExtent(numbers) ?? { min: 0, max: 0 };
  const isWhole = numbers.every((value) => Number.isInteger(value) || !Number.isFinite(value));
  if (isWhole && max - min < levels) return { zero: -min, step: 1 };
  // One step is kept for rounding 0 onto the grid. A single value is one step from 0.
  const step = (max - min) / (levels - 2) || Math.abs(min) || 1;
  return { zero: -Math.floor(min / step), step };
}

function codeOf(value: number, grid: { zero: number; step: number; levels: number }): number {
  if (Number.isNaN(value)) return grid.levels + 2;
  if (!Number.isFinite(value)) return grid.levels + (value > 0 ? 0 : 1);
  return Math.min(grid.levels - 1, Math.max(0, Math.round(value / grid.step) + grid.zero));
}

/** All low bytes, then all high bytes: neighbours resemble each other, so this compresses better. */
function byPlane(codes: readonly number[]): Uint8Array {
  const bytes = new Uint8Array(2 * codes.length);
  codes.forEach((code, i) => {
    bytes[i] = code & 255;
    bytes[codes.length + i] = code >> 8;
  });
  return bytes;
}
