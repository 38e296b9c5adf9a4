/** SHA-256 of bytes, text, files and JSON values, always as lower-case hexadecimal. */
import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { throwIfAborted } from "./abort.js";
import { InputError } from "./errors.js";
import type { LongCallOptions } from "./progress.js";

/** Returns the SHA-256 of bytes, or of a string's UTF-8 form, as 64 hexadecimal digits. */
export function sha256(content: Uint8Array | string): string {
  return createHash("sha256").update(content).digest("hex");
}

/** Returns the SHA-256 of a file, read as a stream in bounded memory; progress counts bytes. */
export async function sha256File(path: string, options: LongCallOptions & { total?: number } = {}): Promise<string> {
  const { signal, onProgress, total } = options;
  const hash = createHash("sha256");
  let done = 0;
  const chunks: AsyncIterable<Uint8Array> = createReadStream(path, { highWaterMark: 1 << 20 });
  for await (const chunk of chunks) {
    throwIfAborted(signal, `hash of ${path}`);
    hash.update(chunk);
    done += chunk.length;
    onProgress?.({ done, label: `hash ${path}`, ...(total === undefined ? {} : { total }) });
  }
  return hash.digest("hex");
}

/**
 * Returns a short stable hash of a plain value: the first 16 hexadecimal digits of the SHA-256 of its canonical JSON.
 *
 * Object keys are sorted, `undefined` properties are left out, `-0` is `0`; typed arrays count as lists of numbers, and
 * NaN, infinities and bigints are told apart.
 */
export function hashJson(value: unknown): string {
  return sha256(canonicalJson(value)).slice(0, 16);
}

/** Returns JSON with sorted keys: equal values give equal text whatever order their keys were written in. */
export function canonicalJson(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map((item) => canonicalJson(item ?? null)).join(",")}]`;
  if (ArrayBuffer.isView(value) && !(value instanceof DataView)) {
    return canonicalJson(Array.from(value as unknown as ArrayLike<number | bigint>));
  }
  if (typeof value === "object" && value !== null) return canonicalObject(value);
  return canonicalScalar(value);
}

function canonicalObject(value: object): string {
  if (value instanceof Map || value instanceof Set) throw notPlain(value.constructor.name);
  const entries = Object.entries(value).filter(([, item]) => item !== undefined);
  entries.sort(([a], [b]) => (a < b ? -1 : 1));
  return `{${entries.map(([key, item]) => `${JSON.stringify(key)}:${canonicalJson(item)}`).join(",")}}`;
}

function canonicalScalar(value: unknown): string {
  if (value === null || typeof value === "string" || typeof value === "boolean") return JSON.stringify(value);
  if (typeof value === "number") return Number.isFinite(value) ? JSON.stringify(value + 0) : `"number:${value}"`;
  if (typeof value === "bigint") return `"bigint:${value}"`;
  throw notPlain(typeof value);
}

function notPlain(kind: string): InputError {
  return new InputError({
    where: "hashJson: value",
    got: kind,
    expected: "null, booleans, numbers, strings, arrays and plain objects",
    fix: "Turn it into plain data first.",
  });
}
