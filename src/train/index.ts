/** Training: parameters, optimisers, schedules, the trainer, checkpoints, metrics. */
export type { BatchFunction, BatchSource, BatchStream, TrainingBatch } from "./batches.js";
export type { Configuration } from "./configuration.js";
export { type CrossEntropy, crossEntropy } from "./cross-entropy.js";
export type { ClipOptions, ParameterGroup, TrainingDefinition } from "./definition.js";
export type { TrainOptions } from "./loop.js";
export type { InputSpec, LossContext, LossFunction, LossResult, ParameterGradient } from "./loss.js";
export { type MetricRow, MetricSeries, readMetrics } from "./metrics.js";
export type { MetricViewOptions } from "./metrics-view.js";
export { type AdamOptions, adam } from "./optimizers/adam.js";
export { type AdamWOptions, adamW } from "./optimizers/adamw.js";
export { type LionOptions, lion } from "./optimizers/lion.js";
export { type MuonOptions, muon } from "./optimizers/muon.js";
export type { Optimizer, StepSettings, UpdateContext, Updated } from "./optimizers/optimizer.js";
export { type SgdOptions, sgd } from "./optimizers/sgd.js";
export { TrainingResult, type TrainingResultParts } from "./result.js";
export { type RowOrderOptions, rowOrder } from "./row-order.js";
export { type DecayOptions, type Schedule, type Schedules, schedule } from "./schedule.js";
export { textCurve } from "./text-curve.js";
export {
  type AveragedOption,
  type EvaluationRecord,
  type StepRecord,
  Trainer,
  type TrainerOptions,
} from "./trainer.js";
