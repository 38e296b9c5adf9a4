import { afterEach, describe, expect, test } from "vitest";
import { Engine, type Program } from "../../../src/runtime/index.js";
import { f32, graph, identity, node, slowSegment, value } from "../../unit/runtime/graphs.js";

let engine: Engine;
const open = (): Engine => {
  engine = Engine.create();
  return engine;
};
afterEach(() => engine.close());

/** One step of gradient descent on `w`: `next = w - step`, with `w` kept in the engine. */
function descent(shape: readonly (number | string)[]): Program {
  const [w, step, next] = [value("w", shape), value("step", shape), value("next", shape)];
  const segments = [graph([w, step], [node("Sub", [w, step], [next])], [next])];
  return { segments, outputs: [], resident: { inputs: { w: "weights" }, outputs: { next: "weights" } } };
}

describe("resident tensors", () => {
  test.each([[[3]], [["n"]]])("are read and replaced by runs over shape %j", async (shape) => {
    open();
    await engine.put("weights", f32([10, 20, 30]));
    for (let step = 0; step < 5; step++) {
      expect(await engine.run(descent(shape), { step: f32([1, 2, 3]) })).toEqual({});
    }
    expect(await engine.get("weights")).toEqual(f32([5, 10, 15]));
  });

  test("keep two buffers, so a fixed shape allocates nothing more", async () => {
    open();
    await engine.put("weights", f32([1, 1, 1]));
    expect(engine.stats().residentBytes).toBe(12);
    for (let step = 0; step < 3; step++) await engine.run(descent([3]), { step: f32([1, 1, 1]) });
    expect(engine.stats().residentBytes).toBe(24);
  });

  test("can be given back by a run as well, as copies", async () => {
    open();
    await engine.put("weights", f32([1, 1, 1]));
    const program = { ...descent([3]), outputs: ["next"] };
    const first = await engine.run(program, { step: f32([1, 0, 0]) });
    await engine.run(program, { step: f32([1, 0, 0]) });
    await engine.run(program, { step: f32([1, 0, 0]) });
    expect(first).toEqual({ next: f32([0, 1, 1]) });
    expect(await engine.get("weights")).toEqual(f32([-2, 1, 1]));
  });

  test("are copies for the caller on both sides", async () => {
    open();
    const mine = f32([1, 2]);
    await engine.put("a", mine);
    mine.data[0] = 9;
    const got = await engine.get("a");
    got.data[1] = 9;
    expect(await engine.get("a")).toEqual(f32([1, 2]));
  });

  test("are given away with transfer", async () => {
    open();
    const mine = f32([1, 2]);
    const put = engine.put("a", mine, { transfer: true });
    expect(mine.data.length).toBe(0);
    await put;
    expect(await engine.get("a")).toEqual(f32([1, 2]));
  });

  test("stay as they were when a run is aborted", async () => {
    open();
    const shape = [320, 320];
    const [w, v0, next] = [value("w", shape), value("v0", ["n", "n"]), value("next", shape)];
    const step = graph([w], [node("Add", [w, w], [next])], [next]);
    const program: Program = {
      segments: [step, ...Array.from({ length: 100 }, (_, index) => slowSegment(`v${index}`, `v${index + 1}`, 5))],
      outputs: ["v100"],
      resident: { inputs: { w: "weights" }, outputs: { next: "weights" } },
    };
    expect(v0.name).toBe("v0");
    await engine.put("weights", identity(320));
    const controller = new AbortController();
    const onProgress = (): void => controller.abort();
    const run = engine.run(program, { v0: identity(320) }, { signal: controller.signal, onProgress });
    await expect(run).rejects.toMatchObject({ code: "ABORTED" });
    expect((await engine.get("weights")).data[0]).toBe(1);
  });

  test("that do not exist or do not fit are refused by name", async () => {
    open();
    await expect(engine.get("weights")).rejects.toThrow(
      'engine.get: resident tensor "weights": got a name that the engine does not hold; expected one of none so far. Put it first, or let a run write it.',
    );
    await expect(engine.run(descent([3]), { step: f32([1, 2, 3]) })).rejects.toMatchObject({ code: "INPUT" });
    await engine.put("weights", f32([1, 2, 3, 4], [2, 2]));
    await expect(engine.run(descent([3]), { step: f32([1, 2, 3]) })).rejects.toThrow(
      'engine.run: resident tensor "weights": got float32 [2, 2]; expected float32 [3] for input "w". Put a tensor of that type and rank.',
    );
    await engine.put("weights", f32([1, 2]));
    await expect(engine.run(descent(["n"]), { step: f32([1, 2, 3]) })).rejects.toThrow("n=");
    await expect(engine.put("bad", f32([1], [2]))).rejects.toThrow('engine.put: "bad": got 1 values for shape [2]');
  });

  test("are forgotten when dropped", async () => {
    open();
    await engine.put("a", f32([1]));
    await engine.drop("a");
    await engine.drop("never");
    await expect(engine.get("a")).rejects.toMatchObject({ code: "INPUT" });
    expect(engine.stats().residentBytes).toBe(0);
  });
});
