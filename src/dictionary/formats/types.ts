/** What a reader of a dictionary format is given, and what it is. */
import { FormatError, type LongCallOptions } from "../../core/index.js";
import type { HubOptions } from "../../model/index.js";
import type { Dictionary } from "../dictionary.js";

/** Options of {@link openDictionary}. */
export interface OpenDictionaryOptions extends LongCallOptions {
  /** Path inside the source: a folder of a hub repository, or of a folder with several dictionaries. */
  readonly path?: string;
  /** Branch, tag or commit of a hub id. Default `"main"`. */
  readonly revision?: string;
  readonly hub?: HubOptions;
  /** Full name of the hook point that it reads, such as `blocks.3.hook_resid_post`, where the files do not say. */
  readonly hook?: string;
  /** The hook point that it reconstructs; default `hook`, or what the files say. */
  readonly writeHook?: string;
  /** Whether `b_dec` is taken from the input, where the files do not say. */
  readonly subtractsDecoderBias?: boolean;
  /** A name for messages; default the source. */
  readonly name?: string;
}

/** A folder that may hold a dictionary, or one file of it. */
export interface DictionaryPlace {
  /** The source as the user named it. */
  readonly id: string;
  readonly folder: string;
  /** The file, when the user named one. */
  readonly file?: string;
  /** The path inside its hub repository or on this machine, for formats whose folders' names carry meaning. */
  readonly words: string;
  /** Names of the files in the folder. */
  readonly files: readonly string[];
  readonly options: OpenDictionaryOptions;
}

/** One format of dictionaries on disk. */
export interface DictionaryFormat {
  /** Its name, as documentation has it. */
  readonly name: string;
  /** The files that it is recognised by, for messages. */
  readonly signs: string;
  /** Tells whether a place holds this format; reads no more than it must. */
  readonly detects: (place: DictionaryPlace) => Promise<boolean> | boolean;
  /** Reads it. Throws FormatError, ShapeError, UnsupportedError or InputError, each naming the file. */
  readonly read: (place: DictionaryPlace) => Promise<Dictionary>;
}

/** Returns the name of a dictionary from a place. */
export function nameOf({ id, options }: DictionaryPlace): string {
  return options.name ?? (options.path === undefined ? id : `${id}/${options.path}`);
}

/** Returns the path of the file of a place that the user named, or the one whose name matches. */
export function fileLike({ file, files }: DictionaryPlace, pattern: RegExp): string | undefined {
  if (file !== undefined) return pattern.test(file) ? file : undefined;
  const found = files.filter((name) => pattern.test(name));
  return found.length === 1 ? found[0] : undefined;
}

/** Returns the hook points of a dictionary: what the user says, else what the files say. */
export function hooksOf(
  { options }: DictionaryPlace,
  where: string,
  found: { readonly readHook: string | undefined; readonly writeHook?: string | undefined },
): { readonly readHook: string; readonly writeHook: string } {
  const readHook = options.hook ?? found.readHook;
  if (readHook === undefined) throw noHook(where);
  return {
    readHook,
    writeHook: options.writeHook ?? (options.hook === undefined ? found.writeHook : undefined) ?? readHook,
  };
}

function noHook(where: string): FormatError {
  return new FormatError({
    where,
    got: "a dictionary whose files do not say which hook point it reads",
    expected: "the hook point from you",
    fix: 'Pass hook (and writeHook for a transcoder): openDictionary(source, { hook: "blocks.3.hook_resid_post" }).',
  });
}
