/** Opens dictionaries and sets by name or path, whatever their format. */
import type { Dictionary } from "./dictionary.js";
import { locateDictionary } from "./formats/locate.js";
import { readDictionary } from "./formats/registry.js";
import { readSet } from "./formats/sets.js";
import type { OpenDictionaryOptions } from "./formats/types.js";
import type { DictionarySet } from "./set.js";

/**
 * Opens a dictionary: an embedded name such as `tiny/resid_post.3`, a folder or weights file of any known format, or a hub
 * id such as `google/gemma-scope-2b-pt-res/layer_20/width_16k/average_l0_71`.
 *
 * Weights that lie in the file as float32 and in the order used are mapped, the others read into memory. What the files do
 * not say and limpid cannot know, such as the hook point, is asked for. Nothing tells whether the dictionary fits a model:
 * measure it with `diagnose(dictionary, model, texts)`.
 *
 * @throws InputError when there is nothing, FormatError for unknown, damaged or hostile files and missing tensors,
 * ShapeError for weights that do not fit each other, UnsupportedError for crosscoders, cross-layer transcoders and other
 * shapes, CheckpointError from the hub.
 */
export async function openDictionary(source: string, options: OpenDictionaryOptions = {}): Promise<Dictionary> {
  return readDictionary(await locateDictionary(source, options));
}

/**
 * Opens dictionaries of several layers: a set that limpid saved, a circuit-tracer set (`config.yaml` and `layer_N` files),
 * or a folder with one dictionary in each of its folders.
 *
 * @throws what {@link openDictionary} throws, and InputError when two write to the same hook point.
 */
export async function openDictionarySet(source: string, options: OpenDictionaryOptions = {}): Promise<DictionarySet> {
  return readSet(await locateDictionary(source, options, "set"));
}
