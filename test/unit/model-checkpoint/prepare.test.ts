import { execFile } from "node:child_process";
import { mkdir, readdir, readFile, stat, writeFile } from "node:fs/promises";
import { basename, join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { describe, expect, it } from "vitest";
import { createLogger, type ProgressEvent } from "../../../src/core/index.js";
import { readAsFloat32, type StoredTensor, temporaryPath } from "../../../src/io/index.js";
import { checkFreeSpace, freeBytes } from "../../../src/model/checkpoint/disk.js";
import { openCheckpoint } from "../../../src/model/checkpoint/index.js";
import { bfloat16Folder, freshFolder, silentLogger, writeTensors } from "./helpers.js";

async function valuesOf(tensors: ReadonlyMap<string, StoredTensor>, name: string): Promise<unknown> {
  const stored = tensors.get(name);
  return stored === undefined ? undefined : (await readAsFloat32(stored)).data;
}

describe("preparing bfloat16 weights", () => {
  it("converts them exactly, once, after saying how many bytes and where", async () => {
    const folder = await bfloat16Folder();
    const cacheFolder = await freshFolder();
    const said: string[] = [];
    const events: ProgressEvent[] = [];
    const options = { cacheFolder, logger: createLogger((text) => said.push(text)) };
    const first = await openCheckpoint(folder, { ...options, onProgress: (event) => events.push(event) });
    expect(await valuesOf(first.tensors, "a")).toEqual(Float32Array.of(1, 2, -3, 0.5, 1.5, 6));
    expect(await valuesOf(first.tensors, "b")).toEqual(Float32Array.of(7, 8, 9));
    expect([...first.buffers.keys()]).toEqual(["mask"]);
    expect(said).toHaveLength(1);
    expect(said[0]).toMatch(new RegExp(`takes \\d+ B in ${cacheFolder}/prepared/[0-9a-f]{24}`));
    expect(events[0]).toMatchObject({ done: 0 });
    expect(events.at(-1)?.done).toBe(events.at(-1)?.total);

    const before = await stat(first.prepared?.path ?? "");
    const second = await openCheckpoint(folder, {
      ...options,
      onProgress: () => expect.unreachable("converted twice"),
    });
    expect(second.prepared).toEqual(first.prepared);
    expect((await stat(second.prepared?.path ?? "")).mtimeMs).toBe(before.mtimeMs);
    expect(before.size).toBe(first.prepared?.bytes);
  });

  it("makes a new copy when the source changes", async () => {
    const folder = await bfloat16Folder();
    const options = { cacheFolder: await freshFolder(), logger: silentLogger() };
    const first = await openCheckpoint(folder, options);
    const path = join(folder, "model.safetensors");
    const bytes = await readFile(path);
    bytes.fill(0, bytes.length - 3, bytes.length - 1);
    await writeFile(path, bytes);
    const second = await openCheckpoint(folder, options);
    expect(second.prepared?.path).not.toBe(first.prepared?.path);
    expect(await valuesOf(second.tensors, "b")).not.toEqual(await valuesOf(first.tensors, "b"));
  });

  it("replaces a copy that was damaged", async () => {
    const folder = await bfloat16Folder();
    const options = { cacheFolder: await freshFolder(), logger: silentLogger() };
    const { prepared } = await openCheckpoint(folder, options);
    await writeFile(prepared?.path ?? "", "damaged");
    const { tensors } = await openCheckpoint(folder, options);
    expect(await valuesOf(tensors, "b")).toEqual(Float32Array.of(7, 8, 9));
  });

  it("gives every process a whole copy when several prepare at once", async () => {
    const folder = await bfloat16Folder();
    const options = { cacheFolder: await freshFolder(), logger: silentLogger() };
    const opened = await Promise.all(Array.from({ length: 4 }, () => openCheckpoint(folder, options)));
    for (const { tensors } of opened) expect(await valuesOf(tensors, "b")).toEqual(Float32Array.of(7, 8, 9));
    expect(await readdir(join(options.cacheFolder, "prepared"))).toHaveLength(1);
  });

  it("leaves nothing behind when aborted", async () => {
    const folder = await bfloat16Folder();
    const cacheFolder = await freshFolder();
    const controller = new AbortController();
    const onProgress = (): void => controller.abort();
    const call = openCheckpoint(folder, { cacheFolder, logger: silentLogger(), signal: controller.signal, onProgress });
    await expect(call).rejects.toMatchObject({ code: "ABORTED" });
    expect(await readdir(join(cacheFolder, "prepared"))).toEqual([]);
  });

  it("clears away what a killed process left behind", async () => {
    const folder = await bfloat16Folder();
    const options = { cacheFolder: await freshFolder(), logger: silentLogger() };
    const { prepared } = await openCheckpoint(folder, options);
    const root = join(options.cacheFolder, "prepared");
    // The name that a process of this machine would have given, with an id that no process has.
    const name = basename(temporaryPath(join(root, "abc"))).replace(`-${process.pid}-`, "-4194999-");
    await mkdir(join(root, name));
    expect((await openCheckpoint(folder, options)).prepared).toEqual(prepared);
    expect(await readdir(root)).toHaveLength(1);
  });

  it("says which folder cannot be written", async () => {
    const folder = await bfloat16Folder();
    const file = join(await freshFolder(), "file");
    await writeFile(file, "");
    const call = openCheckpoint(folder, { cacheFolder: file, logger: silentLogger() });
    await expect(call).rejects.toThrow(/make .*prepared: got E(?:NOTDIR|EXIST); expected a place that can be written/);
  });
});

describe("a full disk", () => {
  it("is found before anything is written", async () => {
    const folder = await freshFolder();
    const free = (await freeBytes(join(folder, "not", "there"))) ?? 0;
    expect(free).toBeGreaterThan(0);
    await expect(checkFreeSpace(folder, 1e18, "prepare x")).rejects.toThrow(
      /prepare x: got .* free in .*; expected 1\.00e\+3 PB/,
    );
    await expect(checkFreeSpace(folder, 1, "prepare x")).resolves.toBeUndefined();
  });

  it("leaves nothing behind when it fills up while preparing", async () => {
    const folder = await bfloat16Folder();
    await writeTensors(join(folder, "model.safetensors"), {
      big: { dtype: "bfloat16", shape: [400_000], data: new Uint16Array(400_000) },
    });
    const cacheFolder = await freshFolder();
    const script = fileURLToPath(new URL("./open-in-child.ts", import.meta.url));
    // A limit on file size (1,000 blocks of 1 KiB) fails a write as a full disk does.
    const command = `ulimit -f 1000; exec "${process.execPath}" --import tsx "${script}" "${folder}" "${cacheFolder}"`;
    const { stdout } = await promisify(execFile)("bash", ["-c", command]);
    expect(stdout).toContain("MEMORY");
    expect(stdout).toContain("no space left on the disk");
    expect(await readdir(join(cacheFolder, "prepared"))).toEqual([]);
  });
});
