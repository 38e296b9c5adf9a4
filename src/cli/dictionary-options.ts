/** What the commands about dictionaries share: the data, and the dictionary. */
import { type Command, Option } from "commander";
import { type Dataset, data, type FileDocument } from "../data/index.js";
import {
  type Dictionary,
  type DictionaryDataOptions,
  type DictionarySet,
  type OpenDictionaryOptions,
  openDictionary,
  openDictionarySet,
} from "../dictionary/index.js";
import type { CliContext } from "./context.js";
import { addModelOptions, integer, type ModelOptions } from "./options.js";

/** Options of commands that run data through a model. */
export interface DataArguments extends ModelOptions {
  readonly field?: string;
  readonly tokens?: number;
  readonly keepSpecial?: boolean;
  readonly prependBos?: boolean;
}

/** Options that say what a dictionary's files do not. */
export interface OpenArguments {
  readonly path?: string;
  readonly hook?: string;
  readonly writeHook?: string;
  readonly offline?: boolean;
}

/** Adds options about the data. */
export function addDataOptions(command: Command): Command {
  return addModelOptions(command)
    .option("--field <name>", 'field of a .jsonl, .json, .csv or .tsv file that holds the text (default: "text")')
    .option("--tokens <n>", "tokens to count (default: all)", integer(1))
    .option("--keep-special", "count BOS, EOS and other control tokens too")
    .addOption(new Option("--prepend-bos", "BOS in front of each document (default: as the dictionary was trained)"));
}

/** Adds options about the dictionary. */
export function addOpenOptions(command: Command): Command {
  return command
    .option("--path <path>", "folder of the dictionary inside its hub repository")
    .option("--hook <name>", "hook point that it reads, where its files do not say")
    .option("--write-hook <name>", "hook point that it reconstructs, where its files do not say");
}

/** Opens the data file. */
export function openData(path: string, { field }: DataArguments): Dataset<FileDocument> {
  return data.file(path, field);
}

/** Turns arguments into options of the library. */
export function dataOptions(context: CliContext, args: DataArguments): DictionaryDataOptions {
  const { signal, onProgress } = context;
  return {
    signal,
    onProgress,
    ...(args.tokens === undefined ? {} : { tokens: args.tokens }),
    ...(args.keepSpecial === true ? { excludeSpecial: false } : {}),
    ...(args.prependBos === true ? { prependBos: true } : {}),
  };
}

function openOptions({ signal, onProgress }: CliContext, args: OpenArguments): OpenDictionaryOptions {
  const { path, hook, writeHook } = args;
  return {
    signal,
    onProgress,
    ...(path === undefined ? {} : { path }),
    ...(hook === undefined ? {} : { hook }),
    ...(writeHook === undefined ? {} : { writeHook }),
    ...(args.offline === true ? { hub: { offline: true } } : {}),
  };
}

/** Opens one dictionary. */
export function openOne(context: CliContext, source: string, args: OpenArguments): Promise<Dictionary> {
  return openDictionary(source, openOptions(context, args));
}

/** Opens a set of dictionaries. */
export function openSet(context: CliContext, source: string, args: OpenArguments): Promise<DictionarySet> {
  return openDictionarySet(source, openOptions(context, args));
}
