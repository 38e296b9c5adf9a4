/**
 * Prepared checkpoints: a float32 copy of weights that cannot be mapped as they are.
 *
 * 1. Float32, contiguous, aligned tensors need no copy; if all are, nothing is done.
 * 2. The copy's place follows from the source's identity; if it is there and whole, it is used.
 * 3. Else room is checked, the cost announced, and everything streamed into a folder that appears when complete.
 *
 * Two processes may write at once: each writes its own folder, and the first to finish wins.
 */
import { realpath } from "node:fs/promises";
import { dirname, join } from "node:path";
import {
  createLogger,
  formatBytes,
  InternalError,
  isLimpidError,
  type Logger,
  type LongCallOptions,
} from "../../core/index.js";
import {
  cleanStaleTemporary,
  isMappable,
  openSafetensors,
  type StoredTensor,
  sizeOf,
  streamAsFloat32,
  type TensorPlan,
  withAtomicFolder,
  writeFileAtomic,
  writeSafetensorsStream,
} from "../../io/index.js";
import { checkFreeSpace, makeFolder } from "./disk.js";
import { limpidCacheFolder } from "./environment.js";
import { preparedKey } from "./identity.js";
import { isFile } from "./local.js";
import type { PreparedWeights } from "./types.js";

/** What to prepare, and where. */
export interface PrepareRequest extends LongCallOptions {
  /** The source as the user named it; for messages. */
  readonly id: string;
  readonly identity: string;
  readonly tensors: ReadonlyMap<string, StoredTensor>;
  /** Limpid's cache folder. */
  readonly cacheFolder: string;
  readonly logger?: Logger | undefined;
}

/** Weights that can be mapped. */
export interface MappableWeights {
  readonly tensors: ReadonlyMap<string, StoredTensor>;
  readonly prepared?: PreparedWeights;
}

const fileName = "model.safetensors";

/** Tells whether every tensor can be mapped as it lies: float32, contiguous, aligned to 4 bytes. */
export function isReady(tensors: ReadonlyMap<string, StoredTensor>): boolean {
  return [...tensors.values()].every((tensor) => tensor.dtype === "float32" && isMappable(tensor));
}

/** Returns weights that can be mapped: the given ones, or those of a prepared checkpoint that is made when needed. */
export async function prepareWeights(request: PrepareRequest): Promise<MappableWeights> {
  if (isReady(request.tensors)) return { tensors: request.tensors };
  const folder = preparedFolder(request.identity, request.cacheFolder);
  const root = dirname(folder);
  await makeFolder(root);
  await cleanStaleTemporary(root);
  const existing = await openPrepared(folder, request.tensors);
  if (existing !== undefined) return existing;
  const bytes = preparedBytes(request.tensors);
  await checkFreeSpace(root, bytes, `prepare ${request.id} in ${root}`);
  announce(request, bytes, folder);
  const ifExists = (await isFile(join(folder, fileName))) ? "replace" : "keep";
  await withAtomicFolder(folder, (temporary) => write(request, temporary), { ifExists });
  const made = await openPrepared(folder, request.tensors);
  if (made !== undefined) return made;
  const where = `prepare ${request.id}: ${folder}`;
  const expected = "the float32 copy that was just written";
  throw new InternalError({
    where,
    got: "other tensors",
    expected,
    fix: "Remove that folder and report this as a bug.",
  });
}

/** Returns the folder of the prepared copy of weights with this identity, there or not. */
export function preparedFolder(identity: string, cacheFolder?: string): string {
  return join(limpidCacheFolder(cacheFolder), "prepared", preparedKey(identity));
}

/** Bytes of the float32 copy, its header estimated. */
export function preparedBytes(tensors: ReadonlyMap<string, StoredTensor>): number {
  return [...tensors.values()].reduce((sum, { shape, name }) => sum + 4 * sizeOf(shape) + name.length + 100, 0);
}

function announce({ id, logger, onProgress }: PrepareRequest, bytes: number, folder: string): void {
  const text = `${id}: its weights are not float32 as mapping needs; converting them once takes ${formatBytes(bytes)} in ${folder}`;
  (logger ?? createLogger()).warnOnce(`prepare:${folder}`, text);
  onProgress?.({ done: 0, total: bytes, label: `prepare ${formatBytes(bytes)} in ${folder}` });
}

async function write(request: PrepareRequest, folder: string): Promise<void> {
  const { tensors, id, identity, signal, onProgress } = request;
  const plan = [...tensors.values()].map(({ shape, name }): TensorPlan => ({ name, shape, dtype: "float32" }));
  const stop = signal === undefined ? {} : { signal };
  const label = `prepare ${id}`;
  await writeSafetensorsStream(join(folder, fileName), plan, (entry) => source(tensors, entry, stop), {
    metadata: { format: "pt" },
    ...stop,
    ...(onProgress === undefined ? {} : { onProgress: (event) => onProgress({ ...event, label }) }),
  });
  const sources = [...new Set([...tensors.values()].map(({ path }) => path))];
  await writeFileAtomic(join(folder, "source.json"), `${JSON.stringify({ id, identity, sources }, undefined, 1)}\n`);
}

function source(
  tensors: ReadonlyMap<string, StoredTensor>,
  entry: TensorPlan,
  stop: LongCallOptions,
): AsyncIterable<Float32Array> {
  const stored = tensors.get(entry.name);
  return stored === undefined ? nothing() : streamAsFloat32(stored, stop);
}

async function* nothing(): AsyncIterable<Float32Array> {}

/** Opens a prepared checkpoint; `undefined` when there is none or it does not fit the source. */
async function openPrepared(
  folder: string,
  wanted: ReadonlyMap<string, StoredTensor>,
): Promise<MappableWeights | undefined> {
  const path = join(folder, fileName);
  if (!(await isFile(path))) return undefined;
  const real = await realpath(path);
  const opened = await openSafetensors(real).catch((error: unknown) => {
    if (isLimpidError(error, "FORMAT")) return undefined;
    throw error;
  });
  if (opened === undefined || !fits(opened.tensors, wanted)) return undefined;
  const bytes = Math.max(...[...opened.tensors.values()].map(({ offset, length }) => offset + length));
  return { tensors: opened.tensors, prepared: { path: real, bytes } };
}

function fits(found: ReadonlyMap<string, StoredTensor>, wanted: ReadonlyMap<string, StoredTensor>): boolean {
  if (found.size !== wanted.size || !isReady(found)) return false;
  return [...wanted].every(([name, { shape }]) => found.get(name)?.shape.join() === shape.join());
}
