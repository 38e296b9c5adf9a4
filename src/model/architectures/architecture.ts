/** What an architecture file provides: a reader for its configuration and a map of its weights. */

import type { ModelConfig } from "../config.js";
import type { ConfigReader } from "../config-reader.js";
import type { WeightMap } from "../weights/weight-map.js";

/** One family of checkpoints. */
export interface Architecture {
  /** Short name, such as `"gpt2"`. */
  readonly name: string;
  /** Values of `model_type` in `config.json` that mean this architecture; empty for TransformerLens's own format. */
  readonly modelTypes: readonly string[];
  /** Whether this file speaks for a configuration. */
  matches(raw: Readonly<Record<string, unknown>>): boolean;
  readConfig(reader: ConfigReader): ModelConfig;
  /** Where the weights lie; `has` tells whether a stored name exists, for optional biases and name prefixes. */
  weightMap(config: ModelConfig, has: (name: string) => boolean): WeightMap;
}

/** A `matches` for Hugging Face configurations. */
export function byModelType(modelTypes: readonly string[]): Architecture["matches"] {
  return (raw) => typeof raw["model_type"] === "string" && modelTypes.includes(raw["model_type"]);
}
