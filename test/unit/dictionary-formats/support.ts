/** Folders with dictionaries made on the spot. */
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll } from "vitest";
import { loadSafetensors, writeSafetensors } from "../../../src/io/index.js";
import type { Tensor } from "../../../src/tensor/index.js";
import { fixture } from "../../helpers/fixtures.js";

const root = mkdtempSync(join(tmpdir(), "limpid-dictionaries-"));
afterAll(() => {
  rmSync(root, { recursive: true, force: true });
});
let made = 0;

/** A path that nothing has yet. */
export function freshPath(name = "dictionary"): string {
  const folder = join(root, String(made++));
  mkdirSync(folder);
  return join(folder, name);
}

/** A folder of the format fixtures. */
export function format(...parts: readonly string[]): string {
  return fixture("dictionaries", "formats", ...parts);
}

/** A copy of a format fixture that a test may spoil. */
export function copyOf(...parts: readonly string[]): string {
  const path = freshPath(parts.at(-1));
  cpSync(format(...parts), path, { recursive: true });
  return path;
}

/** Changes a JSON file in place. */
export function editJson(path: string, change: (json: Record<string, unknown>) => unknown): void {
  const json = JSON.parse(readFileSync(path, "utf8")) as Record<string, unknown>;
  writeFileSync(path, JSON.stringify(change(json) ?? json));
}

/** Changes the tensors of a safetensors file in place. */
export async function editTensors(
  path: string,
  change: (tensors: Record<string, Tensor>) => Record<string, Tensor>,
): Promise<void> {
  await writeSafetensors(path, change({ ...(await loadSafetensors(path)) }));
}
