/** From what the user names to a folder (or file) with a dictionary: in the package, on this machine, or on a hub. */
import { readdir, stat } from "node:fs/promises";
import { homedir } from "node:os";
import { basename, dirname, join, resolve, sep } from "node:path";
import { fileURLToPath } from "node:url";
import { FormatError, formatList, InputError } from "../../core/index.js";
import { fetchHubFiles, isHubId } from "../../model/index.js";
import type { DictionaryPlace, OpenDictionaryOptions } from "./types.js";

/** The package's `fixtures/dictionaries` is three levels above this file, in `src` and in `dist` alike. */
function embeddedRoot(): string {
  return fileURLToPath(new URL("../../../fixtures/dictionaries", import.meta.url));
}

/** Weights files of the formats; where one of them lies, no other file beside it is needed. */
const knownWeights =
  /(?:^|\/)(?:weights|sae_weights|sae|params|final|layer_\d+)\.safetensors$|(?:^|\/)(?:params\.npz|ae\.pt)$/;
const weightFile = /\.(?:safetensors|npz|pt|pth|bin)$/;
const configFile = /\.(?:json|yaml|yml)$/;
/** What training leaves behind beside a dictionary. */
const notNeeded = /(?:trainer_state|optimizer|activations_store_state|(?:^|\/)state|sparsity|training_log)/;

/**
 * Finds the place of a source.
 *
 * @throws InputError when it is nowhere; CheckpointError from the hub.
 */
export async function locateDictionary(
  source: string,
  options: OpenDictionaryOptions,
  kind: "one" | "set" = "one",
): Promise<DictionaryPlace> {
  const inner = cleanPath(source, options.path ?? "");
  const embedded = await embeddedPath(source, inner);
  if (embedded !== undefined) return placeAt(source, embedded, options);
  const path = resolve(source.replace(/^~(?=\/|$)/, homedir()));
  if (source !== "" && (await kindOf(path)) !== undefined) return localPlace(source, join(path, inner), options);
  const [org, name, ...rest] = source.split("/");
  const id = `${org}/${name}`;
  if (org === undefined || name === undefined || !isHubId(id)) throw nowhere(source, path);
  return hubPlace({ id, path: hubPath(rest, inner), kind }, source, options);
}

async function localPlace(source: string, path: string, options: OpenDictionaryOptions): Promise<DictionaryPlace> {
  if ((await kindOf(path)) === undefined) throw nowhere(source, path);
  return placeAt(source, path, options);
}

/** Refuses a path that would leave its source. */
function cleanPath(source: string, path: string): string {
  const isInside = !path.startsWith("/") && !path.split(/[\\/]/).includes("..");
  if (isInside) return path.replace(/\/+$/, "");
  throw new InputError({
    where: `openDictionary: ${JSON.stringify(source)}`,
    got: `the path ${JSON.stringify(path)}`,
    expected: "a path inside the source",
    fix: "Name the folder of the dictionary as the source itself.",
  });
}

async function embeddedPath(source: string, inner: string): Promise<string | undefined> {
  if (!/^[\w-]+(?:\/[\w.-]+)+$/.test(source) || source.split("/").includes("..")) return undefined;
  const path = join(embeddedRoot(), source, inner);
  return (await kindOf(path)) === "folder" ? path : undefined;
}

/** Returns the place of a folder or a file that exists. */
export async function placeAt(id: string, path: string, options: OpenDictionaryOptions): Promise<DictionaryPlace> {
  const isFile = (await kindOf(path)) === "file";
  const folder = isFile ? dirname(path) : path;
  const files = await fileNames(folder);
  return { id, folder, words: path.split(sep).join("/"), files, options, ...(isFile ? { file: basename(path) } : {}) };
}

/** Names of the files in a folder, and of those in its `checkpoints`, where some formats keep the weights. */
async function fileNames(folder: string): Promise<readonly string[]> {
  const list = async (path: string): Promise<readonly string[]> => {
    const names = await readdir(path).catch(() => []);
    const kept = await Promise.all(names.map(async (name) => (await kindOf(join(path, name))) === "file"));
    return names.filter((_, i) => kept[i] === true).sort();
  };
  const checkpoints = await list(join(folder, "checkpoints"));
  return [...(await list(folder)), ...checkpoints.map((name) => `checkpoints/${name}`)];
}

/** Tells whether a path is a file or a folder, links followed; `undefined` when there is nothing. */
export async function kindOf(path: string): Promise<"file" | "folder" | undefined> {
  return stat(path).then(
    (info) => (info.isFile() ? "file" : info.isDirectory() ? "folder" : undefined),
    () => undefined,
  );
}

/** What is wanted of a repository. */
interface HubWish {
  readonly id: string;
  /** A folder or a file; empty for the repository's own. */
  readonly path: string;
  readonly kind: "one" | "set";
}

function hubPath(parts: readonly string[], inner: string): string {
  return [...parts, inner].filter((part) => part !== "").join("/");
}

async function hubPlace(wish: HubWish, source: string, options: OpenDictionaryOptions): Promise<DictionaryPlace> {
  const { id, path } = wish;
  const { revision, hub, signal, onProgress } = options;
  const { folder } = await fetchHubFiles({
    id,
    pick: (names) => filesOf(wish, names),
    isWhole: (names) => wish.kind === "one" && names.some((name) => belongs(name, wish) && isWeights(name)),
    ...(revision === undefined ? {} : { revision }),
    ...(hub === undefined ? {} : { hub }),
    ...(signal === undefined ? {} : { signal }),
    ...(onProgress === undefined ? {} : { onProgress }),
  });
  return { ...(await placeAt(source, join(folder, path), options)), words: `${id}/${path}` };
}

function isWeights(name: string): boolean {
  return weightFile.test(name) && !notNeeded.test(name);
}

/** Whether a file of a repository is the one named, or lies in the folder (for a set, also in a folder of it). */
function belongs(name: string, { path, kind }: HubWish): boolean {
  if (name === path) return true;
  if (path !== "" && !name.startsWith(`${path}/`)) return false;
  const inside = path === "" ? name : name.slice(path.length + 1);
  return kind === "set" ? inside.split("/").length <= 2 : /^(?:checkpoints\/final\.|[^/]+$)/.test(inside);
}

/** The files to fetch: configurations of the folder and of those above it first, then weights. */
function filesOf(wish: HubWish, names: readonly string[]): readonly string[] {
  const above = ancestors(weightFile.test(wish.path) ? dirname(wish.path) : wish.path);
  const configs = names.filter((name) => configFile.test(name) && (above.has(dirname(name)) || belongs(name, wish)));
  const candidates = names.filter((name) => belongs(name, wish) && isWeights(name));
  const known = candidates.filter((name) => knownWeights.test(name));
  const weights = known.length > 0 && !candidates.includes(wish.path) ? known : candidates;
  const isList = wish.kind === "set" && configs.some((name) => /(?:^|\/)config\.ya?ml$/.test(name));
  if (weights.length > 0 || isList) return [...configs, ...weights];
  throw noWeights(wish, names);
}

function noWeights({ id, path }: HubWish, names: readonly string[]): InputError {
  const folders = [...new Set(names.filter(isWeights).map((name) => dirname(name)))];
  return new InputError({
    where: `openDictionary: ${JSON.stringify(id)}`,
    got: `the path ${JSON.stringify(path)}, where the repository has no weights`,
    expected: folders.length === 0 ? "a repository with weights" : `one of ${formatList(folders, 12)}`,
    fix: "Pass the folder of the dictionary as path.",
  });
}

/** The folder of a path and all above it, up to the repository's own. */
function ancestors(path: string): ReadonlySet<string> {
  const parts = path === "" || path === "." ? [] : path.split("/");
  return new Set([".", ...parts.map((_, i) => parts.slice(0, i + 1).join("/"))]);
}

function nowhere(source: string, path: string): InputError {
  return new InputError({
    where: `openDictionary: ${JSON.stringify(source)}`,
    got: `no file or folder ${path}, and no dictionary in the package`,
    expected: 'an embedded name such as "tiny/resid_post.3", a folder, a file, or a hub id such as "org/repo/folder"',
    fix: "Check the spelling; a relative path starts in the current folder.",
  });
}

/** An error for a place whose format nobody knows. */
export function unknownFormat({ id, folder, file, files }: DictionaryPlace, signs: readonly string[]): FormatError {
  const holds = files.length === 0 ? "no files" : formatList(files, 12);
  return new FormatError({
    where: `openDictionary: ${JSON.stringify(id)}`,
    got: file === undefined ? `${folder}, which holds ${holds}` : `${join(folder, file)}, in a folder with ${holds}`,
    expected: `a dictionary, recognised by ${signs.join("; ")}`,
    fix: "Give the folder of one dictionary, or its weights file; for several layers use openDictionarySet.",
  });
}
