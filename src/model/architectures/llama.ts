/** Llama 1–3 (Touvron et al. 2023), rope scaling included. */
import { completeConfig } from "../config.js";
import { type Architecture, byModelType } from "./architecture.js";
import { familyConfig, familyWeights } from "./llama-family.js";

const modelTypes = ["llama"];

/** Llama 1, 2 and 3. */
export const llama: Architecture = {
  name: "llama",
  modelTypes,
  matches: byModelType(modelTypes),
  readConfig: (reader) => completeConfig(familyConfig(reader, "llama")),
  weightMap: (config, has) => familyWeights(config, has),
};
