/** Model folders on this machine: what is in them and what is missing. */
import { readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import { CheckpointError, formatList } from "../../core/index.js";
import { readJsonObject } from "../../io/index.js";
import { findWeightFiles, lookedFor, shardNames, type WeightFiles } from "./layout.js";

/** Returns the names of the files in a folder, links followed; empty when there is no such folder. */
export async function listFolder(folder: string): Promise<readonly string[]> {
  const names = await readdir(folder).catch(() => []);
  const kept = await Promise.all(names.map(async (name) => ((await isFile(join(folder, name))) ? name : undefined)));
  return kept.filter((name) => name !== undefined).sort();
}

/** Tells whether a path is a file (or a link to one). */
export async function isFile(path: string): Promise<boolean> {
  return stat(path).then(
    (info) => info.isFile(),
    () => false,
  );
}

/** Tells whether a path is a folder (or a link to one). */
export async function isFolder(path: string): Promise<boolean> {
  return stat(path).then(
    (info) => info.isDirectory(),
    () => false,
  );
}

/** Returns what a model folder lacks to be whole; empty when nothing. */
export async function missingFiles(folder: string): Promise<readonly string[]> {
  const names = await listFolder(folder);
  const config = names.includes("config.json") ? [] : ["config.json"];
  const weights = findWeightFiles(names);
  if (weights === undefined) return [...config, "weights"];
  if (!weights.isIndex) return config;
  return [...config, ...(await missingShards(folder, weights))];
}

async function missingShards(folder: string, weights: WeightFiles): Promise<readonly string[]> {
  const shards = shardNames(await readJsonObject(join(folder, weights.file)));
  const present = await Promise.all(shards.map((name) => isFile(join(folder, name))));
  return shards.filter((_, i) => present[i] !== true);
}

/** Finds the weight files of a folder. Throws a {@link CheckpointError} that lists what was looked for. */
export async function findLocalWeights(folder: string): Promise<WeightFiles> {
  const names = await listFolder(folder);
  const weights = findWeightFiles(names);
  if (weights === undefined) throw noWeights(folder, names);
  return weights;
}

function noWeights(folder: string, names: readonly string[]): CheckpointError {
  const weightLike = names.filter((name) => /\.(?:safetensors|bin|pt|pth)$/.test(name));
  const several = weightLike.length > 1 ? `${weightLike.length} files that could hold weights` : "no weights";
  return new CheckpointError({
    where: folder,
    got: `${several} (the folder holds ${names.length === 0 ? "nothing" : formatList(names, 20)})`,
    expected: lookedFor,
    fix: "Rename the right one to model.safetensors or model.pt, or get the missing files.",
  });
}
