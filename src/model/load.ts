/** Opens a model: finds its files, checks every weight's name and shape, reads nothing else. */
import { createLogger, formatBytes, type Logger } from "../core/index.js";
import { Engine, type Provider } from "../runtime/index.js";
import { findArchitecture } from "./architectures/registry.js";
import { type CheckpointOptions, checkWeightNames, openCheckpoint } from "./checkpoint/index.js";
import type { Precision } from "./components/context.js";
import { configReader } from "./config-reader.js";
import { Model } from "./model.js";
import type { ModelParts } from "./plan/build.js";
import { createGraphCache } from "./plan/graph-cache.js";
import { noProcessing } from "./processing.js";
import { openTokenizer } from "./tokenizer/index.js";
import { expectedWeights } from "./weights/expected.js";

/** Options of {@link loadModel}. */
export interface LoadOptions extends CheckpointOptions {
  /** Threads of the runtime; default: physical cores. */
  readonly threads?: number;
  /** Where graphs run; default `"cpu"`. */
  readonly provider?: Provider;
  /** Type of all computation; float64 is slow and for checking. Default `"float32"`. */
  readonly precision?: Precision;
  /** Lets the runtime keep its own copy of the weights: faster for short prompts, twice the memory. */
  readonly prepack?: boolean;
  /** Bytes that the results of one run may take. Default 4 GiB. */
  readonly memoryLimit?: number;
  /** Bytes that idle compiled sessions may hold. Default 1 GiB. */
  readonly sessionCacheBytes?: number;
}

const defaultMemoryLimit = 4 * 2 ** 30;

function engineOf({ threads, provider, sessionCacheBytes }: LoadOptions): Engine {
  return Engine.create({
    ...(threads === undefined ? {} : { threads }),
    ...(provider === undefined ? {} : { provider }),
    ...(sessionCacheBytes === undefined ? {} : { sessionCacheBytes }),
  });
}

function announcePrepack(logger: Logger, parts: ModelParts): void {
  const bytes = [...parts.tensors.values()].reduce((sum, { length }) => sum + length, 0);
  logger.warnOnce(
    "prepack",
    `prepack: true keeps a second copy of the weights in memory, up to ${formatBytes(bytes)}.`,
  );
}

/**
 * Opens a model without loading its weights: graphs point into the checkpoint's files.
 *
 * @param source - `"tiny"` (embedded), a folder, or a hub id such as `"openai-community/gpt2"`, found in the Hugging Face
 *   cache or downloaded.
 * @returns A model; close it with `model.close()` when it is no longer needed.
 * @throws CheckpointError that lists every missing, surplus and misshapen weight; UnsupportedError for an unknown
 *   architecture; FormatError for broken files.
 */
export async function loadModel(source: string, options: LoadOptions = {}): Promise<Model> {
  const logger = options.logger ?? createLogger();
  const checkpoint = await openCheckpoint(source, { ...options, logger });
  const where = `loadModel("${source}"): config.json`;
  const architecture = findArchitecture(checkpoint.config, where);
  const config = architecture.readConfig(configReader(checkpoint.config, where));
  const map = architecture.weightMap(config, (name) => checkpoint.tensors.has(name));
  checkWeightNames({ expected: expectedWeights(map, config), ignored: map.ignored }, checkpoint.tensors);
  const parts: ModelParts = { config, map, tensors: checkpoint.tensors };
  if (options.prepack === true) announcePrepack(logger, parts);
  const core = {
    ...parts,
    checkpoint,
    engine: engineOf(options),
    tokenizer: checkpoint.tokenizerFolder === undefined ? undefined : await openTokenizer(checkpoint.tokenizerFolder),
    logger,
    prepack: options.prepack ?? false,
    memoryLimit: options.memoryLimit ?? defaultMemoryLimit,
    graphs: createGraphCache(parts),
  };
  return new Model({
    core,
    edits: [],
    processing: noProcessing,
    precision: options.precision ?? "float32",
    layers: Array.from({ length: config.nLayers }, (_, layer) => layer),
  });
}
