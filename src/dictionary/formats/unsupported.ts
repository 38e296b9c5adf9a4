/** Dictionaries of several hook points at once, recognised so that they are refused by their names. */
import { join } from "node:path";
import { UnsupportedError } from "../../core/index.js";
import { readJsonObject } from "../../io/index.js";
import type { DictionaryFormat, DictionaryPlace } from "./types.js";

async function isCrossLayerConfig({ folder, files }: DictionaryPlace): Promise<boolean> {
  if (!files.includes("cfg.json")) return false;
  const json = await readJsonObject(join(folder, "cfg.json"));
  return "tl_input_template" in json || ("num_layers" in json && "num_features" in json);
}

/** What the place holds, in words; `undefined` when it is none of these. */
async function severalPoints(place: DictionaryPlace): Promise<string | undefined> {
  const { files } = place;
  if (files.includes("cc_weights.pt"))
    return "a crosscoder (cc_weights.pt): one dictionary of several models or layers";
  const isCrossLayer = files.some((name) => /^W_enc_\d+\.safetensors$/.test(name)) || (await isCrossLayerConfig(place));
  return isCrossLayer ? "a cross-layer transcoder: it writes to several layers at once" : undefined;
}

/** Crosscoders and cross-layer transcoders. */
export const unsupportedFormat: DictionaryFormat = {
  name: "crosscoders and cross-layer transcoders, which are refused",
  signs: "cc_weights.pt or W_enc_N.safetensors",
  detects: async (place) => (await severalPoints(place)) !== undefined,
  read: async (place) => {
    throw new UnsupportedError({
      where: place.folder,
      got: (await severalPoints(place)) ?? "another shape",
      expected: "a dictionary that reads one hook point and writes one",
      fix: "Use an SAE or a transcoder of one layer, or a set of them.",
    });
  },
};
