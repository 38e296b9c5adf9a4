/** One row of a stored float32 matrix, read at once. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { openSafetensors, readFloat32Row, writeSafetensors } from "../../../src/io/index.js";
import { Tensor } from "../../../src/tensor/index.js";

const folder = mkdtempSync(join(tmpdir(), "limpid-row-"));
afterAll(() => {
  rmSync(folder, { recursive: true });
});

test("a row is the row, and other dtypes are refused", async () => {
  const path = join(folder, "rows.safetensors");
  const single = Tensor.of(Float32Array.of(1, 2, 3, 4, 5, 6), [3, 2]);
  await writeSafetensors(path, { single, double: single.cast("float64") });
  const { tensors } = await openSafetensors(path);
  const [a, b] = [tensors.get("single"), tensors.get("double")];
  if (a === undefined || b === undefined) throw new Error("the file lacks a tensor");
  expect([...readFloat32Row(a, 1)]).toEqual([3, 4]);
  expect(() => readFloat32Row(a, 3)).toThrow();
  expect(() => readFloat32Row(b, 0)).toThrow("got float64; expected float32, row after row");
});
