/** Model folders made on the spot, and the larger ones that only some machines have. */
import { existsSync } from "node:fs";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach } from "vitest";
import { createLogger, type Logger } from "../../../src/core/index.js";
import { writeSafetensorsStream } from "../../../src/io/index.js";

const root = fileURLToPath(new URL("../../../", import.meta.url));
const dataRoot = process.env["LIMPID_DATA"] ?? join(root, "../shared/data");

/** The embedded model's folder. */
export const tinyFolder: string = join(root, "fixtures/tiny");

/** A folder of the test data, or `undefined` (with a message) where there is none. */
export function dataFolder(name: string): string | undefined {
  const folder = join(dataRoot, name);
  if (existsSync(folder)) return folder;
  console.warn(`skipped: no ${name} in ${dataRoot}; set LIMPID_DATA`);
  return undefined;
}

const made: string[] = [];
afterEach(async () => {
  for (const folder of made.splice(0)) await rm(folder, { recursive: true, force: true });
});

/** Makes an empty folder that goes away after the test. */
export async function freshFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "limpid-checkpoint-"));
  made.push(folder);
  return folder;
}

/** A logger that prints nothing. */
export function silentLogger(): Logger {
  return createLogger(() => undefined);
}

/** A tensor to write: raw bits for 16-bit types. */
export interface TestTensor {
  readonly dtype: "float32" | "float16" | "bfloat16" | "bool" | "int64" | "float64";
  readonly shape: readonly number[];
  readonly data: Float32Array | Float64Array | Uint16Array | Uint8Array | BigInt64Array;
}

/** Writes a safetensors file. */
export async function writeTensors(path: string, tensors: Readonly<Record<string, TestTensor>>): Promise<void> {
  const plan = Object.entries(tensors).map(([name, { dtype, shape }]) => ({ name, dtype, shape }));
  await writeSafetensorsStream(path, plan, ({ name }) => {
    const tensor = tensors[name];
    return tensor === undefined ? [] : [tensor.data];
  });
}

/** A Hugging Face folder with two float32 tensors, `a` `[2, 3]` and `b` `[3]`. */
export async function smallFolder(config: object = { model_type: "gpt2" }): Promise<string> {
  const folder = await freshFolder();
  await writeFile(join(folder, "config.json"), JSON.stringify(config));
  await writeTensors(join(folder, "model.safetensors"), {
    a: { dtype: "float32", shape: [2, 3], data: Float32Array.of(1, 2, 3, 4, 5, 6) },
    b: { dtype: "float32", shape: [3], data: Float32Array.of(7, 8, 9) },
  });
  return folder;
}

/** The same as bfloat16 (the upper halves of the float32 bits), with a boolean mask beside them. */
export async function bfloat16Folder(): Promise<string> {
  const folder = await freshFolder();
  await writeFile(join(folder, "config.json"), JSON.stringify({ model_type: "gpt2" }));
  const half = (...values: number[]): Uint16Array =>
    Uint16Array.from(new Uint32Array(Float32Array.from(values).buffer), (bits) => bits >>> 16);
  await writeTensors(join(folder, "model.safetensors"), {
    a: { dtype: "bfloat16", shape: [2, 3], data: half(1, 2, -3, 0.5, 1.5, 6) },
    b: { dtype: "bfloat16", shape: [3], data: half(7, 8, 9) },
    mask: { dtype: "bool", shape: [2], data: Uint8Array.of(1, 0) },
  });
  return folder;
}

/** Makes a folder and writes text files into it. */
export async function textFolder(files: Readonly<Record<string, string>>): Promise<string> {
  const folder = await freshFolder();
  for (const [name, text] of Object.entries(files)) {
    await mkdir(join(folder, name, ".."), { recursive: true });
    await writeFile(join(folder, name), text);
  }
  return folder;
}
