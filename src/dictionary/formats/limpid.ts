/**
 * limpid's own format: a folder with `dictionary.json` and `weights.safetensors`.
 *
 * The JSON holds the configuration, the weights file the tensors under their own names and, as `stats.density`,
 * `stats.meanActivation` and `stats.maxActivation`, what is known of the features. A set is a folder with `set.json` and
 * one folder for each dictionary.
 */
import { join } from "node:path";
import { FormatError } from "../../core/index.js";
import { JsonFields, readJsonObject } from "../../io/index.js";
import type { ModuleWeight } from "../../model/index.js";
import { type DictionaryConfig, type DictionaryWeightName, type FeatureStatistics, weightShapes } from "../config.js";
import { Dictionary } from "../dictionary.js";
import { parseConfig } from "./limpid-config.js";
import { type DictionaryFormat, type DictionaryPlace } from "./types.js";
import { asWeight, type FileTensors, need, numbersOf, openWeights } from "./weights.js";

/** Names of the files of the format. */
export const limpidFiles = { config: "dictionary.json", weights: "weights.safetensors", set: "set.json" } as const;

/** The version of the format that this limpid writes; it reads this and older ones. */
export const limpidVersion = 1;

/** Names of statistics in the weights file. */
export const statisticNames = {
  density: "stats.density",
  meanActivation: "stats.meanActivation",
  maxActivation: "stats.maxActivation",
} as const;

/** Refuses a file of another kind or of a later version. */
export function checkVersion(fields: JsonFields, format: string): void {
  fields.word("format", [format]);
  const version = fields.size("version");
  if (version <= limpidVersion) return;
  throw new FormatError({
    where: `${fields.where}: version`,
    got: String(version),
    expected: `at most ${limpidVersion}`,
    fix: "It was written by a later limpid; update this one.",
  });
}

async function statisticsOf(
  fields: JsonFields,
  file: FileTensors,
  nFeatures: number,
): Promise<FeatureStatistics | undefined> {
  if (!fields.has("statistics")) return undefined;
  const read = async (name: string): Promise<Float32Array> => {
    const values = await numbersOf(need(file, name));
    if (values.length === nFeatures) return values;
    throw new FormatError({
      where: `${file.path}: ${name}`,
      got: `${values.length} numbers`,
      expected: `${nFeatures}, one for each feature`,
      fix: "The file was changed; get the original.",
    });
  };
  return {
    density: await read(statisticNames.density),
    meanActivation: await read(statisticNames.meanActivation),
    maxActivation: await read(statisticNames.maxActivation),
    tokens: fields.inner("statistics").number("tokens"),
  };
}

/** Returns the weights that a configuration calls for. */
export async function weightsFor(
  config: DictionaryConfig,
  file: FileTensors,
): Promise<Map<DictionaryWeightName, ModuleWeight>> {
  const weights = new Map<DictionaryWeightName, ModuleWeight>();
  for (const name of weightShapes(config, file.tensors.has("W_skip")).keys()) {
    weights.set(name, await asWeight(need(file, name)));
  }
  return weights;
}

async function read(place: DictionaryPlace): Promise<Dictionary> {
  const path = join(place.folder, limpidFiles.config);
  const fields = new JsonFields(path, await readJsonObject(path));
  checkVersion(fields, "limpid-dictionary");
  const stated = parseConfig(`${path}: config`, fields.json["config"]);
  const { hook, writeHook } = place.options;
  const config: DictionaryConfig = {
    ...stated,
    ...(hook === undefined ? {} : { readHook: hook, writeHook: hook }),
    ...(writeHook === undefined ? {} : { writeHook }),
  };
  const file = await openWeights(join(place.folder, limpidFiles.weights));
  const weights = await weightsFor(config, file);
  const statistics = await statisticsOf(fields, file, config.nFeatures);
  const name = place.options.name ?? fields.text("name");
  return new Dictionary({ name, config, weights, ...(statistics === undefined ? {} : { statistics }) });
}

/** limpid's own format. */
export const limpidFormat: DictionaryFormat = {
  name: "limpid",
  signs: `${limpidFiles.config} and ${limpidFiles.weights}`,
  detects: ({ files, file }) =>
    files.includes(limpidFiles.config) &&
    (file === undefined || file === limpidFiles.config || file === limpidFiles.weights),
  read: (place) => read(place),
};
