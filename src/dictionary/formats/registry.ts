/** Every format of one dictionary, in the order in which they are tried: the most telling signs first. */
import type { Dictionary } from "../dictionary.js";
import { circuitTracerFormat } from "./circuit-tracer.js";
import { dictionaryLearningFormat } from "./dictionary-learning.js";
import { gemmaScopeFormat } from "./gemma-scope-1.js";
import { gemmaScope2Format } from "./gemma-scope-2.js";
import { limpidFormat } from "./limpid.js";
import { llamaScopeFormat } from "./llama-scope.js";
import { unknownFormat } from "./locate.js";
import { saeLensFormat } from "./saelens.js";
import { sparsifyFormat } from "./sparsify.js";
import { stateDictFormat } from "./state-dict.js";
import { transcoderCircuitsFormat } from "./transcoder-circuits.js";
import type { DictionaryFormat, DictionaryPlace } from "./types.js";
import { unsupportedFormat } from "./unsupported.js";

/** The readers. */
export const dictionaryFormats: readonly DictionaryFormat[] = [
  limpidFormat,
  unsupportedFormat,
  saeLensFormat,
  sparsifyFormat,
  gemmaScope2Format,
  llamaScopeFormat,
  gemmaScopeFormat,
  circuitTracerFormat,
  dictionaryLearningFormat,
  transcoderCircuitsFormat,
  stateDictFormat,
];

/** Returns the first format that recognises a place; `undefined` when none does. */
export async function findFormat(place: DictionaryPlace): Promise<DictionaryFormat | undefined> {
  for (const format of dictionaryFormats) if (await format.detects(place)) return format;
  return undefined;
}

/**
 * Reads the dictionary of a place in the first format that recognises it.
 *
 * @throws FormatError that lists what was looked for.
 */
export async function readDictionary(place: DictionaryPlace): Promise<Dictionary> {
  const format = await findFormat(place);
  if (format !== undefined) return format.read(place);
  throw unknownFormat(
    place,
    dictionaryFormats.map(({ name, signs }) => `${signs} (${name})`),
  );
}
