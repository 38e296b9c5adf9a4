/** Opens the tensors of weight files without reading them. */
import { open, realpath, stat } from "node:fs/promises";
import { join } from "node:path";
import { CheckpointError } from "../../core/index.js";
import {
  openSafetensors,
  openSharded,
  openTorch,
  readJsonObject,
  type StoredTensor,
  stateDictOf,
} from "../../io/index.js";
import { shardNames, type WeightFiles } from "./layout.js";

/** Tensors by name, sorted by use. */
export interface OpenedWeights {
  /** Floating-point tensors of any width. */
  readonly weights: ReadonlyMap<string, StoredTensor>;
  /** Everything else: masks, ids, packed formats. */
  readonly buffers: ReadonlyMap<string, StoredTensor>;
  /** Real paths of the files. */
  readonly paths: readonly string[];
}

const floating: ReadonlySet<string> = new Set(["float64", "float32", "float16", "bfloat16"]);

/**
 * Opens the weights of a folder, shards joined.
 *
 * @throws FormatError for a broken or forbidden file, CheckpointError for missing or clashing shards and Git LFS pointers.
 */
export async function openWeights(folder: string, files: WeightFiles): Promise<OpenedWeights> {
  const tensors = await resolveLinks(await openTensors(folder, files));
  const [weights, buffers] = partition(tensors, ({ dtype }) => floating.has(dtype));
  return { weights, buffers, paths: [...new Set([...tensors.values()].map(({ path }) => path))].sort() };
}

async function openTensors(
  folder: string,
  { kind, file, isIndex }: WeightFiles,
): Promise<ReadonlyMap<string, StoredTensor>> {
  const path = join(folder, file);
  const holders = isIndex ? shardNames(await readJsonObject(path)).map((name) => join(folder, name)) : [path];
  for (const holder of holders) await refusePointer(holder);
  if (isIndex) return (await openSharded(path)).tensors;
  return kind === "safetensors" ? (await openSafetensors(path)).tensors : stateDictOf(await openTorch(path));
}

/** The runtime refuses links that leave a folder, so every path is made real. */
async function resolveLinks(tensors: ReadonlyMap<string, StoredTensor>): Promise<ReadonlyMap<string, StoredTensor>> {
  const paths = new Set([...tensors.values()].map(({ path }) => path));
  const real = new Map(await Promise.all([...paths].map(async (path) => [path, await realpath(path)] as const)));
  return new Map(
    [...tensors].map(([name, tensor]) => [name, { ...tensor, path: real.get(tensor.path) ?? tensor.path }]),
  );
}

function partition<T>(map: ReadonlyMap<string, T>, test: (value: T) => boolean): [Map<string, T>, Map<string, T>] {
  const entries = [...map];
  return [new Map(entries.filter(([, value]) => test(value))), new Map(entries.filter(([, value]) => !test(value)))];
}

/** A clone without Git LFS holds small text files in place of the weights. */
async function refusePointer(path: string): Promise<void> {
  const info = await stat(path).catch(() => undefined);
  if (info === undefined || info.size > 1024) return;
  const handle = await open(path, "r");
  try {
    const { buffer, bytesRead } = await handle.read(new Uint8Array(48), 0, 48, 0);
    if (!new TextDecoder().decode(buffer.subarray(0, bytesRead)).startsWith("version https://git-lfs")) return;
  } finally {
    await handle.close();
  }
  throw new CheckpointError({
    where: path,
    got: "a Git LFS pointer, not the weights themselves",
    expected: "the file that it points to",
    fix: "Run `git lfs pull` in that folder, or load the model by its hub id.",
  });
}
