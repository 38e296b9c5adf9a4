import { inspect } from "node:util";
import { afterAll, describe, expect, test } from "vitest";
import type { GraphDType } from "../../../src/graph/index.js";
import { Engine, type Program, type RawTensor } from "../../../src/runtime/index.js";
import {
  chain,
  doubleProgram,
  doubling,
  f32,
  graph,
  identity,
  node,
  slowProgram,
  value,
} from "../../unit/runtime/graphs.js";

const engine = Engine.create();
afterAll(() => engine.close());

/** `y = x @ w` where both are fed. */
function product(): Program {
  const [x, w, y] = [value("x", ["n", "k"]), value("w", ["k", "m"]), value("y", ["n", "m"])];
  return { segments: [graph([x, w], [node("MatMul", [x, w], [y])], [y])], outputs: ["y"] };
}

/** `y = x` with another dtype per run. */
function identityOf(dtype: GraphDType): Program {
  const [x, y] = [value("x", ["n"], dtype), value("y", ["n"], dtype)];
  return { segments: [graph([x], [node("Identity", [x], [y])], [y])], outputs: ["y"] };
}

describe("Engine.run", () => {
  test("computes in the worker and gives back plain tensors", async () => {
    expect(await engine.run(doubleProgram, { x: f32([1, -2, 0.5]) })).toEqual({ y: f32([2, -4, 1]) });
  });

  test("passes values from segment to segment and reports each", async () => {
    const events: unknown[] = [];
    const result = await engine.run(chain(3), { v0: f32([1, 3]) }, { onProgress: (event) => events.push(event) });
    expect(result).toEqual({ v3: f32([8, 24]) });
    expect(events).toEqual([1, 2, 3].map((done) => ({ done, total: 3, label: "run" })));
  });

  test("gives back outputs of any segment, in the order asked for", async () => {
    const result = await engine.run({ ...chain(3), outputs: ["v3", "v1"] }, { v0: f32([1]) });
    expect(Object.entries(result)).toEqual([
      ["v3", f32([8])],
      ["v1", f32([2])],
    ]);
  });

  test.each<RawTensor>([
    { dtype: "float32", shape: [2], data: Float32Array.of(1.5, Number.NaN) },
    { dtype: "float64", shape: [2], data: Float64Array.of(1e-300, Number.POSITIVE_INFINITY) },
    { dtype: "int32", shape: [2], data: Int32Array.of(-(2 ** 31), 2 ** 31 - 1) },
    { dtype: "int64", shape: [2], data: BigInt64Array.of(-(2n ** 63n), 2n ** 63n - 1n) },
    { dtype: "bool", shape: [2], data: Uint8Array.of(0, 1) },
    { dtype: "float32", shape: [0], data: new Float32Array(0) },
  ])("carries $dtype of shape $shape there and back", async (x) => {
    expect(await engine.run(identityOf(x.dtype), { x })).toEqual({ y: x });
  });

  test("takes a scalar", async () => {
    const [x, y] = [value("x", []), value("y", [])];
    const program = { segments: [graph([x], [node("Add", [x, x], [y])], [y])], outputs: ["y"] };
    expect(await engine.run(program, { x: f32([4], []) })).toEqual({ y: f32([8], []) });
  });

  test("copies feeds at the call, so later changes do not reach the run", async () => {
    const x = f32([1, 2]);
    const first = engine.run(doubleProgram, { x });
    const second = engine.run(doubleProgram, { x });
    x.data[0] = 100;
    expect([await first, await second]).toEqual([{ y: f32([2, 4]) }, { y: f32([2, 4]) }]);
    expect(x.data).toEqual(Float32Array.of(100, 2));
  });

  test("takes the feeds' buffers with transfer", async () => {
    const x = f32([1, 2]);
    const run = engine.run(doubleProgram, { x }, { transfer: true });
    expect(x.data.length).toBe(0);
    expect(await run).toEqual({ y: f32([2, 4]) });
  });

  test("takes views and data over shared memory", async () => {
    const shared = new Float32Array(new SharedArrayBuffer(12));
    shared.set([1, 2, 3]);
    const x = { dtype: "float32", shape: [2], data: shared.subarray(1) } as const;
    expect(await engine.run(doubleProgram, { x })).toEqual({ y: f32([4, 6]) });
    expect(await engine.run(doubleProgram, { x }, { transfer: true })).toEqual({ y: f32([4, 6]) });
  });

  test("takes one array for two inputs with transfer", async () => {
    const [a, b, y] = [value("a", ["n"]), value("b", ["n"]), value("y", ["n"])];
    const program = { segments: [graph([a, b], [node("Add", [a, b], [y])], [y])], outputs: ["y"] };
    const data = f32([1, 2]);
    await expect(engine.run(program, { a: data, b: data }, { transfer: true })).resolves.toEqual({ y: f32([2, 4]) });
  });

  test("runs in the order of the calls", async () => {
    const done: number[] = [];
    await Promise.all([3, 1, 2].map((n) => engine.run(chain(n), { v0: f32([1]) }).then(() => done.push(n))));
    expect(done).toEqual([3, 1, 2]);
  });

  test("refuses feeds that would broadcast silently", async () => {
    const [a, b, y] = [value("a", ["n"]), value("b", ["n"]), value("y", ["n"])];
    const program = { segments: [graph([a, b], [node("Add", [a, b], [y])], [y])], outputs: ["y"] };
    await expect(engine.run(program, { a: f32([1, 2]), b: f32([1]) })).rejects.toThrow(
      'engine.run: feed "b": got shape [1], so n=1; expected n=2 as in feed "a" of shape [2].',
    );
  });

  test("wraps onnxruntime's errors, names the node and stays usable", async () => {
    const [x, y] = [value("x", ["n"]), value("y", [3, "m"])];
    const shape = value("shape", [2], "int64");
    const source = { kind: "data", data: BigInt64Array.of(3n, -1n) } as const;
    const reshape = graph([x], [node("Reshape", [x, shape], [y])], [y], [{ value: shape, source }]);
    const program = { segments: [doubling("v", "x"), reshape], outputs: ["y"] };
    const failed = engine.run(program, { v: f32([1, 2, 3, 4]) });
    await expect(failed).rejects.toMatchObject({ code: "RUN", where: 'engine.run: segment 2 of 2: Reshape node "y"' });
    await expect(engine.run(program, { v: f32([1, 2, 3]) })).resolves.toEqual({ y: f32([2, 4, 6], [3, 1]) });
  });

  test("says that memory is short instead of breaking", async () => {
    const [x, n, y] = [value("x", [1]), value("n", [1], "int64"), value("y", ["big"])];
    const program = { segments: [graph([x, n], [node("Expand", [x, n], [y])], [y])], outputs: ["y"] };
    const big: RawTensor = { dtype: "int64", shape: [1], data: BigInt64Array.of(2n ** 46n) };
    await expect(engine.run(program, { x: f32([1]), n: big })).rejects.toMatchObject({ code: "MEMORY" });
    await expect(engine.run(doubleProgram, { x: f32([1]) })).resolves.toEqual({ y: f32([2]) });
  });

  test("multiplies matrices as by hand", async () => {
    const feeds = { x: f32([1, 2, 3, 4, 5, 6], [2, 3]), w: f32([1, 0, 0, 1, 1, 1], [3, 2]) };
    expect(await engine.run(product(), feeds)).toEqual({ y: f32([4, 5, 10, 11], [2, 2]) });
  });

  test("leaves the calling thread free", async () => {
    let ticks = 0;
    const program = slowProgram(1, 8);
    await engine.prepare(program);
    const timer = setInterval(() => ticks++, 2);
    await engine.run(program, { v0: identity(800) });
    clearInterval(timer);
    expect(ticks).toBeGreaterThanOrEqual(3);
  });
});

describe("Engine.create", () => {
  test.each([
    [{ threads: 0 }, "Engine.create: threads: got 0; expected a whole number of 1 or more."],
    [{ threads: 1.5 }, "Engine.create: threads: got 1.5; expected a whole number of 1 or more."],
    [{ sessionCacheBytes: -1 }, "Engine.create: sessionCacheBytes: got -1; expected a number of bytes of 0 or more."],
    [{ provider: "tpu" as "cpu" }, 'Engine.create: provider: got tpu; expected "cpu", "webgpu" or "cuda".'],
  ])("refuses %j", (options, message) => {
    expect(() => Engine.create(options)).toThrow(message);
  });

  test("prints itself in one line", () => {
    expect(inspect(Engine.create({ threads: 2 }))).toBe("Engine(cpu, 2 threads, 0 sessions, 0 B)");
  });

  test("starts nothing", () => {
    expect(Engine.create().stats()).toMatchObject({ sessions: 0, startMs: 0, runs: 0, pending: 0 });
  });
});
