/** A hub model as a local folder: from the Hugging Face cache when it is whole there, else downloaded. */
import { CheckpointError, formatList, type LongCallOptions } from "../../core/index.js";
import { isJsonObject, parseJson, readJsonObject } from "../../io/index.js";
import type { ResolvedHub } from "./environment.js";
import { cachedCommit, checkFileName, type ModelCache, modelCache, snapshotFolder, writeRef } from "./hub-cache.js";
import { downloadFile } from "./hub-download.js";
import { type Asked, refusal } from "./hub-errors.js";
import { type HubResponse, requestHub } from "./hub-request.js";
import { isTransientStatus, TransientFailure, withRetries } from "./hub-retry.js";
import { companionFiles, findWeightFiles, lookedFor, shardNames } from "./layout.js";
import { missingFiles } from "./local.js";

/** Which model, of which hub. */
export interface SnapshotRequest extends LongCallOptions {
  readonly hub: ResolvedHub;
  /** `ORG/NAME`, or a bare name of the hub's early days. */
  readonly id: string;
  /** Branch, tag or commit. */
  readonly revision: string;
}

/** A hub model's files in one folder. */
export interface Snapshot {
  readonly folder: string;
  readonly commit: string;
}

/**
 * Returns the folder of a hub model.
 *
 * A whole snapshot in the cache is used without asking the network, as of the time it was downloaded.
 *
 * @throws CheckpointError when it is neither in the cache nor to be had; what arrived is kept for the next call.
 */
export async function fetchSnapshot(request: SnapshotRequest): Promise<Snapshot> {
  const { hub, id, revision } = request;
  checkFileName(revision, id);
  const cache = modelCache(hub.cacheFolder, id);
  const commit = await cachedCommit(cache, revision);
  const missing = commit === undefined ? undefined : await missingFiles(snapshotFolder(cache, commit));
  if (commit !== undefined && missing?.length === 0) return { folder: snapshotFolder(cache, commit), commit };
  if (hub.offline) throw offline(request, cache, missing);
  return download(request, cache);
}

async function download(request: SnapshotRequest, cache: ModelCache): Promise<Snapshot> {
  const { commit, names } = await askModel(request);
  const weights = findWeightFiles(names);
  if (!names.includes("config.json") || weights === undefined) throw notAModel(request, names);
  const get = (name: string): Promise<string> => downloadFile({ ...request, cache, commit, name });
  for (const name of companionFiles) if (names.includes(name)) await get(name);
  const path = await get(weights.file);
  const shards = weights.isIndex ? shardNames(await readJsonObject(path)) : [];
  for (const shard of shards) {
    checkFileName(shard, request.id);
    await get(shard);
  }
  await writeRef(cache, request.revision, commit);
  return { folder: snapshotFolder(cache, commit), commit };
}

/** What the hub says of a repository at a revision. */
export interface ModelAnswer {
  readonly commit: string;
  /** Paths of all files inside the repository. */
  readonly names: readonly string[];
}

/** Asks the hub for the commit and the files of a revision. */
export async function askModel(request: SnapshotRequest): Promise<ModelAnswer> {
  const { id, revision, hub } = request;
  const path = `/api/models/${id}/revision/${encodeURIComponent(revision)}`;
  const value = await askJson(request, path, {
    id,
    revision,
    endpoint: hub.endpoint,
    hasToken: hub.token !== undefined,
  });
  const siblings: readonly unknown[] = Array.isArray(value["siblings"]) ? value["siblings"] : [];
  const names = siblings.map((entry) => (isJsonObject(entry) ? entry["rfilename"] : undefined));
  const safe = names.filter((name) => typeof name === "string");
  for (const name of safe) checkFileName(name, id);
  const commit = typeof value["sha"] === "string" ? value["sha"] : revision;
  checkFileName(commit, id);
  return { commit, names: safe };
}

async function askJson(
  request: SnapshotRequest,
  path: string,
  asked: Asked,
): Promise<Readonly<Record<string, unknown>>> {
  const { hub, signal } = request;
  const where = `hub model ${request.id}`;
  const retry = { delayMs: hub.retryDelayMs, signal, where };
  const text = await withRetries(() => askText(request, path, asked), retry).catch((error: unknown) => {
    throw error instanceof TransientFailure ? unreachable(request, error) : error;
  });
  const value = parseJson(text, `${hub.endpoint}${path}`);
  return isJsonObject(value) ? value : {};
}

async function askText(request: SnapshotRequest, path: string, asked: Asked): Promise<string> {
  const { hub, signal } = request;
  const response = await requestHub(hub, { path, ...(signal === undefined ? {} : { signal }) }).catch(
    (cause: unknown) => {
      throw new TransientFailure(reasonOf(cause), { cause });
    },
  );
  if (response.status === 200)
    return response.text().catch((cause: unknown) => {
      throw new TransientFailure(reasonOf(cause), { cause });
    });
  if (isTransientStatus(response.status)) {
    response.cancel();
    throw new TransientFailure(`HTTP ${response.status}`, { retryAfter: response.retryAfter });
  }
  throw await refusal(response, await withRevisions(request, response, asked));
}

/** A wrong revision is best answered with the right ones; failing to list them is no error of its own. */
async function withRevisions(request: SnapshotRequest, response: HubResponse, asked: Asked): Promise<Asked> {
  if (response.status !== 404 || response.errorCode === "RepoNotFound") return asked;
  const names = await listRevisions(request).catch(() => []);
  return names.length === 0 ? asked : { ...asked, available: formatList(names, 20) };
}

async function listRevisions({ hub, id }: SnapshotRequest): Promise<readonly string[]> {
  const path = `/api/models/${id}/refs`;
  const answer = await requestHub(hub, { path });
  const refs = parseJson(await answer.text(), `${hub.endpoint}${path}`);
  if (answer.status !== 200 || !isJsonObject(refs)) return [];
  const entries = [refs["branches"], refs["tags"]].flatMap((list): unknown[] => (Array.isArray(list) ? list : []));
  const names = entries.map((entry) => (isJsonObject(entry) ? entry["name"] : undefined));
  return names.filter((name) => typeof name === "string");
}

function offline(request: SnapshotRequest, cache: ModelCache, missing: readonly string[] | undefined): CheckpointError {
  const lacks = missing === undefined ? `revision ${JSON.stringify(request.revision)}` : formatList(missing);
  return new CheckpointError({
    where: `hub model ${request.id}`,
    got: `offline mode, and no ${lacks} in ${cache.folder}`,
    expected: "a whole model in the Hugging Face cache",
    fix: "Unset HF_HUB_OFFLINE (or offline) once to download it, or give the path of a folder.",
  });
}

function notAModel(request: SnapshotRequest, names: readonly string[]): CheckpointError {
  return new CheckpointError({
    where: `hub model ${request.id}`,
    got: `a repository with the files ${formatList(names, 20)}`,
    expected: `config.json and weights (${lookedFor})`,
    fix: "Choose a repository with the original weights (not GGUF, MLX or an adapter).",
  });
}

function unreachable(request: SnapshotRequest, error: TransientFailure): CheckpointError {
  const { id, hub } = request;
  return new CheckpointError(
    {
      where: `hub model ${id}`,
      got: `no folder of this name, nothing whole in ${modelCache(hub.cacheFolder, id).folder}, and ${hub.endpoint} failed (${error.message})`,
      expected: "a folder, a model in the Hugging Face cache, or a reachable hub",
      fix: "Check the path or id, the network, and HF_ENDPOINT.",
    },
    { cause: error.cause ?? error },
  );
}

function reasonOf(cause: unknown): string {
  if (!(cause instanceof Error)) return String(cause);
  return cause.cause instanceof Error ? `${cause.message}: ${cause.cause.message}` : cause.message;
}
