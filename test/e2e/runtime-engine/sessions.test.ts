import { afterEach, describe, expect, test } from "vitest";
import { Engine, type EngineOptions } from "../../../src/runtime/index.js";
import { chain, doubleProgram, doubling, f32, graph, node, value } from "../../unit/runtime/graphs.js";

let engine: Engine;
function open(options?: EngineOptions): Engine {
  engine = Engine.create(options);
  return engine;
}
afterEach(() => engine.close());

const x = f32([1]);

describe("compiled sessions", () => {
  test("are shared by equal graphs, and equal graphs asked for twice at once compile once", async () => {
    open();
    await Promise.all([1, 2, 3].map(() => engine.run({ segments: [doubling("x", "y")], outputs: ["y"] }, { x })));
    expect(engine.stats()).toMatchObject({ sessions: 1, misses: 1, hits: 2, runs: 3 });
  });

  test("encode nothing when they are found", async () => {
    open();
    await engine.run(doubleProgram, { x });
    const { encodeMs, createMs } = engine.stats();
    expect(encodeMs).toBeGreaterThan(0);
    await engine.run(doubleProgram, { x });
    expect(engine.stats()).toMatchObject({ encodeMs, createMs, hits: 1 });
  });

  test("are told apart by prepacking and found again by key", async () => {
    open();
    await engine.run(doubleProgram, { x });
    await engine.run({ ...doubleProgram, prepack: true }, { x });
    expect(engine.stats()).toMatchObject({ sessions: 2, misses: 2 });
    await engine.run({ ...doubleProgram, key: "double" }, { x });
    await engine.run({ segments: [doubling("x", "y")], outputs: ["y"], key: "double" }, { x });
    expect(engine.stats()).toMatchObject({ sessions: 3, misses: 3, hits: 1 });
  });

  test("are prepared ahead of the first run", async () => {
    open();
    const info = await engine.prepare(chain(3));
    expect(info).toMatchObject({ sessions: 3, created: 3 });
    expect(info.encodeMs).toBeGreaterThan(0);
    expect(info.createMs).toBeGreaterThan(0);
    expect(await engine.prepare(chain(3))).toEqual({ sessions: 3, created: 0, encodeMs: 0, createMs: 0 });
    await engine.run(chain(3), { v0: x });
    expect(engine.stats()).toMatchObject({ misses: 3, hits: 6 });
  });

  test("are released, oldest use first, when they hold too much", async () => {
    open({ sessionCacheBytes: 3_000_000 });
    for (let index = 0; index < 12; index++) {
      await engine.run({ segments: [doubling("x", `y${index}`)], outputs: [`y${index}`] }, { x });
    }
    const { sessions, evictions, bytes } = engine.stats();
    expect(bytes).toBeLessThanOrEqual(3_000_000);
    expect(sessions + evictions).toBe(12);
    expect(evictions).toBeGreaterThan(0);
    await engine.run({ segments: [doubling("x", "y11")], outputs: ["y11"] }, { x });
    expect(engine.stats().hits).toBe(1);
    await engine.run({ segments: [doubling("x", "y0")], outputs: ["y0"] }, { x });
    expect(engine.stats().hits).toBe(1);
  });

  test("of one run may exceed the bound while it lasts", async () => {
    open({ sessionCacheBytes: 0 });
    expect(await engine.run(chain(4), { v0: x })).toEqual({ v4: f32([16]) });
    expect(engine.stats()).toMatchObject({ sessions: 0, evictions: 4, bytes: 0 });
  });

  test("count the memory that a large run showed to need", async () => {
    open({ sessionCacheBytes: 10_000_000 });
    await engine.run(doubleProgram, { x });
    expect(engine.stats().sessions).toBe(1);
    await engine.run(doubleProgram, { x: f32(new Array<number>(4_000_000).fill(1)) });
    expect(engine.stats()).toMatchObject({ sessions: 0, evictions: 1 });
  });

  test("of a run that exceeds the bound are released as it goes, so its memory stays bounded", async () => {
    open({ sessionCacheBytes: 30_000_000 });
    const count = 1_000_000;
    const feed = f32(new Array<number>(count).fill(1));
    const { v12 } = await engine.run(chain(12), { v0: feed });
    expect(v12?.data[count - 1]).toBe(4096);
    expect(engine.stats()).toMatchObject({ sessions: 6, evictions: 6, misses: 12 });
    expect(engine.stats().bytes).toBeLessThanOrEqual(30_000_000);
    await engine.run(chain(12), { v0: feed });
    expect(engine.stats()).toMatchObject({ hits: 6, misses: 18 });
  });

  test("that onnxruntime refuses are an error that leaves the engine usable", async () => {
    open();
    const [a, b, c] = [value("a", [2]), value("b", [3]), value("c", [2])];
    const wrong = { segments: [graph([a, b], [node("Add", [a, b], [c])], [c])], outputs: ["c"] };
    await expect(engine.prepare(wrong)).rejects.toMatchObject({ code: "RUN", where: "engine.prepare" });
    await expect(engine.run(doubleProgram, { x })).resolves.toEqual({ y: f32([2]) });
    expect(engine.stats().sessions).toBe(1);
  });

  test.each(["webgpu", "cuda"] as const)("on %s say what to do where it cannot start, or run", async (provider) => {
    open({ provider });
    const outcome = await engine.run(doubleProgram, { x }).catch((error: unknown) => error);
    if (outcome instanceof Error) {
      expect(outcome).toMatchObject({ code: "UNSUPPORTED" });
      expect(outcome.message).toContain(`a working "${provider}" provider`);
      expect(outcome.message).toContain('use provider "cpu"');
    } else {
      expect(outcome).toEqual({ y: f32([2]) });
    }
  });
});
