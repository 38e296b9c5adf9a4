import { afterAll, describe, expect, test } from "vitest";
import { loadModel } from "../../../src/model/index.js";
import { Engine, type RawTensor } from "../../../src/runtime/index.js";
import { doubleProgram } from "../../unit/runtime/graphs.js";

const engine = Engine.create();
afterAll(() => engine.close());

function ramp(length: number, step: number): RawTensor {
  return { dtype: "float32", shape: [length], data: Float32Array.from({ length }, (_, i) => i * step) };
}

describe("recycled memory", () => {
  test("is empty for its former holder and holds the next result", async () => {
    const { y: first } = await engine.run(doubleProgram, { x: ramp(20_000, 1) });
    if (first === undefined) throw new Error("no output");
    engine.recycle([first]);
    expect(first.data).toHaveLength(0);
    const { y: second } = await engine.run(doubleProgram, { x: ramp(20_000, 3) });
    expect(second).toEqual(ramp(20_000, 6));
  });

  test("does not mix results that are alive with later ones", async () => {
    const kept = await engine.run(doubleProgram, { x: ramp(20_000, 1) });
    const lost = await engine.run(doubleProgram, { x: ramp(20_000, 2) });
    engine.recycle(Object.values(lost));
    await engine.run(doubleProgram, { x: ramp(20_000, 5) });
    expect(kept).toEqual({ y: ramp(20_000, 2) });
  });
});

describe("run.release", () => {
  test("keeps what was read, refuses what was not, and leaves later runs right", async () => {
    await using model = await loadModel("tiny");
    const capture = ["blocks.*.hook_resid_post", "blocks.*.mlp.hook_post"];
    const ids = Array.from({ length: 64 }, (_, i) => (i * 37) % 2000);
    const reference = await model.run([ids], { capture });
    const run = await model.run([ids], { capture });
    const read = run.cache.get("resid_post", 1);
    const { logits } = run;
    run.release();
    const other = await model.run([ids.toReversed()], { capture });
    expect(other.cache.get("resid_post", 1).maxAbsDiff(read)).toBeGreaterThan(0.1);
    expect(read.maxAbsDiff(reference.cache.get("resid_post", 1))).toBe(0);
    expect(run.cache.get("resid_post", 1).maxAbsDiff(read)).toBe(0);
    expect(run.logits.maxAbsDiff(logits)).toBe(0);
    expect(() => run.cache.get("resid_post", 0)).toThrow(
      "run: blocks.0.hook_resid_post: got a result that run.release() gave back; expected one that is still there. Read it before releasing the run, or run again.",
    );
    run.release();
  });
});
