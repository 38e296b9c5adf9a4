/** Training of dictionaries: activations in bounded memory, several at a time, resumable to the bit. */

export type { HarvestOptions } from "./model-source.js";
export type {
  DictionarySpec,
  HeldOutOptions,
  TrainDictionariesOptions,
  TrainDictionaryOptions,
  TrainingRunOptions,
} from "./options.js";
export type { ResamplingOptions } from "./resampling.js";
export { DictionaryTraining, TrainedDictionary, type TrainingSummary } from "./result.js";
export type { PackableDocuments, TrainingData } from "./rows.js";
export type { SourceHook } from "./source.js";
export {
  type GivenActivations,
  type GivenDictionaryOptions,
  trainDictionaries,
  trainDictionariesOn,
  trainDictionary,
  trainDictionaryOn,
} from "./train.js";
