/**
 * Files and folders that appear under their name only when they are complete.
 *
 * Everything is written under a temporary name in the same folder, flushed to the disk, and renamed. An error or an abort
 * removes the temporary; a killed process leaves one that {@link cleanStaleTemporary} recognises.
 */
import { createHash, randomUUID } from "node:crypto";
import { type FileHandle, lstat, mkdir, open, readdir, rename, rm } from "node:fs/promises";
import { hostname } from "node:os";
import { basename, dirname, join, resolve } from "node:path";
import { InputError, isLimpidError } from "../core/index.js";
import { fileError } from "./files.js";

/** Every temporary name starts with this. */
export const temporaryPrefix = ".limpid-tmp-";

/** Most bytes handed to the system in one write. */
const pieceBytes = 64 * 1024 * 1024;

/** A file that is being written from its start to its end. */
export interface AtomicFile {
  /** Bytes written so far. */
  readonly position: number;
  /** Appends all of `bytes`. */
  write(bytes: Uint8Array): Promise<void>;
}

/** What to do when the target folder exists already. */
export interface AtomicFolderOptions {
  /** `"error"` (default) refuses, `"keep"` drops the new folder quietly, `"replace"` swaps it in. */
  readonly ifExists?: "error" | "keep" | "replace";
}

/** Writes a whole file atomically; a string is written as UTF-8. */
export async function writeFileAtomic(path: string, content: Uint8Array | string): Promise<void> {
  const bytes = typeof content === "string" ? new TextEncoder().encode(content) : content;
  await withAtomicFile(path, (file) => file.write(bytes));
}

/**
 * Runs `write` on a temporary file beside `path` and renames it to `path` once it is complete and on the disk.
 *
 * Whatever `write` throws comes through, and then neither `path` nor the temporary file has changed or remains. An
 * existing file is replaced.
 *
 * @throws MemoryError when the disk is full.
 */
export async function withAtomicFile<T>(path: string, write: (file: AtomicFile) => Promise<T>): Promise<T> {
  const temporary = temporaryPath(path);
  try {
    const result = await writeTemporary(temporary, write);
    await rename(temporary, path);
    await flushFolder(dirname(path));
    return result;
  } catch (error) {
    await rm(temporary, { force: true });
    throw isLimpidError(error) ? error : fileError(error, path, "write");
  }
}

/**
 * Runs `fill` on an empty temporary folder beside `path` and renames the folder to `path` once `fill` is done.
 *
 * `fill` should write its files with the functions of this module, which flush them. Whatever it throws comes through,
 * and nothing remains.
 */
export async function withAtomicFolder<T>(
  path: string,
  fill: (folder: string) => Promise<T>,
  options: AtomicFolderOptions = {},
): Promise<T> {
  const temporary = temporaryPath(path);
  try {
    await mkdir(temporary);
    const result = await fill(temporary);
    await flushFolder(temporary);
    await moveFolder(temporary, path, options.ifExists ?? "error");
    await flushFolder(dirname(path));
    return result;
  } catch (error) {
    throw isLimpidError(error) ? error : fileError(error, path, "write");
  } finally {
    await rm(temporary, { recursive: true, force: true });
  }
}

/**
 * Removes from `folder` the temporary files and folders of limpid processes of this machine that are no longer running.
 *
 * Those of running processes and of other machines stay. A folder that does not exist counts as clean.
 *
 * @returns the names removed.
 */
export async function cleanStaleTemporary(folder: string): Promise<readonly string[]> {
  const names = await readdir(folder).catch((error: unknown) => {
    if (hasCode(error, "ENOENT")) return [];
    throw fileError(error, folder, "read");
  });
  const removed: string[] = [];
  for (const name of names) {
    if (!(await isStale(folder, name))) continue;
    await rm(join(folder, name), { recursive: true, force: true });
    removed.push(name);
  }
  return removed;
}

/** Returns a fresh temporary path beside `path`; its name tells the process and the machine. */
export function temporaryPath(path: string): string {
  const full = resolve(path);
  const unique = randomUUID().slice(0, 8);
  const name = basename(full).slice(0, 80);
  return join(dirname(full), `${temporaryPrefix}${process.pid}-${machineTag()}-${unique}-${name}`);
}

async function writeTemporary<T>(path: string, write: (file: AtomicFile) => Promise<T>): Promise<T> {
  const handle = await open(path, "wx");
  try {
    const result = await write(new SequentialFile(handle));
    await handle.sync();
    return result;
  } finally {
    await handle.close();
  }
}

class SequentialFile implements AtomicFile {
  readonly #handle: FileHandle;
  #position = 0;

  constructor(handle: FileHandle) {
    this.#handle = handle;
  }

  get position(): number {
    return this.#position;
  }

  async write(bytes: Uint8Array): Promise<void> {
    for (let start = 0; start < bytes.length; ) {
      const piece = bytes.subarray(start, start + pieceBytes);
      const { bytesWritten } = await this.#handle.write(piece, 0, piece.length, this.#position);
      start += bytesWritten;
      this.#position += bytesWritten;
    }
  }
}

async function moveFolder(from: string, to: string, ifExists: "error" | "keep" | "replace"): Promise<void> {
  if (ifExists === "replace") return replaceFolder(from, to);
  if (!(await exists(to)) && (await renameIfFree(from, to))) return;
  if (ifExists === "keep") return;
  throw new InputError({
    where: `write ${to}`,
    got: "a path that exists already",
    expected: "a free path",
    fix: 'Remove it first, or pass ifExists: "keep" or "replace".',
  });
}

async function replaceFolder(from: string, to: string): Promise<void> {
  const old = temporaryPath(to);
  const hadOld = await rename(to, old).then(
    () => true,
    (error: unknown) => {
      if (hasCode(error, "ENOENT")) return false;
      throw error;
    },
  );
  try {
    await rename(from, to);
  } catch (error) {
    if (hadOld) await rename(old, to);
    throw error;
  }
  if (hadOld) await rm(old, { recursive: true, force: true });
}

async function renameIfFree(from: string, to: string): Promise<boolean> {
  return rename(from, to).then(
    () => true,
    (error: unknown) => {
      if (hasCode(error, "ENOTEMPTY") || hasCode(error, "EEXIST") || hasCode(error, "ENOTDIR")) return false;
      throw error;
    },
  );
}

async function exists(path: string): Promise<boolean> {
  return lstat(path).then(
    () => true,
    () => false,
  );
}

/** Makes a rename durable. Some file systems cannot flush a folder; the rename is atomic there all the same. */
async function flushFolder(path: string): Promise<void> {
  const handle = await open(path, "r").catch(() => undefined);
  if (handle === undefined) return;
  await handle.sync().catch(() => undefined);
  await handle.close();
}

async function isStale(folder: string, name: string): Promise<boolean> {
  const match = /^\.limpid-tmp-(\d+)-([0-9a-f]{8})-/.exec(name);
  if (match === null || match[2] !== machineTag()) return false;
  const pid = Number(match[1]);
  if (pid !== process.pid) return !isRunning(pid);
  const info = await lstat(join(folder, name)).catch(() => undefined);
  return info !== undefined && info.birthtimeMs < performance.timeOrigin - 1000;
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return !hasCode(error, "ESRCH");
  }
}

function machineTag(): string {
  return createHash("sha256").update(hostname()).digest("hex").slice(0, 8);
}

function hasCode(error: unknown, code: string): boolean {
  return error instanceof Error && "code" in error && error.code === code;
}
