/** A cheap fingerprint of weight files. */
import { createHash } from "node:crypto";
import { open, stat } from "node:fs/promises";
import { basename, dirname } from "node:path";
import { hashJson, sha256, sha256File } from "../../core/index.js";

/** Files up to this size count by all their bytes. */
const wholeBytes = 16_000_000;
const sampleBytes = 4096;
const sampleCount = 16;

/** Returns sixteen hexadecimal digits for a set of files (real paths), whatever folder they lie in. */
export async function identifyFiles(paths: readonly string[]): Promise<string> {
  return hashJson(await Promise.all(paths.map(identifyFile)));
}

async function identifyFile(path: string): Promise<unknown> {
  const { size, mtimeMs } = await stat(path);
  // A blob of the Hugging Face cache is named after the hash of its content.
  if (basename(dirname(path)) === "blobs" && /^(?:[0-9a-f]{40}|[0-9a-f]{64})$/.test(basename(path))) {
    return { size, blob: basename(path) };
  }
  if (size <= wholeBytes) return { size, sha256: await sha256File(path) };
  return { size, mtimeMs, samples: await sampleFile(path, size) };
}

/** Hashes evenly spaced blocks; the first is the start of the header. */
async function sampleFile(path: string, size: number): Promise<string> {
  const hash = createHash("sha256");
  const handle = await open(path, "r");
  try {
    for (let i = 0; i < sampleCount; i++) {
      const offset = Math.floor(((size - sampleBytes) * i) / (sampleCount - 1));
      const { buffer } = await handle.read(new Uint8Array(sampleBytes), 0, sampleBytes, offset);
      hash.update(buffer);
    }
  } finally {
    await handle.close();
  }
  return hash.digest("hex");
}

/** Returns the key of the prepared copy: the weights, and how they are written. */
export function preparedKey(identity: string): string {
  return sha256(`float32-1:${identity}`).slice(0, 24);
}
