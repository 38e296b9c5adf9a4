/**
 * Training of language models.
 *
 * It joins models, data and the trainer, which do not know each other: `analysis/` is the lowest layer that may import
 * all three.
 */
export {
  type LanguageModel,
  type LanguageModelOptions,
  languageModelTrainer,
  type WriteModelOptions,
} from "./language-model.js";
export {
  type DataRecipe,
  type LanguageModelRecipe,
  type OptimizerRecipe,
  readRecipe,
  type ScheduleRecipe,
} from "./recipe.js";
export { type LanguageModelRun, type TrainLanguageModelOptions, trainLanguageModel } from "./train.js";
