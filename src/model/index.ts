/** The model runtime: architectures, hook points, edits, runs. */
export {
  type Blueprint,
  type BlueprintInputs,
  type BlueprintWeight,
  blueprint,
  type WeightRole,
} from "./blueprint.js";
export { ActivationCache } from "./cache/activation-cache.js";
export { logitBias, tokensToResidualDirections } from "./cache/directions.js";
export type * from "./cache/types.js";
export type {
  CheckpointDescription,
  CheckpointFile,
  CheckpointFormat,
  CheckpointOptions,
  HubFiles,
  HubFilesRequest,
  HubOptions,
} from "./checkpoint/index.js";
export { fetchHubFiles, isHubId } from "./checkpoint/index.js";
export type { ActivationFunction, ModelConfig, Normalization, RopeScaling, RotaryConfig } from "./config.js";
export { describeModel, type ModelDescription } from "./describe.js";
export { type EditBuilders, edit } from "./edits/edit.js";
export type { KeptBytes, KeptWeights } from "./edits/keep-weights.js";
export type { ProjectionDirection, ProjectOptions } from "./edits/project.js";
export type { SteeringTarget, SteerOptions } from "./edits/steer.js";
export { Traced, type TracedOperand } from "./edits/traced.js";
export type {
  AxisSelection,
  CallbackContext,
  Change,
  Edit,
  EditCallback,
  EditModule,
  EditValue,
  ElementIndex,
  ModuleSite,
  ModuleWeight,
  PositionSelection,
  Selection,
  ValueSource,
} from "./edits/types.js";
export type { GeneratedTokens, GenerateOptions, Generation, StopReason } from "./generate/generate.js";
export type { SamplingOptions } from "./generate/sampling.js";
export type { RunGradientOptions } from "./gradient/options.js";
export { RunGradients } from "./gradient/result.js";
export * from "./hooks/index.js";
export { type LoadOptions, loadModel } from "./load.js";
export type { Metric, MetricRows, MetricScope, PromptData } from "./metric/metric.js";
export { promptRows } from "./metric/rows.js";
export { type HookFunction, Model } from "./model.js";
export * from "./over/index.js";
export type { HookPoint } from "./plan/build.js";
export { type CapturePlan, type EditPlan, Explanation } from "./plan/explain.js";
export type { Processing } from "./processing.js";
export { readout } from "./readout.js";
export type { FieldsInput, InputOptions, ModelInput, TokenRow } from "./run/input-types.js";
export type { LogitSelection, RunOptions } from "./run/options.js";
export type { GradientReceipt, Receipt } from "./run/receipt.js";
export { Run } from "./run/result.js";
export {
  type FloatArray,
  type PastValues,
  RowRunner,
  type RowsInput,
  type RowsQuestion,
  type RowsResult,
} from "./run/rows.js";
export {
  type AnswerTest,
  type AnswerToken,
  type NextToken,
  PromptTest,
  type TestPromptOptions,
} from "./run/test-prompt.js";
export { openTokenizer, Tokenizer } from "./tokenizer/index.js";
export {
  type Bound,
  type CheckStatus,
  Verification,
  type VerificationCheck,
  type VerificationCoverage,
  type VerifyOptions,
  verifyModel as verify,
} from "./verify/index.js";
export { weightMatrices, weightPlaces } from "./weight-matrices.js";
export type { NamedWeights } from "./weights/block-weights.js";
export type { MatrixKind, StoredPlaces, WeightMatrix } from "./weights/maskable.js";
export { type BlockWeightName, Weights } from "./weights/weights.js";
