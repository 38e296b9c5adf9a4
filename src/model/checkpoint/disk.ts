/** Room on the disk, looked at before writing. */
import { mkdir, statfs } from "node:fs/promises";
import { dirname } from "node:path";
import { formatBytes, InputError, MemoryError } from "../../core/index.js";

/** Makes a cache folder with its parents; a place that cannot be written is an {@link InputError}. */
export async function makeFolder(folder: string): Promise<void> {
  await mkdir(folder, { recursive: true }).catch((cause: unknown) => {
    const got = cause instanceof Error && "code" in cause ? String(cause.code) : String(cause);
    const fix = "Choose another folder with HF_HUB_CACHE (downloads) or LIMPID_CACHE (prepared weights).";
    throw new InputError({ where: `make ${folder}`, got, expected: "a place that can be written", fix }, { cause });
  });
}

/** Returns the bytes that a normal user may still write where `folder` is or will be; `undefined` when unknown. */
export async function freeBytes(folder: string): Promise<number | undefined> {
  for (let path = folder; ; path = dirname(path)) {
    const info = await statfs(path).catch(() => undefined);
    if (info !== undefined) return info.bavail * info.bsize;
    if (dirname(path) === path) return undefined;
  }
}

/** Throws a {@link MemoryError} when `folder` has less than `bytes` of room. */
export async function checkFreeSpace(folder: string, bytes: number, where: string): Promise<void> {
  const free = await freeBytes(folder);
  if (free === undefined || free >= bytes) return;
  throw new MemoryError({
    where,
    got: `${formatBytes(free)} free in ${folder}`,
    expected: formatBytes(bytes),
    fix: "Free some space, or choose another folder (HF_HUB_CACHE for downloads, LIMPID_CACHE for prepared weights).",
  });
}
