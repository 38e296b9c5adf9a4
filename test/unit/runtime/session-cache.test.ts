import { describe, expect, test } from "vitest";
import { SessionCache } from "../../../src/runtime/session-cache.js";

function cacheOf(limit: number, ...bytes: readonly number[]): SessionCache {
  const cache = new SessionCache(limit);
  for (const [id, baseBytes] of bytes.entries())
    cache.add({ id, key: `k${id}`, baseBytes, workingBytes: 0, measured: "" });
  return cache;
}

describe("SessionCache", () => {
  test("releases the least recently used sessions until the rest fits", () => {
    const cache = cacheOf(25, 10, 10, 10, 10);
    expect(cache.use("k0")?.id).toBe(0);
    expect(cache.makeRoom()).toEqual([1, 2]);
    expect(cache.size).toBe(2);
    expect(cache.bytes).toBe(20);
    expect(cache.use("k1")).toBeUndefined();
  });

  test("counts working memory that a run has shown", () => {
    const cache = cacheOf(25, 10, 10);
    const entry = cache.use("k1");
    if (entry !== undefined) entry.workingBytes = 20;
    expect(cache.makeRoom()).toEqual([0, 1]);
  });

  test("makes room for what is about to come, but not from what is in use", () => {
    const cache = cacheOf(30, 10, 10, 10);
    const oldest = cache.use("k0");
    cache.use("k1");
    cache.use("k2");
    expect(cache.makeRoom(10, new Set(oldest === undefined ? [] : [oldest]))).toEqual([1]);
    expect(cache.use("k0")).toBe(oldest);
  });

  test("forgets a single session", () => {
    const cache = cacheOf(30, 10, 10);
    const entry = cache.use("k0");
    if (entry !== undefined) cache.delete(entry);
    expect(cache.size).toBe(1);
  });

  test("releases nothing within the limit", () => {
    expect(cacheOf(20, 10, 10).makeRoom()).toEqual([]);
  });

  test("forgets everything when the worker is gone", () => {
    const cache = cacheOf(100, 10, 10);
    cache.clear();
    expect(cache.size).toBe(0);
    expect(cache.bytes).toBe(0);
  });
});
