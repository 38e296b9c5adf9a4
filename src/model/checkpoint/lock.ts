/** A lock between processes: a file that its holder keeps touching, so that one left by a killed process goes stale. */
import { open, rm, stat, utimes } from "node:fs/promises";
import { setTimeout as sleep } from "node:timers/promises";
import { throwIfAborted } from "../../core/index.js";

/** The holder touches the file this often, ms. */
const heartbeatMs = 5000;
/** A lock not touched for this long is dead, ms. */
const staleMs = 30_000;
const pollMs = 50;

/** Runs `work` while holding the lock file `path`; waits for another holder. */
export async function withLock<T>(
  path: string,
  work: () => Promise<T>,
  options: { readonly signal?: AbortSignal | undefined; readonly where: string },
): Promise<T> {
  while (!(await take(path))) {
    throwIfAborted(options.signal, options.where);
    if (await isStale(path)) await rm(path, { force: true });
    else await sleep(pollMs);
  }
  const heartbeat = setInterval(() => void touch(path), heartbeatMs);
  heartbeat.unref();
  try {
    return await work();
  } finally {
    clearInterval(heartbeat);
    await rm(path, { force: true });
  }
}

async function take(path: string): Promise<boolean> {
  try {
    await (await open(path, "wx")).close();
    return true;
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "EEXIST") return false;
    throw error;
  }
}

async function isStale(path: string): Promise<boolean> {
  const info = await stat(path).catch(() => undefined);
  return info !== undefined && Date.now() - info.mtimeMs > staleMs;
}

async function touch(path: string): Promise<void> {
  const now = new Date();
  await utimes(path, now, now).catch(() => undefined);
}
