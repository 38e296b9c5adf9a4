import { afterEach, describe, expect, test, vi } from "vitest";
import { BufferPool } from "../../../src/runtime/buffer-pool.js";

const size = 1 << 16;

afterEach(() => {
  vi.useRealTimers();
});

describe("BufferPool", () => {
  test("hands out the buffers it was given, by size", () => {
    const pool = new BufferPool();
    const [first, second] = pool.take([size, 2 * size]);
    for (const buffer of [first, second]) if (buffer !== undefined) pool.give(buffer);
    expect(pool.bytes).toBe(3 * size);
    expect(pool.take([2 * size, size])).toEqual([second, first]);
    expect(pool.bytes).toBe(0);
  });

  test("never hands out a buffer twice", () => {
    const pool = new BufferPool();
    const [buffer] = pool.take([size]);
    if (buffer !== undefined) pool.give(buffer);
    const [one, two] = pool.take([size, size]);
    expect(one).toBe(buffer);
    expect(two).not.toBe(buffer);
  });

  test("holds no more than the last two requests came to, and drops the oldest first", () => {
    const pool = new BufferPool();
    pool.take([size]);
    const given = [1, 2, 3].map(() => new ArrayBuffer(size));
    for (const buffer of given) pool.give(buffer);
    expect(pool.bytes).toBe(size);
    expect(pool.take([size])[0]).toBe(given[2]);
  });

  test("does not keep small buffers", () => {
    const pool = new BufferPool();
    pool.take([size]);
    pool.give(new ArrayBuffer(64));
    expect(pool.bytes).toBe(0);
  });

  test("gives everything back to the system after ten idle seconds", () => {
    vi.useFakeTimers();
    const pool = new BufferPool();
    const [buffer] = pool.take([size]);
    if (buffer !== undefined) pool.give(buffer);
    vi.advanceTimersByTime(10_000);
    expect(pool.bytes).toBe(0);
  });
});
