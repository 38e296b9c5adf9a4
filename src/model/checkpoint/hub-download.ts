/**
 * Downloads one file of a hub model into the cache.
 *
 * 1. Ask for the file; the answer, or the redirect of a large file, names its content hash (ETag) and size.
 * 2. Append the body to `blobs/ETAG.incomplete`; after a broken connection ask for the rest.
 * 3. Check the size, and for large files the SHA-256; rename to `blobs/ETAG`; link it in the snapshot.
 */
import { open, rename, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import {
  CheckpointError,
  type LongCallOptions,
  MemoryError,
  type OnProgress,
  sha256,
  sha256File,
} from "../../core/index.js";
import { checkFreeSpace, makeFolder } from "./disk.js";
import type { ResolvedHub } from "./environment.js";
import { exists, linkBlob, type ModelCache } from "./hub-cache.js";
import { refusal } from "./hub-errors.js";
import { type HubResponse, requestHub } from "./hub-request.js";
import { isTransientStatus, TransientFailure, withRetries } from "./hub-retry.js";
import { withLock } from "./lock.js";

/** Which file to fetch, and into which snapshot. */
export interface DownloadJob extends LongCallOptions {
  readonly hub: ResolvedHub;
  readonly cache: ModelCache;
  readonly id: string;
  /** The commit; names the snapshot folder. */
  readonly commit: string;
  readonly name: string;
}

/** A blob as the hub describes it. */
interface Blob {
  /** Safe as a file name. */
  readonly etag: string;
  readonly size: number | undefined;
}

/** No byte for this long breaks the connection, ms. */
const stallMs = 60_000;

/** Downloads `job.name` unless the cache has it, and returns its path in the snapshot. */
export async function downloadFile(job: DownloadJob): Promise<string> {
  const where = `download ${job.id}/${job.name}`;
  await makeFolder(job.cache.blobs);
  const retry = { delayMs: job.hub.retryDelayMs, signal: job.signal, where };
  const etag = await withRetries(() => attempt(job, where), retry).catch((error: unknown) => {
    throw error instanceof TransientFailure ? gaveUp(job, where, error) : error;
  });
  return linkBlob(job.cache, job.commit, { name: job.name, etag });
}

async function attempt(job: DownloadJob, where: string): Promise<string> {
  const response = await ask(job, { isProbe: true });
  try {
    const blob = describeBlob(response, job);
    if (await exists(join(job.cache.blobs, blob.etag))) return blob.etag;
    const lock = join(job.cache.blobs, `${blob.etag}.limpid-lock`);
    return await withLock(lock, () => complete(job, blob, response), { signal: job.signal, where });
  } finally {
    response.cancel();
  }
}

async function ask(job: DownloadJob, how: { start?: number; isProbe?: boolean }): Promise<HubResponse> {
  const path = `/${job.id}/resolve/${encodeURIComponent(job.commit)}/${encodePath(job.name)}`;
  const response = await request(job, path, how);
  if (isTransientStatus(response.status)) throw await transient(response);
  if (response.status < 400 || response.status === 416) return response;
  throw await refusal(response, {
    id: job.id,
    endpoint: job.hub.endpoint,
    file: job.name,
    hasToken: job.hub.token !== undefined,
  });
}

/** Sends one request; a network failure becomes a {@link TransientFailure}. */
async function request(
  job: DownloadJob,
  path: string,
  how: { start?: number; isProbe?: boolean },
): Promise<HubResponse> {
  try {
    return await requestHub(job.hub, { path, ...how, ...(job.signal === undefined ? {} : { signal: job.signal }) });
  } catch (cause) {
    throw new TransientFailure(reason(cause), { cause });
  }
}

async function transient(response: HubResponse): Promise<TransientFailure> {
  const text = (await response.text().catch(() => "")).slice(0, 200);
  return new TransientFailure(`HTTP ${response.status} ${text}`.trim(), { retryAfter: response.retryAfter });
}

function describeBlob(response: HubResponse, job: DownloadJob): Blob {
  const etag = response.etag ?? sha256(`${job.commit}/${job.name}`);
  return { etag: /^[\w.-]{1,200}$/.test(etag) ? etag : sha256(etag), size: response.size };
}

/** Fetches what is missing of a blob, checks it and gives it its final name. */
async function complete(job: DownloadJob, blob: Blob, first: HubResponse): Promise<string> {
  const path = join(job.cache.blobs, blob.etag);
  if (await exists(path)) return blob.etag;
  const partial = `${path}.incomplete`;
  const have = await sizeOf(partial);
  if (blob.size !== undefined)
    await checkFreeSpace(job.cache.blobs, blob.size - have, `download ${job.id}/${job.name}`);
  if (have === 0 || have !== blob.size) {
    const response = have > 0 || first.status !== 200 ? await ask(job, { start: have }) : first;
    try {
      await append(job, { partial, blob, response, have });
    } finally {
      if (response !== first) response.cancel();
    }
  }
  await verify(job, blob, partial, have > 0);
  await rename(partial, path);
  return blob.etag;
}

async function sizeOf(path: string): Promise<number> {
  return stat(path).then(
    (info) => info.size,
    () => 0,
  );
}

interface Append {
  readonly partial: string;
  readonly blob: Blob;
  readonly response: HubResponse;
  /** Bytes already there. */
  readonly have: number;
}

async function append(job: DownloadJob, { partial, blob, response, have }: Append): Promise<void> {
  if (response.status === 416 || response.start > have) {
    await rm(partial, { force: true });
    throw new TransientFailure("a range that the hub does not have");
  }
  // A hub without ranges sends the whole file again: overwrite from the start.
  const handle = await open(partial, response.start === have && have > 0 ? "r+" : "w");
  const report = reporter(job, blob.size);
  let position = response.start;
  const stall = setTimeout(response.cancel, stallMs);
  try {
    report(position);
    for await (const chunk of response.body) {
      stall.refresh();
      await handle.write(chunk, 0, chunk.length, position);
      position += chunk.length;
      report(position);
    }
    await handle.sync();
  } catch (cause) {
    throw await brokenOff(cause, partial, position > response.start);
  } finally {
    clearTimeout(stall);
    await handle.close();
  }
  if (blob.size === undefined || position >= blob.size) return;
  throw new TransientFailure(`the connection closed after ${position} of ${blob.size} bytes`, {
    madeProgress: position > response.start,
  });
}

async function brokenOff(cause: unknown, partial: string, madeProgress: boolean): Promise<Error> {
  const code = cause instanceof Error && "code" in cause ? String(cause.code) : "";
  if (!["ENOSPC", "EDQUOT", "EFBIG"].includes(code))
    return new TransientFailure(reason(cause), { cause, madeProgress });
  await rm(partial, { force: true });
  return new MemoryError(
    {
      where: `write ${partial}`,
      got: "no space left on the disk",
      expected: "room for the whole file",
      fix: "The part was removed; free some space, or put the cache elsewhere with HF_HUB_CACHE.",
    },
    { cause },
  );
}

function reporter(job: DownloadJob, total: number | undefined): (done: number) => void {
  const { onProgress }: { onProgress?: OnProgress } = job;
  const label = `download ${job.name}`;
  return (done) => onProgress?.({ done, label, ...(total === undefined ? {} : { total }) });
}

/** Throws away what does not match; a resumed file gets one more try from its start. */
async function verify(job: DownloadJob, blob: Blob, partial: string, wasResumed: boolean): Promise<void> {
  const size = await sizeOf(partial);
  const isHash = /^[0-9a-f]{64}$/.test(blob.etag);
  const sizeRight = blob.size === undefined || size === blob.size;
  const found = isHash && sizeRight ? await sha256File(partial, callOptions(job)) : undefined;
  if (sizeRight && (found === undefined || found === blob.etag)) return;
  await rm(partial, { force: true });
  if (wasResumed) throw new TransientFailure("a resumed file with a wrong checksum");
  throw new CheckpointError({
    where: `download ${job.id}/${job.name}`,
    got: found === undefined ? `${size} bytes` : `a file with SHA-256 ${found}`,
    expected: found === undefined ? `${blob.size} bytes` : `SHA-256 ${blob.etag}, as the hub states`,
    fix: "It was removed; try again, and if it happens again ask the model's owner or the mirror's.",
  });
}

function callOptions({ signal }: DownloadJob): LongCallOptions {
  return signal === undefined ? {} : { signal };
}

function gaveUp(job: DownloadJob, where: string, error: TransientFailure): CheckpointError {
  return new CheckpointError(
    {
      where,
      got: `repeated failures (${error.message})`,
      expected: `an answer from ${job.hub.endpoint}`,
      fix: "What arrived is kept; the next call goes on from there. Check the network, or HF_ENDPOINT.",
    },
    { cause: error.cause ?? error },
  );
}

function reason(cause: unknown): string {
  if (!(cause instanceof Error)) return String(cause);
  return cause.cause instanceof Error ? `${cause.message}: ${cause.cause.message}` : cause.message;
}

function encodePath(name: string): string {
  return name.split("/").map(encodeURIComponent).join("/");
}
