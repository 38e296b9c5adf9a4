import { describe, expect, test } from "vitest";
import { buffersOf, copyTensor, detachTensor, ownBuffer } from "../../../src/runtime/buffers.js";
import * as control from "../../../src/runtime/control.js";
import { coresOf, physicalCores } from "../../../src/runtime/threads.js";
import { f32 } from "./graphs.js";

describe("buffers", () => {
  test("a copy of a view owns only its part", () => {
    const whole = Float32Array.of(1, 2, 3, 4);
    const copy = copyTensor({ dtype: "float32", shape: [2], data: whole.subarray(1, 3) });
    expect(copy).toEqual(f32([2, 3]));
    expect(copy.data.buffer.byteLength).toBe(8);
  });

  test("a copy of data over shared memory is over plain memory", () => {
    const shared = new Float32Array(new SharedArrayBuffer(8));
    shared.set([5, 6]);
    const copy = copyTensor({ dtype: "float32", shape: [2], data: shared });
    expect(copy.data.buffer).toBeInstanceOf(ArrayBuffer);
    expect(copy).toEqual(f32([5, 6]));
  });

  test("detaching empties the source without copying", () => {
    const source = f32([1, 2]);
    const taken = detachTensor(source);
    expect(taken).toEqual(f32([1, 2]));
    expect(source.data.length).toBe(0);
  });

  test("detaching a view copies, because others may use the rest of its buffer", () => {
    const whole = Float32Array.of(1, 2, 3);
    expect(detachTensor({ dtype: "float32", shape: [1], data: whole.subarray(2) })).toEqual(f32([3]));
    expect(whole.length).toBe(3);
  });

  test("each buffer is listed once", () => {
    const one = f32([1]);
    expect(buffersOf([one, ownBuffer(one), f32([2])])).toHaveLength(2);
  });
});

describe("control", () => {
  test("work is marked as busy while it lasts, also when it fails", async () => {
    const cells = control.createControl();
    await control.whileBusy(cells, () => {
      expect(control.waitUntilIdle(cells, 1)).toBe(false);
      return Promise.resolve();
    });
    expect(control.waitUntilIdle(cells, 0)).toBe(true);
    await expect(control.whileBusy(cells, () => Promise.reject(new Error("no")))).rejects.toThrow("no");
    expect(control.waitUntilIdle(cells, 0)).toBe(true);
  });

  test("nothing begins after a stop", async () => {
    const cells = control.createControl();
    control.requestStop(cells);
    await expect(control.whileBusy(cells, () => Promise.reject(new Error("began")))).rejects.toThrow(
      "engine: got a request to close while work was under way; expected the work to end first. Await your runs before you close the engine.",
    );
    expect(control.isStopped(cells)).toBe(true);
  });

  test("an abort concerns one job", () => {
    const cells = control.createControl();
    control.requestAbort(cells, 7);
    expect([6, 7].map((id) => control.isAborted(cells, id))).toEqual([false, true]);
  });
});

describe("threads", () => {
  const cpu = (physical: number, core: number): string =>
    `processor\t: 0\nphysical id\t: ${physical}\ncore id\t\t: ${core}\n`;

  test("two threads of a core count once, cores of two packages apart", () => {
    expect(coresOf([cpu(0, 0), cpu(0, 1), cpu(0, 0), cpu(0, 1)].join("\n"))).toBe(2);
    expect(coresOf([cpu(0, 0), cpu(1, 0)].join("\n"))).toBe(2);
    expect(coresOf("processor : 0\nBogoMIPS : 50\n")).toBe(0);
  });

  test("there is at least one core", () => {
    expect(physicalCores()).toBeGreaterThanOrEqual(1);
  });
});
