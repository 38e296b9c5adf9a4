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
    expect(cache.evict()).toEqual([1, 2]);
    expect(cache.size).toBe(2);
    expect(cache.bytes).toBe(20);
    expect(cache.use("k1")).toBeUndefined();
  });

  test("counts working memory that a run has shown", () => {
    const cache = cacheOf(25, 10, 10);
    const entry = cache.use("k1");
    if (entry !== undefined) entry.workingBytes = 20;
    expect(cache.evict()).toEqual([0, 1]);
  });

  test("releases nothing within the limit", () => {
    expect(cacheOf(20, 10, 10).evict()).toEqual([]);
  });

  test("forgets everything when the worker is gone", () => {
    const cache = cacheOf(100, 10, 10);
    cache.clear();
    expect(cache.size).toBe(0);
    expect(cache.bytes).toBe(0);
  });
});
