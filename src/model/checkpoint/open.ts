/** Opens a checkpoint: finds it, reads its configuration, and makes its weights mappable. */
import { join } from "node:path";
import { CheckpointError, formatList, type LongCallOptions, progressOf } from "../../core/index.js";
import { readJsonObject } from "../../io/index.js";
import { limpidCacheFolder } from "./environment.js";
import { identifyFiles } from "./identity.js";
import { findLocalWeights, isFile, listFolder } from "./local.js";
import { prepareWeights } from "./prepare.js";
import { type LocatedSource, locate } from "./source.js";
import type { Checkpoint, CheckpointFormat, CheckpointOptions } from "./types.js";
import { type OpenedWeights, openWeights } from "./weights.js";

/** A checkpoint as its files have it, before any conversion. */
export interface SourceCheckpoint extends Omit<Checkpoint, "tensors" | "prepared" | "buffers">, OpenedWeights {}

/**
 * Opens a checkpoint without reading its weights.
 *
 * @param source - `"tiny"` (embedded), a folder, or a hub id (from the Hugging Face cache, else downloaded).
 * @returns tensors that can be mapped; weights that are not float32 are converted once, into limpid's cache.
 * @throws CheckpointError when something is missing, FormatError when a file is broken, MemoryError when the disk is full,
 * AbortedError.
 */
export async function openCheckpoint(source: string, options: CheckpointOptions = {}): Promise<Checkpoint> {
  const { weights, buffers, paths: _, ...opened } = await openSource(source, options);
  const ready = await prepareWeights({
    id: source,
    identity: opened.identity,
    tensors: weights,
    cacheFolder: limpidCacheFolder(options.cacheFolder),
    logger: options.logger,
    ...longCall(options),
  });
  return Object.freeze({ ...opened, buffers, ...ready });
}

/** Finds and opens a checkpoint, and converts nothing. */
export async function openSource(source: string, options: CheckpointOptions): Promise<SourceCheckpoint> {
  const located = await locate(source, options);
  const { folder } = located;
  const config = await readConfig(folder);
  const opened = await openWeights(folder, await findLocalWeights(folder));
  if (opened.weights.size === 0) throw noTensors(folder);
  return {
    id: source,
    ...located,
    format: formatOf(config, folder),
    config,
    ...opened,
    identity: await identifyFiles(opened.paths),
    ...(await tokenizerOf(located)),
  };
}

async function readConfig(folder: string): Promise<Readonly<Record<string, unknown>>> {
  const path = join(folder, "config.json");
  if (await isFile(path)) return readJsonObject(path);
  const names = await listFolder(folder);
  throw new CheckpointError({
    where: folder,
    got: `no config.json (the folder holds ${names.length === 0 ? "nothing" : formatList(names, 20)})`,
    expected: "config.json beside the weights",
    fix: "Give the folder of a Hugging Face or TransformerLens model.",
  });
}

function formatOf(config: Readonly<Record<string, unknown>>, folder: string): CheckpointFormat {
  if (typeof config["n_layers"] === "number" && typeof config["d_model"] === "number") return "transformer-lens";
  if (typeof config["model_type"] === "string" || Array.isArray(config["architectures"])) return "huggingface";
  throw new CheckpointError({
    where: join(folder, "config.json"),
    got: `the keys ${formatList(Object.keys(config), 12)}`,
    expected: "`model_type` (Hugging Face) or `n_layers` and `d_model` (TransformerLens)",
    fix: "Write the model's configuration in one of these vocabularies.",
  });
}

async function tokenizerOf({ folder }: LocatedSource): Promise<{ tokenizerFolder?: string }> {
  return (await isFile(join(folder, "tokenizer.json"))) ? { tokenizerFolder: folder } : {};
}

function noTensors(folder: string): CheckpointError {
  return new CheckpointError({
    where: folder,
    got: "weight files without any floating-point tensor",
    expected: "float32, float16, bfloat16 or float64 weights",
    fix: "Get the original weights; packed and quantised formats are not read.",
  });
}

function longCall(options: LongCallOptions): LongCallOptions {
  const { signal } = options;
  const onProgress = progressOf(options);
  return { ...(signal === undefined ? {} : { signal }), ...(onProgress === undefined ? {} : { onProgress }) };
}
