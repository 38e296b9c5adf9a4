/** What `limpid info` tells about a checkpoint, without converting anything. */
import { stat } from "node:fs/promises";
import { join } from "node:path";
import { sizeOf } from "../../io/index.js";
import { listFolder } from "./local.js";
import { openSource, type SourceCheckpoint } from "./open.js";
import { isReady, preparedBytes, preparedFolder } from "./prepare.js";
import type { CheckpointFormat, CheckpointOptions } from "./types.js";

/** A file of a model folder. */
export interface CheckpointFile {
  readonly name: string;
  /** Size in bytes, links followed. */
  readonly bytes: number;
}

/** A checkpoint in figures. */
export interface CheckpointDescription {
  readonly id: string;
  readonly folder: string;
  readonly format: CheckpointFormat;
  readonly identity: string;
  readonly revision?: string;
  readonly hasTokenizer: boolean;
  readonly files: readonly CheckpointFile[];
  /** Number of weight tensors. */
  readonly nTensors: number;
  /** Number of weights. */
  readonly nParameters: number;
  /** Number of weights by stored element type. */
  readonly parametersByDType: Readonly<Record<string, number>>;
  /** Whether the weights are mapped as they lie. */
  readonly isMappable: boolean;
  /** Bytes that the prepared float32 copy takes, made when the model is first loaded; 0 when none is needed. */
  readonly preparedBytes: number;
  /** Folder of the prepared copy, there or not yet; absent when none is needed. */
  readonly preparedFolder?: string;
}

/** Returns the files of a model folder with their sizes, by name. */
export async function listCheckpointFiles(folder: string): Promise<readonly CheckpointFile[]> {
  const names = await listFolder(folder);
  return Promise.all(names.map(async (name) => ({ name, bytes: (await stat(join(folder, name))).size })));
}

/** Finds a checkpoint (downloading a hub id that is not in the cache) and describes it; converts nothing. */
export async function describeCheckpoint(
  source: string,
  options: CheckpointOptions = {},
): Promise<CheckpointDescription> {
  return describeSource(await openSource(source, options), options);
}

/** Describes a checkpoint that is open already. */
export async function describeSource(
  { id, folder, format, identity, revision, weights, tokenizerFolder }: SourceCheckpoint,
  options: CheckpointOptions,
): Promise<CheckpointDescription> {
  const byDType: Record<string, number> = {};
  for (const { dtype, shape } of weights.values()) byDType[dtype] = (byDType[dtype] ?? 0) + sizeOf(shape);
  const ready = isReady(weights);
  return {
    id,
    folder,
    format,
    identity,
    ...(revision === undefined ? {} : { revision }),
    hasTokenizer: tokenizerFolder !== undefined,
    files: await listCheckpointFiles(folder),
    nTensors: weights.size,
    nParameters: Object.values(byDType).reduce((sum, count) => sum + count, 0),
    parametersByDType: byDType,
    isMappable: ready,
    ...(ready
      ? { preparedBytes: 0 }
      : { preparedBytes: preparedBytes(weights), preparedFolder: preparedFolder(identity, options.cacheFolder) }),
  };
}
