/** Small worlds for tests of training. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll } from "vitest";
import { createRandom } from "../../../src/core/index.js";
import type { Dictionary, DictionaryWeightName } from "../../../src/dictionary/index.js";
import { Tensor } from "../../../src/tensor/index.js";

/** A folder that goes when the tests of a file end. */
export function scratch(): (name: string) => string {
  const folder = mkdtempSync(join(tmpdir(), "limpid-dictionary-"));
  afterAll(() => rmSync(folder, { recursive: true, force: true }));
  return (name) => join(folder, name);
}

/** Normal random vectors `[count, width]` around a mean. */
export function normalVectors(count: number, width: number, seed = 0, mean = 0.5): Tensor {
  const random = createRandom(seed);
  return Tensor.of(
    Float32Array.from({ length: count * width }, () => mean + random.normal()),
    [count, width],
  );
}

/** Numbers of a weight in memory. */
export function weightOf(dictionary: Dictionary, name: DictionaryWeightName): readonly number[] {
  return numbersOf(dictionary.weights.get(name));
}

/** Numbers of a tensor. */
export function numbersOf(tensor: unknown): readonly number[] {
  return tensor instanceof Tensor ? Array.from(tensor.data as ArrayLike<number>, Number) : [];
}

/** Every weight as numbers. */
export function allWeights(dictionary: Dictionary): Readonly<Record<string, readonly number[]>> {
  return Object.fromEntries([...dictionary.weights].map(([name, tensor]) => [name, numbersOf(tensor)] as const));
}

/** What a call throws, awaited. */
export async function refusal(call: () => unknown): Promise<string> {
  try {
    await call();
  } catch (error) {
    return String(error);
  }
  return "nothing was thrown";
}
