/** The manifest of a folder of activations: what was written, by which model, over which tokens. */
import { mkdir, readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import { FormatError, formatList, InputError } from "../../core/index.js";
import { isJsonObject, readJsonObject, writeFileAtomic } from "../../io/index.js";
import { differences, type Settings } from "./settings.js";

/** The type of activations in a shard. */
export type ShardDType = "float32" | "float16" | "bfloat16" | "float64";

/** One file of a folder of activations. */
export interface ShardRecord {
  readonly file: string;
  readonly tokens: number;
  readonly bytes: number;
  /** SHA-256 over token ids, rows and positions. */
  readonly tokensHash: string;
}

/** A hook point as it is written: axes and sizes of one token's value. */
export interface ShardHook {
  readonly name: string;
  readonly axes: readonly string[];
  readonly shape: readonly number[];
}

/** Everything about a folder of activations; it holds no times, so equal runs write equal bytes. */
export interface ShardManifest {
  readonly format: "limpid-activations";
  readonly version: 1;
  /** The model as it was named when loaded. */
  readonly model: string;
  /** What decided the activations, besides the data. */
  readonly settings: Settings;
  readonly dtype: ShardDType;
  readonly tokensPerShard: number;
  readonly hooks: readonly ShardHook[];
  readonly shards: readonly ShardRecord[];
  /** Whether all data were written. */
  readonly isComplete: boolean;
  /** Of a complete folder: rows and batches of the data, and the hash over them. */
  readonly rows?: number;
  readonly batches?: number;
  readonly dataHash?: string;
}

const manifestName = "manifest.json";

/** Returns the name of shard `index`. */
export function shardName(index: number): string {
  return `activations-${String(index).padStart(5, "0")}.safetensors`;
}

/** Writes a manifest atomically. */
export async function writeManifest(folder: string, manifest: ShardManifest): Promise<void> {
  await writeFileAtomic(join(folder, manifestName), `${JSON.stringify(manifest, undefined, 1)}\n`);
}

/** Reads a manifest and checks its parts; `undefined` when the folder has none. */
export async function readManifest(folder: string): Promise<ShardManifest | undefined> {
  const path = join(folder, manifestName);
  const info = await stat(path).catch(() => undefined);
  if (info === undefined) return undefined;
  const json: unknown = await readJsonObject(path);
  if (isManifest(json)) return json;
  throw new FormatError({
    where: path,
    got: "other contents",
    expected: "the manifest of activations that model.over wrote, version 1",
    fix: "Choose another folder.",
  });
}

function isManifest(json: unknown): json is ShardManifest {
  if (!isJsonObject(json) || json["format"] !== "limpid-activations" || json["version"] !== 1) return false;
  const { shards, hooks, settings, tokensPerShard } = json;
  return Array.isArray(shards) && Array.isArray(hooks) && isJsonObject(settings) && typeof tokensPerShard === "number";
}

/** Makes the folder, or finds in it what an earlier call of the same run wrote. */
export async function openFolder(folder: string, fresh: ShardManifest): Promise<ShardManifest> {
  await mkdir(folder, { recursive: true });
  const found = await readManifest(folder);
  if (found === undefined) {
    const names = (await readdir(folder)).filter((name) => !name.startsWith("."));
    if (names.length > 0) throw notEmpty(folder, names);
    return fresh;
  }
  const different = differences(comparable(found), comparable(fresh));
  if (different.length > 0) throw otherRun(folder, different);
  return found;
}

function comparable({ settings, dtype, tokensPerShard, hooks }: ShardManifest): Settings {
  return { ...settings, dtype, tokensPerShard, shapes: hooks.map(({ name, shape }) => `${name} ${shape.join("x")}`) };
}

function notEmpty(folder: string, names: readonly string[]): InputError {
  return new InputError({
    where: `model.over: shards ${folder}`,
    got: `a folder with other files (${formatList(names, 4)})`,
    expected: "a new or empty folder, or one that an earlier call of the same run left",
    fix: "Choose another folder.",
  });
}

function otherRun(folder: string, different: readonly string[]): InputError {
  return new InputError({
    where: `model.over: shards ${folder}`,
    got: `the activations of a run with other settings (${different.join("; ")})`,
    expected: "the settings of the run that wrote it",
    fix: "Choose another folder, or delete this one.",
  });
}
