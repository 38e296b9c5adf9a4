/** Sets of dictionaries on disk. */
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { FormatError, formatList, InputError, throwIfAborted } from "../../core/index.js";
import { JsonFields, readJsonObject } from "../../io/index.js";
import type { Dictionary } from "../dictionary.js";
import { DictionarySet } from "../set.js";
import { type TracerConfig, tracerConfig, tracerFiles, tracerHooks } from "./circuit-tracer.js";
import { checkVersion, limpidFiles } from "./limpid.js";
import { kindOf, locateDictionary, placeAt } from "./locate.js";
import { findFormat, readDictionary } from "./registry.js";
import { type DictionaryPlace, nameOf, type OpenDictionaryOptions } from "./types.js";

/** Options that hold for every dictionary of a set. */
function sharedOptions({ options }: DictionaryPlace): OpenDictionaryOptions {
  const own = new Set(["name", "path", "hook", "writeHook"]);
  return Object.fromEntries(Object.entries(options).filter(([key]) => !own.has(key)));
}

type Item = () => Promise<Dictionary>;

async function readAll(place: DictionaryPlace, items: readonly Item[]): Promise<readonly Dictionary[]> {
  const { signal, onProgress } = place.options;
  const dictionaries: Dictionary[] = [];
  for (const item of items) {
    throwIfAborted(signal, `openDictionarySet: ${place.id}`);
    dictionaries.push(await item());
    onProgress?.({ done: dictionaries.length, total: items.length, label: `open ${place.id}` });
  }
  return dictionaries;
}

function inFolder(place: DictionaryPlace, name: string): Item {
  return async () => {
    const inner = await placeAt(`${place.id}/${name}`, join(place.folder, name), sharedOptions(place));
    return readDictionary({ ...inner, words: `${place.words}/${name}` });
  };
}

/** The names of the folders of a set that limpid saved. */
function folderNames(fields: JsonFields): readonly string[] {
  const names: unknown = fields.json["dictionaries"];
  const isRight = Array.isArray(names) && names.length > 0 && names.every((name) => /^\w[\w.-]*$/.test(String(name)));
  if (isRight) return names.map(String);
  throw new FormatError({
    where: `${fields.where}: dictionaries`,
    got: JSON.stringify(names)?.slice(0, 80) ?? "nothing",
    expected: "a list of names of folders beside it",
    fix: "Save the set again with saveDictionarySet.",
  });
}

async function readLimpidSet(place: DictionaryPlace): Promise<DictionarySet> {
  const path = join(place.folder, limpidFiles.set);
  const fields = new JsonFields(path, await readJsonObject(path));
  checkVersion(fields, "limpid-dictionary-set");
  const items = folderNames(fields).map((name) => inFolder(place, name));
  return new DictionarySet(place.options.name ?? fields.text("name"), await readAll(place, items));
}

/** `hf://ORG/REPO/PATH?revision=REV`. */
function parseAddress(address: string, where: string): { readonly source: string; readonly revision?: string } {
  const [path = "", query = ""] = address.slice("hf://".length).split("?");
  const revision = new URLSearchParams(query).get("revision");
  if (/^[\w.-]+\/[\w.-]+\/.+/.test(path)) return { source: path, ...(revision === null ? {} : { revision }) };
  throw new FormatError({
    where,
    got: JSON.stringify(address),
    expected: "hf://ORG/REPO/PATH",
    fix: "Correct config.yaml.",
  });
}

function tracerItem(place: DictionaryPlace, config: TracerConfig, entry: string, layer: number): Item {
  return async () => {
    const options = { ...sharedOptions(place), ...tracerHooks(config, layer) };
    if (!entry.startsWith("hf://")) {
      const found = await placeAt(`${place.id}/${entry}`, join(place.folder, entry), options);
      return readDictionary({ ...found, words: `${place.words}/${entry}` });
    }
    const { source, revision } = parseAddress(entry, config.path);
    return readDictionary(
      await locateDictionary(source, { ...options, ...(revision === undefined ? {} : { revision }) }),
    );
  };
}

async function readTracerSet(place: DictionaryPlace, config: TracerConfig): Promise<DictionarySet> {
  const entries = tracerFiles(config, place.files);
  const items = entries.map((entry, layer) => tracerItem(place, config, entry, layer));
  return new DictionarySet(nameOf(place), await readAll(place, items));
}

/** A folder with one dictionary in each of its folders, such as sparsify's. */
async function readFolderOfFolders(place: DictionaryPlace): Promise<DictionarySet> {
  const found: Item[] = [];
  const names = (await readdir(place.folder)).sort();
  for (const name of names) {
    const path = join(place.folder, name);
    if ((await kindOf(path)) !== "folder") continue;
    const inner = await placeAt(`${place.id}/${name}`, path, sharedOptions(place));
    if ((await findFormat(inner)) !== undefined) found.push(inFolder(place, name));
  }
  if (found.length === 0) throw noSet(place, names);
  return new DictionarySet(nameOf(place), await readAll(place, found));
}

function noSet({ id, folder }: DictionaryPlace, names: readonly string[]): InputError {
  return new InputError({
    where: `openDictionarySet: ${JSON.stringify(id)}`,
    got: `${folder}, which holds ${names.length === 0 ? "nothing" : formatList(names, 12)}`,
    expected: `${limpidFiles.set}, config.yaml with layer_N.safetensors, or folders with one dictionary each`,
    fix: "Open a single dictionary with openDictionary.",
  });
}

/** Opens the set of a place. */
export async function readSet(place: DictionaryPlace): Promise<DictionarySet> {
  if (place.files.includes(limpidFiles.set)) return readLimpidSet(place);
  const config = await tracerConfig(place.folder);
  return config === undefined ? readFolderOfFolders(place) : readTracerSet(place, config);
}
