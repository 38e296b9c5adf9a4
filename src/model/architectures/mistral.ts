/** Mistral (Jiang et al. 2023): Llama with a sliding attention window. */
import { completeConfig } from "../config.js";
import { type Architecture, byModelType } from "./architecture.js";
import { familyConfig, familyWeights } from "./llama-family.js";

const modelTypes = ["mistral"];

/** Mistral; `sliding_window: null` means full attention. */
export const mistral: Architecture = {
  name: "mistral",
  modelTypes,
  matches: byModelType(modelTypes),
  readConfig: (reader) => {
    const fields = familyConfig(reader, "mistral");
    const window = reader.optionalNumber("sliding_window");
    return completeConfig({ ...fields, windows: Array.from({ length: fields.nLayers }, () => window) });
  },
  weightMap: (config, has) => familyWeights(config, has),
};
