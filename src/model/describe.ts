/** What `limpid info` tells: a model in figures and its hook points, without converting or mapping a weight. */
import { type StoredTensor, sizeOf } from "../io/index.js";
import { findArchitecture } from "./architectures/registry.js";
import {
  type CheckpointDescription,
  type CheckpointOptions,
  checkWeightNames,
  describeSource,
  openSource,
} from "./checkpoint/index.js";
import type { ModelConfig } from "./config.js";
import { configReader } from "./config-reader.js";
import type { HookPoint } from "./plan/build.js";
import { createGraphCache } from "./plan/graph-cache.js";
import { emptyRequest } from "./plan/resolve.js";
import { noProcessing } from "./processing.js";
import { expectedWeights } from "./weights/expected.js";

/** A model before it is loaded. */
export interface ModelDescription {
  /** Files, element types, parameters. */
  readonly checkpoint: CheckpointDescription;
  /** Sizes and switches. */
  readonly config: ModelConfig;
  /** Every hook point in the order they are computed, with axes and symbolic shape. */
  readonly hookPoints: ReadonlyMap<string, HookPoint>;
}

const float32Bytes = 4;

/** The tensors as their prepared copy will have them; only names and sizes matter here. */
function asFloat32(weights: ReadonlyMap<string, StoredTensor>): ReadonlyMap<string, StoredTensor> {
  const prepared = ([name, stored]: [string, StoredTensor]): [string, StoredTensor] => [
    name,
    { ...stored, dtype: "float32", length: float32Bytes * sizeOf(stored.shape) },
  ];
  return new Map([...weights].map(prepared));
}

/**
 * Finds a model (downloading a hub id that is not in the cache) and describes it; nothing is converted.
 *
 * @throws what `loadModel` throws for the same source.
 */
export async function describeModel(source: string, options: CheckpointOptions = {}): Promise<ModelDescription> {
  const opened = await openSource(source, options);
  const where = `describeModel("${source}"): config.json`;
  const architecture = findArchitecture(opened.config, where);
  const config = architecture.readConfig(configReader(opened.config, where));
  const map = architecture.weightMap(config, (name) => opened.weights.has(name));
  checkWeightNames({ expected: expectedWeights(map, config), ignored: map.ignored }, opened.weights);
  const layers = Array.from({ length: config.nLayers }, (_, layer) => layer);
  const base = emptyRequest({ layers, precision: "float32", processing: noProcessing });
  const graphs = createGraphCache({ config, map, tensors: asFloat32(opened.weights) });
  const { points } = graphs.get({ ...base, describes: true, stream: true });
  return { checkpoint: await describeSource(opened, options), config, hookPoints: points };
}
