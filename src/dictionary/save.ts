/** Writes dictionaries and sets in limpid's own format: atomically, mappable, small. */
import { mkdir } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import { InputError, type LongCallOptions, NumericError } from "../core/index.js";
import { readStored, type TensorPlan, withAtomicFolder, writeFileAtomic, writeSafetensorsStream } from "../io/index.js";
import type { ModuleWeight } from "../model/index.js";
import { Tensor, toFloat16 } from "../tensor/index.js";
import type { FeatureStatistics } from "./config.js";
import type { Dictionary } from "./dictionary.js";
import { limpidFiles, limpidVersion, statisticNames } from "./formats/limpid.js";
import type { DictionarySet } from "./set.js";

/** Options of {@link saveDictionary} and {@link saveDictionarySet}. */
export interface SaveDictionaryOptions extends LongCallOptions {
  /**
   * Element type of the matrices; biases, thresholds and statistics are always float32. `"float32"` (default) can be mapped;
   * `"float16"` is half as large, is read into memory, and has three significant digits.
   */
  readonly dtype?: "float32" | "float16";
  /** What to do when the folder exists already; default `"error"`. */
  readonly ifExists?: "error" | "replace";
}

/**
 * Writes a dictionary as a folder that appears only when it is complete.
 *
 * @throws InputError when the folder exists, MemoryError when the disk is full, NumericError when a weight does not fit
 * float16.
 */
export async function saveDictionary(
  dictionary: Dictionary,
  folder: string,
  options: SaveDictionaryOptions = {},
): Promise<void> {
  await inNewFolder(folder, options, (temporary) => writeDictionary(dictionary, temporary, options));
}

/**
 * Writes a set as a folder that appears only when it is complete: `set.json` and one folder for each dictionary, named after
 * the hook point that it writes to.
 *
 * @throws InputError, MemoryError and NumericError, as {@link saveDictionary} does.
 */
export async function saveDictionarySet(
  set: DictionarySet,
  folder: string,
  options: SaveDictionaryOptions = {},
): Promise<void> {
  await inNewFolder(folder, options, async (temporary) => {
    for (const dictionary of set) {
      const inner = join(temporary, dictionary.writeHook);
      await mkdir(inner);
      await writeDictionary(dictionary, inner, options);
    }
    const dictionaries = set.dictionaries.map(({ writeHook }) => writeHook);
    await writeJson(join(temporary, limpidFiles.set), {
      format: "limpid-dictionary-set",
      version: limpidVersion,
      name: set.name,
      dictionaries,
    });
  });
}

/** Fills a new folder that appears only when it is complete. */
export async function inNewFolder(
  folder: string,
  { ifExists = "error" }: Pick<SaveDictionaryOptions, "ifExists">,
  fill: (temporary: string) => Promise<void>,
): Promise<void> {
  if (folder === "") {
    throw new InputError({
      where: "saveDictionary: folder",
      got: "an empty path",
      expected: "the path of a new folder",
      fix: 'Name one: saveDictionary(dictionary, "my-dictionary").',
    });
  }
  const path = resolve(folder);
  await mkdir(dirname(path), { recursive: true });
  await withAtomicFolder(path, fill, { ifExists });
}

async function writeDictionary(dictionary: Dictionary, folder: string, options: SaveDictionaryOptions): Promise<void> {
  const { name, config, statistics } = dictionary;
  await writeWeights(dictionary, join(folder, limpidFiles.weights), options);
  await writeJson(join(folder, limpidFiles.config), {
    format: "limpid-dictionary",
    version: limpidVersion,
    name,
    kind: dictionary.kind,
    config,
    ...(statistics === undefined ? {} : { statistics: summary(statistics) }),
  });
}

/** Writes JSON that people may read. */
export function writeJson(path: string, json: unknown): Promise<void> {
  return writeFileAtomic(path, `${JSON.stringify(json, undefined, 2)}\n`);
}

/** What a reader of the JSON alone may want to know; the numbers of each feature are with the weights. */
function summary({ density, tokens }: FeatureStatistics): Readonly<Record<string, number>> {
  let l0 = 0;
  let dead = 0;
  for (const fraction of density) {
    l0 += fraction;
    if (fraction === 0) dead++;
  }
  return { tokens, l0, dead };
}

type Source = () => Promise<Float32Array | Uint16Array>;

async function writeWeights(
  { name, weights, statistics }: Dictionary,
  path: string,
  options: SaveDictionaryOptions,
): Promise<void> {
  const plan: TensorPlan[] = [];
  const sources = new Map<string, Source>();
  const add = (entry: TensorPlan, source: Source): void => {
    plan.push(entry);
    sources.set(entry.name, source);
  };
  for (const [key, weight] of weights) {
    const isHalf = options.dtype === "float16" && weight.shape.length === 2;
    const read = (): Promise<Float32Array> => weightNumbers(weight);
    const half = async (): Promise<Uint16Array> => halves(await read(), `dictionary ${name}: weight ${key}`);
    add({ name: key, dtype: isHalf ? "float16" : "float32", shape: weight.shape }, isHalf ? half : read);
  }
  for (const [key, values] of statistics === undefined ? [] : statisticVectors(statistics)) {
    add({ name: key, dtype: "float32", shape: [values.length] }, () => Promise.resolve(values));
  }
  await writeSafetensorsStream(path, plan, ({ name: key }) => piece(sources.get(key)), callOptions(options));
}

async function* piece(source: Source | undefined): AsyncGenerator<Float32Array | Uint16Array> {
  if (source !== undefined) yield await source();
}

function statisticVectors(statistics: FeatureStatistics): readonly (readonly [string, Float32Array])[] {
  return [
    [statisticNames.density, statistics.density],
    [statisticNames.meanActivation, statistics.meanActivation],
    [statisticNames.maxActivation, statistics.maxActivation],
  ];
}

/** Returns the numbers of a weight, read from its file where it lies in one. */
export async function weightNumbers(weight: ModuleWeight): Promise<Float32Array> {
  const { data } = weight instanceof Tensor ? weight : await readStored(weight);
  return data instanceof Float32Array ? data : Float32Array.from(data as ArrayLike<number>);
}

const largestHalf = 65504;

function halves(values: Float32Array, where: string): Uint16Array {
  const tooLarge = values.find((value) => !(Math.abs(value) <= largestHalf));
  if (tooLarge === undefined) return toFloat16(values);
  throw new NumericError({
    where,
    got: String(tooLarge),
    expected: `numbers up to ${largestHalf}, which float16 can hold`,
    fix: 'Save it with dtype "float32".',
  });
}

function callOptions({ signal, onProgress }: LongCallOptions): LongCallOptions {
  return { ...(signal === undefined ? {} : { signal }), ...(onProgress === undefined ? {} : { onProgress }) };
}
