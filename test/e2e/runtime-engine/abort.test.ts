import { afterAll, describe, expect, test } from "vitest";
import { Engine } from "../../../src/runtime/index.js";
import { doubleProgram, f32, identity, slowProgram } from "../../unit/runtime/graphs.js";

const engine = Engine.create();
afterAll(() => engine.close());

describe("an abort", () => {
  test("lands within one segment, and the engine goes on", async () => {
    const controller = new AbortController();
    let done = 0;
    let abortedAt = 0;
    const run = engine.run(
      slowProgram(200, 10),
      { v0: identity(320) },
      {
        signal: controller.signal,
        onProgress: (event) => {
          done = event.done;
          if (done !== 2) return;
          abortedAt = performance.now();
          controller.abort("enough");
        },
      },
    );
    await expect(run).rejects.toMatchObject({ code: "ABORTED", where: "engine.run", cause: "enough" });
    expect(performance.now() - abortedAt).toBeLessThan(500);
    expect(done).toBeLessThan(10);
    expect(await engine.run(doubleProgram, { x: f32([1]) })).toEqual({ y: f32([2]) });
  });

  test("before the call rejects without starting anything", async () => {
    const runs = engine.stats().runs;
    const run = engine.run(doubleProgram, { x: f32([1]) }, { signal: AbortSignal.abort() });
    await expect(run).rejects.toMatchObject({ code: "ABORTED" });
    expect(engine.stats().runs).toBe(runs);
  });

  test("removes a queued run at once while another runs", async () => {
    const controller = new AbortController();
    const slow = engine.run(slowProgram(10, 10), { v0: identity(320) });
    let isSlowDone = false;
    void slow.then(() => {
      isSlowDone = true;
    });
    const queued = engine.run(doubleProgram, { x: f32([1]) }, { signal: controller.signal });
    controller.abort();
    await expect(queued).rejects.toMatchObject({ code: "ABORTED" });
    expect(isSlowDone).toBe(false);
    await slow;
  });

  test("during the last segment rejects too", async () => {
    const controller = new AbortController();
    const run = engine.run(slowProgram(1, 60), { v0: identity(512) }, { signal: controller.signal });
    setTimeout(() => controller.abort(), 30);
    await expect(run).rejects.toMatchObject({ code: "ABORTED" });
  });

  test("of one run leaves the next alone, also with the same signal gone", async () => {
    const controller = new AbortController();
    const first = engine.run(slowProgram(50, 10), { v0: identity(256) }, { signal: controller.signal });
    const second = engine.run(doubleProgram, { x: f32([3]) });
    setTimeout(() => controller.abort(), 20);
    await expect(first).rejects.toMatchObject({ code: "ABORTED" });
    await expect(second).resolves.toEqual({ y: f32([6]) });
  });
});

describe("Engine.close", () => {
  test("ends the running run after its segment, rejects waiting ones, and is idempotent", async () => {
    const own = Engine.create();
    const running = own.run(slowProgram(200, 10), { v0: identity(320) });
    const waiting = own.run(doubleProgram, { x: f32([1]) });
    const settled = Promise.allSettled([running, waiting]);
    await new Promise((resolve) => setTimeout(resolve, 400));
    await Promise.all([own.close(), own.close(), own[Symbol.asyncDispose]()]);
    expect(await settled).toMatchObject([
      { status: "rejected", reason: { code: "ABORTED" } },
      { status: "rejected", reason: { code: "ABORTED" } },
    ]);
    await expect(own.run(doubleProgram, { x: f32([1]) })).rejects.toMatchObject({ code: "DISPOSED" });
    await expect(own.prepare(doubleProgram)).rejects.toThrow("engine.prepare: got an engine that was closed");
    await expect(own.put("a", f32([1]))).rejects.toMatchObject({ code: "DISPOSED" });
    expect(own.stats()).toMatchObject({ sessions: 0, pending: 0, bytes: 0 });
  });

  test("does nothing to an engine that was never used", async () => {
    await expect(Engine.create().close()).resolves.toBeUndefined();
  });

  test("works with await using", async () => {
    let kept: Engine | undefined;
    {
      await using own = Engine.create();
      kept = own;
      await own.run(doubleProgram, { x: f32([1]) });
    }
    await expect(kept.run(doubleProgram, { x: f32([1]) })).rejects.toMatchObject({ code: "DISPOSED" });
  });
});
