/** Sparse dictionaries: SAEs, transcoders and skip transcoders, from training to dashboards. */
export type {
  ArchitectureConfig,
  AuxKOptions,
  BatchTopKConfig,
  DecoderNorm,
  GatedConfig,
  JumpReLUConfig,
  JumpReLUPenalty,
  MatryoshkaConfig,
  SparsityOptions,
  StandardConfig,
  TopKConfig,
} from "./architectures/index.js";
export type {
  Activation,
  ArchitectureName,
  DictionaryConfig,
  DictionaryKind,
  DictionaryWeightName,
  FeatureStatistics,
  InputNormalization,
} from "./config.js";
export * from "./dashboard/index.js";
export * from "./diagnose/index.js";
export { Dictionary, type DictionaryFeature, type DictionaryParts, type DictionaryWeights } from "./dictionary.js";
export * from "./examples/index.js";
export { foldDecoderBias, foldDecoderNorm } from "./formats/fold.js";
export type { OpenDictionaryOptions } from "./formats/types.js";
export * from "./metrics/index.js";
export { mlpNeurons } from "./neurons.js";
export type { EngineOption, Forward } from "./numeric.js";
export { openDictionary, openDictionarySet } from "./open.js";
export { dictionaryPrefix } from "./prefix.js";
export { type SaveDictionaryOptions, saveDictionary, saveDictionarySet } from "./save.js";
export { type SaveSaeLensOptions, saveAsSaeLens } from "./save-saelens.js";
export { DictionarySet } from "./set.js";
export type { SpliceHooks, SpliceOptions } from "./splice.js";
export * from "./synthetic/index.js";
export * from "./training/index.js";
