import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { Engine } from "../../../src/runtime/index.js";
import { f32, fileWeight, linearProgram } from "../../unit/runtime/graphs.js";

const folder = mkdtempSync(join(tmpdir(), "limpid-mapped-"));
const engine = Engine.create();
afterAll(async () => {
  await engine.close();
  rmSync(folder, { recursive: true });
});

const rows = 5;
const columns = 3;
const weights = Float32Array.from({ length: rows * columns }, (_, index) => Math.sin(index));
const x = f32([0.5, -2, 3, 1, 0, 1], [2, columns]);

/** The same sums, by hand in float64. */
function byHand(values: Float32Array): readonly number[] {
  return Array.from({ length: 2 * rows }, (_, at) => {
    const [row, out] = [Math.floor(at / rows), at % rows];
    let sum = 0;
    for (let k = 0; k < columns; k++) sum += Number(x.data[row * columns + k]) * (values[out * columns + k] ?? 0);
    return sum;
  });
}

function expectClose(actual: ArrayLike<number | bigint> | undefined, expected: readonly number[]): void {
  expect(actual?.length).toBe(expected.length);
  for (const [index, wanted] of expected.entries()) expect(Number(actual?.[index])).toBeCloseTo(wanted, 5);
}

function anonymousBytes(): number {
  return 1024 * Number(/RssAnon:\s+(\d+)/.exec(readFileSync("/proc/self/status", "utf8"))?.[1] ?? Number.NaN);
}

describe("weights in a file", () => {
  test.each([8, 64, 9, 10, 11, 695])("are used where they lie, at offset %i", async (offset) => {
    const weight = fileWeight(join(folder, `at${offset}`), "w", weights, { shape: [rows, columns], offset });
    const { y } = await engine.run(linearProgram(weight), { x });
    expect(y?.shape).toEqual([2, rows]);
    expectClose(y?.data, byHand(weights));
  });

  test("are found through links to files in several folders, as in a Hugging Face cache", async () => {
    mkdirSync(join(folder, "hub/blobs"), { recursive: true });
    mkdirSync(join(folder, "hub/snapshots/main"), { recursive: true });
    const weight = fileWeight(join(folder, "hub/blobs/abc"), "w", weights, { shape: [rows, columns], offset: 8 });
    const link = join(folder, "hub/snapshots/main/model.safetensors");
    symlinkSync("../../blobs/abc", link);
    const { y } = await engine.run(linearProgram({ ...weight, source: { ...weight.source, path: link } as never }), {
      x,
    });
    expectClose(y?.data, byHand(weights));
  });

  test("that were replaced on disk are not mistaken for the old ones", async () => {
    const path = join(folder, "replaced");
    const weight = fileWeight(path, "w", weights, { shape: [rows, columns], offset: 8 });
    await engine.run(linearProgram(weight), { x });
    const changed = weights.map((value) => -value);
    rmSync(path);
    fileWeight(path, "w", changed, { shape: [rows, columns], offset: 8 });
    const { y } = await engine.run(linearProgram(weight), { x });
    expectClose(y?.data, byHand(changed));
  });

  test("that are gone or cut short are named", async () => {
    const path = join(folder, "gone");
    const weight = fileWeight(path, "blocks.0.attn.W_Q", weights, { shape: [rows, columns], offset: 8 });
    writeFileSync(path, new Uint8Array(20));
    await expect(engine.run(linearProgram(weight), { x })).rejects.toThrow(`weights: "blocks.0.attn.W_Q" in ${path}`);
    rmSync(path);
    await expect(engine.run(linearProgram(weight), { x })).rejects.toMatchObject({ code: "CHECKPOINT" });
  });

  test.skipIf(process.platform !== "linux")(
    "add no anonymous memory",
    async () => {
      const size = 4096;
      const own = Engine.create();
      await own.run(
        linearProgram(fileWeight(join(folder, "warm"), "w", weights, { shape: [rows, columns], offset: 8 })),
        { x },
      );
      const big = fileWeight(join(folder, "big"), "w", new Float32Array(size * size), {
        shape: [size, size],
        offset: 696,
      });
      const program = linearProgram(big);
      const feed = f32(new Array<number>(size).fill(1), [1, size]);
      const before = anonymousBytes();
      await own.run(program, { x: feed });
      expect(anonymousBytes() - before).toBeLessThan(16e6);
      await own.run({ ...program, prepack: true }, { x: feed });
      expect(own.stats().bytes).toBeGreaterThan(size * size * 4);
      await own.close();
    },
    120_000,
  );
});
