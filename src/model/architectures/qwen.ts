/** Qwen 2 (biases on queries, keys and values) and Qwen 3 (norms on each head's query and key). */

import { completeConfig, type ModelConfig } from "../config.js";
import type { ConfigReader } from "../config-reader.js";
import { type Architecture, byModelType } from "./architecture.js";
import { familyConfig, familyWeights } from "./llama-family.js";

/** Layers from `max_window_layers` on slide when `use_sliding_window` is set. */
function windows(reader: ConfigReader, nLayers: number): readonly (number | undefined)[] {
  const window = reader.boolean("use_sliding_window", false) ? reader.optionalNumber("sliding_window") : undefined;
  const first = reader.optionalNumber("max_window_layers") ?? 0;
  return Array.from({ length: nLayers }, (_, layer) => (layer >= first ? window : undefined));
}

function readConfig(reader: ConfigReader, architecture: string, qkNorm: boolean): ModelConfig {
  const fields = familyConfig(reader, architecture);
  return completeConfig({ ...fields, qkNorm, windows: windows(reader, fields.nLayers) });
}

/** Qwen 2 and 2.5. */
export const qwen2: Architecture = {
  name: "qwen2",
  modelTypes: ["qwen2"],
  matches: byModelType(["qwen2"]),
  readConfig: (reader) => readConfig(reader, "qwen2", false),
  weightMap: (config, has) => familyWeights(config, has),
};

/** Qwen 3, dense. */
export const qwen3: Architecture = {
  name: "qwen3",
  modelTypes: ["qwen3"],
  matches: byModelType(["qwen3"]),
  readConfig: (reader) => readConfig(reader, "qwen3", true),
  weightMap: (config, has) => familyWeights(config, has),
};
