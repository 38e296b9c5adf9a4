/**
 * The folder layout that huggingface_hub uses, so that both share downloads.
 *
 * `models--ORG--NAME/refs/REVISION` holds a commit, `blobs/ETAG` a file's content, `snapshots/COMMIT/FILE` links to it.
 */
import { copyFile, lstat, mkdir, readFile, rename, rm, stat, symlink } from "node:fs/promises";
import { dirname, join, relative } from "node:path";
import { InputError } from "../../core/index.js";
import { writeFileAtomic } from "../../io/index.js";

/** Where one model lies in the cache. */
export interface ModelCache {
  readonly folder: string;
  readonly blobs: string;
}

const commitPattern = /^[0-9a-f]{40}$/;

/** Returns a model's place in the cache; nothing need exist. */
export function modelCache(cacheFolder: string, id: string): ModelCache {
  const folder = join(cacheFolder, `models--${id.replaceAll("/", "--")}`);
  return { folder, blobs: join(folder, "blobs") };
}

/** Returns the folder of a commit's files. */
export function snapshotFolder(cache: ModelCache, commit: string): string {
  return join(cache.folder, "snapshots", commit);
}

/** Returns the commit that the cache knows for a revision, or `undefined`. */
export async function cachedCommit(cache: ModelCache, revision: string): Promise<string | undefined> {
  if (commitPattern.test(revision)) return revision;
  const text = await readFile(join(cache.folder, "refs", revision), "utf8").catch(() => undefined);
  const commit = text?.trim();
  return commit !== undefined && commitPattern.test(commit) ? commit : undefined;
}

/** Remembers which commit a revision is. */
export async function writeRef(cache: ModelCache, revision: string, commit: string): Promise<void> {
  if (revision === commit) return;
  const path = join(cache.folder, "refs", revision);
  await mkdir(dirname(path), { recursive: true });
  await writeFileAtomic(path, commit);
}

/** Makes `snapshots/COMMIT/FILE` a link to a blob; copies where links are not allowed. */
export async function linkBlob(
  cache: ModelCache,
  commit: string,
  file: { name: string; etag: string },
): Promise<string> {
  const path = join(snapshotFolder(cache, commit), file.name);
  const blob = join(cache.blobs, file.etag);
  if ((await exists(path)) && (await sameFile(path, blob))) return path;
  await mkdir(dirname(path), { recursive: true });
  const temporary = `${path}.${process.pid}.link`;
  await rm(temporary, { force: true });
  await symlink(relative(dirname(path), blob), temporary).catch(() => copyFile(blob, temporary));
  await rename(temporary, path);
  return path;
}

/** Tells whether a path, its link followed, exists. */
export async function exists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  );
}

async function sameFile(path: string, blob: string): Promise<boolean> {
  const [info, target] = await Promise.all([stat(path), stat(blob)]);
  const isLink = (await lstat(path)).isSymbolicLink();
  return isLink ? info.ino === target.ino : info.size === target.size;
}

/** Refuses file names of a repository that would leave the snapshot folder. */
export function checkFileName(name: string, id: string): void {
  const isSafe = name !== "" && !name.startsWith("/") && !name.includes("\\") && !name.split("/").includes("..");
  if (isSafe) return;
  throw new InputError({
    where: `hub model ${id}`,
    got: `a file named ${JSON.stringify(name)}`,
    expected: "names inside the repository",
    fix: "Do not use this repository.",
  });
}
