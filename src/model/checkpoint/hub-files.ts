/** Files of a hub repository that is no model, such as a dictionary: chosen by their names, through the same cache. */
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { CheckpointError, type LongCallOptions } from "../../core/index.js";
import { type ResolvedHub, resolveHub } from "./environment.js";
import { askModel, type SnapshotRequest } from "./hub.js";
import { cachedCommit, checkFileName, type ModelCache, modelCache, snapshotFolder, writeRef } from "./hub-cache.js";
import { downloadFile } from "./hub-download.js";
import { isFile } from "./local.js";
import type { HubOptions } from "./types.js";

/** Which files of which repository. */
export interface HubFilesRequest extends LongCallOptions {
  /** `ORG/NAME`. */
  readonly id: string;
  /** Branch, tag or commit; default `"main"`. */
  readonly revision?: string;
  readonly hub?: HubOptions;
  /** Chooses from the paths of a repository, in the order in which to fetch them. */
  readonly pick: (names: readonly string[]) => readonly string[];
  /** Tells whether the paths in the cache are all that is needed, so that the network is not asked. */
  readonly isWhole: (names: readonly string[]) => boolean;
}

/** Files of a repository in one folder. */
export interface HubFiles {
  /** The folder of the commit; what was asked for lies in it under the repository's own paths. */
  readonly folder: string;
  readonly commit: string;
  /** Paths that were picked. */
  readonly names: readonly string[];
}

/** Tells whether a text could be a hub id: `ORG/NAME`. */
export function isHubId(text: string): boolean {
  return /^[\w-][\w.-]*\/[\w-][\w.-]*$/.test(text);
}

/**
 * Returns the folder that holds chosen files of a hub repository, from the Hugging Face cache or downloaded into it.
 *
 * @throws CheckpointError when they are neither in the cache nor to be had; what arrived is kept for the next call.
 */
export async function fetchHubFiles(request: HubFilesRequest): Promise<HubFiles> {
  const { id, pick, isWhole, revision = "main" } = request;
  checkFileName(revision, id);
  const hub = resolveHub(request.hub);
  const cache = modelCache(hub.cacheFolder, id);
  const commit = await cachedCommit(cache, revision);
  const cached = commit === undefined ? [] : await listTree(snapshotFolder(cache, commit));
  if (commit !== undefined && (isWhole(cached) || (hub.offline && pick(cached).length > 0))) {
    return { folder: snapshotFolder(cache, commit), commit, names: pick(cached) };
  }
  if (hub.offline) throw offline(id, cache);
  return download(request, hub, cache);
}

async function download(request: HubFilesRequest, hub: ResolvedHub, cache: ModelCache): Promise<HubFiles> {
  const { id, pick, revision = "main", signal, onProgress } = request;
  const call = { ...(signal === undefined ? {} : { signal }), ...(onProgress === undefined ? {} : { onProgress }) };
  const snapshot: SnapshotRequest = { hub, id, revision, ...call };
  const { commit, names } = await askModel(snapshot);
  const picked = pick(names);
  for (const name of picked) await downloadFile({ hub, id, cache, commit, name, ...call });
  if (picked.length > 0) await writeRef(cache, revision, commit);
  return { folder: snapshotFolder(cache, commit), commit, names: picked };
}

/** Paths of the files below a folder, links followed; empty when there is no such folder. */
async function listTree(folder: string): Promise<readonly string[]> {
  const names = await readdir(folder, { recursive: true }).catch(() => []);
  const files = await Promise.all(names.map(async (name) => ((await isFile(join(folder, name))) ? name : undefined)));
  return files.filter((name) => name !== undefined).sort();
}

function offline(id: string, cache: ModelCache): CheckpointError {
  return new CheckpointError({
    where: `hub repository ${id}`,
    got: `offline mode, and not all of the files in ${cache.folder}`,
    expected: "the files in the Hugging Face cache",
    fix: "Unset HF_HUB_OFFLINE (or offline) once to download them, or give the path of a folder.",
  });
}
