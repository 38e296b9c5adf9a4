/** What the tests of src/io share: fixtures, their expected contents, temporary folders, error checks. */
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, expect } from "vitest";
import { type ErrorCode, isLimpidError, type LimpidError } from "../../../src/core/index.js";
import type { Tensor } from "../../../src/tensor/index.js";
import { bfloat16ToFloat32, float16ToFloat32 } from "../../../src/tensor/index.js";

const fixtures = fileURLToPath(new URL("../../../fixtures/io", import.meta.url));

interface Expected {
  readonly dtype: string;
  readonly shape: readonly number[];
  readonly values: readonly number[];
}

/** The path of a file that scripts/io-fixtures/make.py wrote. */
export function fixture(name: string): string {
  return join(fixtures, name);
}

export async function fixtureBytes(name: string): Promise<Uint8Array> {
  return new Uint8Array(await readFile(fixture(name)));
}

/** What numpy or PyTorch says that a fixture holds. */
export function expectedOf(file: string): Readonly<Record<string, Expected>> {
  const all = JSON.parse(readFileSync(fixture("expected.json"), "utf8")) as Record<string, Record<string, Expected>>;
  return all[file] ?? {};
}

export function expectTensor(tensor: Tensor | undefined, expected: Expected | undefined): void {
  if (tensor === undefined || expected === undefined) throw new Error("a tensor or what it should be is missing");
  expect({ dtype: tensor.dtype, shape: [...tensor.shape], values: valuesOf(tensor) }).toEqual(expected);
}

/** Elements as numbers, row-major. */
export function valuesOf(tensor: Tensor): readonly number[] {
  const { data, dtype } = tensor;
  if (data instanceof BigInt64Array) return Array.from(data, Number);
  if (!(data instanceof Uint16Array)) return Array.from(data);
  return Array.from(dtype === "bfloat16" ? bfloat16ToFloat32(data) : float16ToFloat32(data));
}

/** Every item of an async iterable. */
export async function collected<T>(items: AsyncIterable<T>): Promise<readonly T[]> {
  const all: T[] = [];
  for await (const item of items) all.push(item);
  return all;
}

/** A fresh folder that is removed when the file's tests are done. */
export function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), "limpid-io-"));
  afterAll(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** Awaits a rejection with one of limpid's errors and returns it. */
export async function refusal(work: Promise<unknown> | (() => unknown), code: ErrorCode): Promise<LimpidError> {
  const error: unknown = await Promise.resolve(typeof work === "function" ? undefined : work).then(
    () => (typeof work === "function" ? thrownBy(work) : undefined),
    (reason: unknown) => reason,
  );
  if (!isLimpidError(error)) throw new Error(`expected a limpid error, got ${String(error)}`, { cause: error });
  expect(error.code).toBe(code);
  return error;
}

function thrownBy(work: () => unknown): unknown {
  try {
    work();
  } catch (error) {
    return error;
  }
  return undefined;
}
