/** Checkpoints split over several files, tied together by an index (`model.safetensors.index.json`). */
import { dirname, isAbsolute, join, normalize } from "node:path";
import { CheckpointError, FormatError, isLimpidError } from "../core/index.js";
import { isJsonObject, readJsonObject } from "./json.js";
import { openSafetensors } from "./safetensors.js";
import type { StoredTensor } from "./stored.js";
import { openTorch, stateDictOf } from "./torch.js";

/** A checkpoint of several files, seen as one. */
export interface ShardedCheckpoint {
  /** The index file. */
  readonly path: string;
  /** The shard files. */
  readonly files: readonly string[];
  readonly tensors: ReadonlyMap<string, StoredTensor>;
}

/**
 * Opens the shards that an index names: safetensors, or PyTorch files for `pytorch_model.bin.index.json`.
 *
 * A weight that a shard holds and the index does not list is kept.
 *
 * @throws CheckpointError that lists every problem at once: missing and damaged shards, weights listed but absent, weights
 * in two shards.
 */
export async function openSharded(indexPath: string): Promise<ShardedCheckpoint> {
  const weightMap = readWeightMap(await readJsonObject(indexPath), indexPath);
  const names = [...new Set(weightMap.values())].sort();
  const opened = await Promise.all(names.map((name) => openShard(join(dirname(indexPath), name), name)));
  const problems = opened.flatMap((shard) => shard.problems);
  const homes = homesOf(opened);
  problems.push(...duplicates(homes), ...absent(weightMap, opened));
  if (problems.length > 0) throw incomplete(indexPath, problems);
  const tensors = new Map(opened.flatMap((shard) => [...shard.tensors]));
  return { path: indexPath, files: opened.map((shard) => shard.path), tensors };
}

interface Shard {
  readonly name: string;
  readonly path: string;
  readonly tensors: ReadonlyMap<string, StoredTensor>;
  readonly problems: readonly string[];
}

async function openShard(path: string, name: string): Promise<Shard> {
  try {
    const isTorch = /\.(bin|pt|pth)$/.test(name);
    const tensors = isTorch ? stateDictOf(await openTorch(path)) : (await openSafetensors(path)).tensors;
    return { name, path, tensors, problems: [] };
  } catch (error) {
    if (!isLimpidError(error)) throw error;
    const isMissing = error.got.startsWith("ENOENT");
    return {
      name,
      path,
      tensors: new Map(),
      problems: [isMissing ? `missing shard ${name}` : `damaged shard: ${error.message}`],
    };
  }
}

function readWeightMap(index: Readonly<Record<string, unknown>>, path: string): ReadonlyMap<string, string> {
  const map = index["weight_map"];
  if (!isJsonObject(map)) throw badIndex(path, "no weight_map");
  const entries = Object.entries(map).map(([weight, file]): [string, string] => {
    if (typeof file === "string" && isInside(file)) return [weight, file];
    throw badIndex(`${path}: ${JSON.stringify(weight)}`, JSON.stringify(file));
  });
  return new Map(entries);
}

function isInside(file: string): boolean {
  return file !== "" && !isAbsolute(file) && !normalize(file).startsWith("..");
}

function homesOf(shards: readonly Shard[]): ReadonlyMap<string, readonly string[]> {
  const homes = new Map<string, string[]>();
  for (const { name, tensors } of shards) {
    for (const weight of tensors.keys()) homes.set(weight, [...(homes.get(weight) ?? []), name]);
  }
  return homes;
}

function duplicates(homes: ReadonlyMap<string, readonly string[]>): readonly string[] {
  return [...homes]
    .filter(([, files]) => files.length > 1)
    .map(([weight, files]) => `${JSON.stringify(weight)} in ${files.join(" and ")}`);
}

function absent(weightMap: ReadonlyMap<string, string>, shards: readonly Shard[]): readonly string[] {
  const usable = new Map(shards.filter((shard) => shard.problems.length === 0).map((shard) => [shard.name, shard]));
  return [...weightMap]
    .filter(([weight, file]) => usable.get(file)?.tensors.has(weight) === false)
    .map(([weight, file]) => `${JSON.stringify(weight)} absent from ${file}`);
}

function incomplete(path: string, problems: readonly string[]): CheckpointError {
  const shown = problems.slice(0, 20).join("; ");
  const more = problems.length > 20 ? ` and ${problems.length - 20} more` : "";
  return new CheckpointError({
    where: path,
    got: `${problems.length} ${problems.length === 1 ? "problem" : "problems"}: ${shown}${more}`,
    expected: "every shard whole and every weight once",
    fix: "Download the checkpoint again; it may be half downloaded.",
  });
}

function badIndex(where: string, got: string): FormatError {
  return new FormatError({
    where,
    got,
    expected: "a weight_map from weight names to files beside the index",
    fix: "Get the index file again.",
  });
}
