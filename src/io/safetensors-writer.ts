/** Writes safetensors files atomically, from memory or tensor by tensor in bounded memory. */
import { statfs } from "node:fs/promises";
import { dirname } from "node:path";
import {
  formatBytes,
  formatList,
  InputError,
  type LongCallOptions,
  MemoryError,
  throwIfAborted,
} from "../core/index.js";
import type { Tensor, TensorData } from "../tensor/index.js";
import { type AtomicFile, withAtomicFile } from "./atomic.js";
import { byteLengthOf, encodeHeader, type TensorPlan } from "./safetensors-header.js";
import { bitsOf, type StoredTensor } from "./stored.js";

/** Options of {@link writeSafetensors} and {@link writeSafetensorsStream}. */
export interface WriteSafetensorsOptions extends LongCallOptions {
  /** Stored as `__metadata__`; the key `limpid.axes` is limpid's own. */
  readonly metadata?: Readonly<Record<string, string>>;
}

/** Gives the bytes of one planned tensor, in row-major order, in as many pieces as it likes. */
export type TensorSource = (plan: TensorPlan) => Iterable<TensorData> | AsyncIterable<TensorData>;

/** Tensors by name: an object, or pairs. */
export type NamedTensors = Readonly<Record<string, Tensor>> | Iterable<readonly [string, Tensor]>;

/**
 * Writes tensors to a safetensors file that appears only when complete.
 *
 * Equal tensors give equal bytes: wider element types come first, then names in code-unit order, which also aligns every
 * tensor to its element size. Axis names are kept in the metadata.
 */
export async function writeSafetensors(
  path: string,
  tensors: NamedTensors,
  options: WriteSafetensorsOptions = {},
): Promise<ReadonlyMap<string, StoredTensor>> {
  const byName = new Map(isPairs(tensors) ? tensors : Object.entries(tensors));
  const plan = [...byName].map(([name, tensor]) => planOf(name, tensor));
  return writeSafetensorsStream(path, plan, (entry) => [requireTensor(byName, entry.name).data], options);
}

/**
 * Writes a safetensors file tensor by tensor, so that a checkpoint of any size needs the memory of one piece.
 *
 * `source` is called once for each planned tensor, in the order of the file. Progress counts bytes.
 *
 * @returns where each tensor lies in the new file.
 * @throws InputError when a source gives too little, too much, or arrays of another type; MemoryError when the disk is full.
 */
export async function writeSafetensorsStream(
  path: string,
  plan: readonly TensorPlan[],
  source: TensorSource,
  options: WriteSafetensorsOptions = {},
): Promise<ReadonlyMap<string, StoredTensor>> {
  checkPlan(plan, path);
  const ordered = inFileOrder(plan);
  const { bytes, dataBytes } = encodeHeader(ordered, options.metadata ?? {});
  await refuseFullDisk(path, bytes.length + dataBytes);
  await withAtomicFile(path, async (file) => {
    await file.write(bytes);
    for (const entry of ordered) {
      await writeTensor({ file, path, entry, total: bytes.length + dataBytes }, source, options);
    }
  });
  return placed(ordered, path, bytes.length);
}

/** Returns the plan of a tensor in memory; axes that were never named (`d0, d1, …`) are not kept. */
export function planOf(name: string, tensor: Tensor): TensorPlan {
  const { dtype, shape, axes } = tensor;
  const isNamed = axes.some((axis, i) => axis !== `d${i}`);
  return isNamed ? { name, dtype, shape, axes } : { name, dtype, shape };
}

interface Writing {
  readonly file: AtomicFile;
  readonly path: string;
  readonly entry: TensorPlan;
  readonly total: number;
}

async function writeTensor(writing: Writing, source: TensorSource, options: LongCallOptions): Promise<void> {
  const { file, path, entry, total } = writing;
  const end = file.position + byteLengthOf(entry.dtype, entry.shape);
  const label = `write ${path}`;
  for await (const piece of source(entry)) {
    throwIfAborted(options.signal, label);
    if (!fits(piece, entry.dtype) || file.position + piece.byteLength > end) throw misfit(writing, piece, end);
    await file.write(new Uint8Array(piece.buffer, piece.byteOffset, piece.byteLength));
    options.onProgress?.({ done: file.position, total, label });
  }
  throwIfAborted(options.signal, label);
  if (file.position !== end) throw misfit(writing, undefined, end);
}

/** A typed array fits when its elements are as wide as the tensor's; plain bytes fit everything. */
function fits(piece: TensorData, dtype: TensorPlan["dtype"]): boolean {
  return piece instanceof Uint8Array || piece.BYTES_PER_ELEMENT * 8 === bitsOf(dtype);
}

function misfit(writing: Writing, piece: TensorData | undefined, end: number): InputError {
  const missing = end - writing.file.position;
  const got =
    piece === undefined ? "the end of the source" : `a ${piece.constructor.name} of ${piece.byteLength} bytes`;
  return new InputError({
    where: `write ${writing.path}: tensor ${JSON.stringify(writing.entry.name)}`,
    got: `${got} with ${missing} bytes to go`,
    expected: `exactly ${byteLengthOf(writing.entry.dtype, writing.entry.shape)} bytes of ${writing.entry.dtype}`,
    fix: "Make the source give what the plan says; nothing was written.",
  });
}

function inFileOrder(plan: readonly TensorPlan[]): readonly TensorPlan[] {
  return plan.toSorted((a, b) => bitsOf(b.dtype) - bitsOf(a.dtype) || (a.name < b.name ? -1 : 1));
}

function checkPlan(plan: readonly TensorPlan[], path: string): void {
  const seen = new Set<string>();
  const repeated = plan.map((entry) => entry.name).filter((name) => seen.size === seen.add(name).size);
  const isReserved = seen.has("__metadata__");
  if (!isReserved && repeated.length === 0) return;
  throw new InputError({
    where: `write ${path}`,
    got: isReserved ? "a tensor named __metadata__" : `the names ${formatList(repeated)} twice`,
    expected: "different names, none of them __metadata__",
    fix: "Rename the tensor.",
  });
}

async function refuseFullDisk(path: string, needed: number): Promise<void> {
  const info = await statfs(dirname(path)).catch(() => undefined);
  // Some network and virtual file systems report no size at all.
  if (info === undefined || info.blocks === 0) return;
  const free = info.bavail * info.bsize;
  if (free >= needed) return;
  throw new MemoryError({
    where: `write ${path}`,
    got: `${formatBytes(free)} free on the disk`,
    expected: `room for ${formatBytes(needed)}`,
    fix: "Nothing was written; free some space or choose another folder.",
  });
}

function placed(ordered: readonly TensorPlan[], path: string, dataStart: number): ReadonlyMap<string, StoredTensor> {
  let offset = dataStart;
  const tensors = new Map<string, StoredTensor>();
  for (const entry of ordered) {
    const length = byteLengthOf(entry.dtype, entry.shape);
    tensors.set(entry.name, { ...entry, path, offset, length });
    offset += length;
  }
  return tensors;
}

function requireTensor(tensors: ReadonlyMap<string, Tensor>, name: string): Tensor {
  const tensor = tensors.get(name);
  if (tensor !== undefined) return tensor;
  throw new InputError({
    where: "writeSafetensors",
    got: `no tensor ${name}`,
    expected: "it",
    fix: "Report this as a bug.",
  });
}

function isPairs(tensors: NamedTensors): tensors is Iterable<readonly [string, Tensor]> {
  return Symbol.iterator in tensors;
}
