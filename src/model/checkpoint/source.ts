/** From what the user names to a folder on this machine. */
import { homedir } from "node:os";
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { CheckpointError, formatList, InternalError } from "../../core/index.js";
import { resolveHub } from "./environment.js";
import { fetchSnapshot } from "./hub.js";
import { isFile, isFolder } from "./local.js";
import type { CheckpointOptions } from "./types.js";

/** Models inside the package, by name. */
export const embeddedModels: readonly string[] = [
  "tiny",
  "tiny-2l",
  "attn-only-2l",
  "constructed/induction",
  "constructed/selector-copy",
  "constructed/bigram-mlp",
];

/** A source that was found. */
export interface LocatedSource {
  readonly folder: string;
  /** The hub commit, when the source was a hub id. */
  readonly revision?: string;
}

const hubIdPattern = /^[\w-][\w.-]*(?:\/[\w-][\w.-]*)?$/;

/**
 * Finds the folder of a source: an embedded model, an existing folder, or a hub id (cached, else downloaded).
 *
 * @throws CheckpointError that says what was looked for.
 */
export async function locate(source: string, options: CheckpointOptions): Promise<LocatedSource> {
  if (embeddedModels.includes(source)) return { folder: await embeddedFolder(source) };
  const path = resolve(source.replace(/^~(?=\/|$)/, homedir()));
  if (source !== "" && (await isFolder(path))) return { folder: path };
  if (await isFile(path)) throw isAFile(source);
  if (!hubIdPattern.test(source)) throw notFound(source, path);
  const { revision = "main", signal, onProgress } = options;
  const { folder, commit } = await fetchSnapshot({
    hub: resolveHub(options.hub),
    id: source,
    revision,
    ...(signal === undefined ? {} : { signal }),
    ...(onProgress === undefined ? {} : { onProgress }),
  });
  return { folder, revision: commit };
}

/** The package's own `fixtures` folder is three levels above this file, in `src` and in `dist` alike. */
async function embeddedFolder(name: string): Promise<string> {
  const folder = fileURLToPath(new URL(`../../../fixtures/${name}`, import.meta.url));
  if (await isFile(join(folder, "config.json"))) return folder;
  throw new InternalError({
    where: `openCheckpoint: ${JSON.stringify(name)}`,
    got: `no embedded model in ${folder}`,
    expected: "the model that the package ships",
    fix: "Install the package again.",
  });
}

function isAFile(source: string): CheckpointError {
  return new CheckpointError({
    where: `openCheckpoint: ${JSON.stringify(source)}`,
    got: "a file",
    expected: "the folder that holds config.json and the weights",
    fix: "Give the folder's path.",
  });
}

function notFound(source: string, path: string): CheckpointError {
  return new CheckpointError({
    where: `openCheckpoint: ${JSON.stringify(source)}`,
    got: `no folder ${path}, and no hub id`,
    expected: `an existing folder, a hub id such as "openai-community/gpt2", or one of ${formatList(embeddedModels)}`,
    fix: "Check the spelling; a relative path starts in the current folder.",
  });
}
