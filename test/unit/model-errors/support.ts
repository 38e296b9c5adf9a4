/** Broken copies of fixtures, and the four parts of an error. */
import { cp, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect } from "vitest";
import { isLimpidError, type LimpidError } from "../../../src/core/index.js";
import { loadSafetensors, writeSafetensors } from "../../../src/io/index.js";
import type { Tensor } from "../../../src/tensor/index.js";
import { fixture } from "../../helpers/fixtures.js";

const made: string[] = [];
afterAll(async () => {
  for (const folder of made) await rm(folder, { recursive: true, force: true });
});

/** A copy of a fixture whose configuration and weights a test may break. */
export async function brokenCopy(
  name: string,
  change: {
    readonly config?: (config: Record<string, unknown>) => object;
    readonly weights?: (weights: Record<string, Tensor>) => Record<string, Tensor>;
  },
): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "limpid-broken-"));
  made.push(folder);
  await cp(fixture("architectures", name), folder, { recursive: true });
  const path = join(folder, "config.json");
  const config = JSON.parse(await readFile(path, "utf8")) as Record<string, unknown>;
  await writeFile(path, JSON.stringify(change.config?.(config) ?? config));
  const weights = join(folder, "model.safetensors");
  if (change.weights !== undefined)
    await writeSafetensors(weights, change.weights({ ...(await loadSafetensors(weights)) }));
  return folder;
}

/** Runs what must fail, and returns limpid's error; the message must be the four parts. */
export async function failure(work: () => unknown): Promise<LimpidError> {
  try {
    await work();
  } catch (error) {
    if (!isLimpidError(error)) throw error;
    expect(error.message).toBe(`${error.where}: got ${error.got}; expected ${error.expected}. ${error.fix}`);
    for (const part of [error.where, error.got, error.expected, error.fix])
      expect(part).not.toMatch(/undefined|NaN,|\[object/);
    expect(error.fix).toMatch(/\.$/);
    return error;
  }
  throw new Error("nothing was refused");
}
