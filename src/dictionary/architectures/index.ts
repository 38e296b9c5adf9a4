/** The ways of training a dictionary, one file each. */
export * from "./architecture.js";
export type { BatchTopKConfig } from "./batch-topk.js";
export type { GatedConfig } from "./gated.js";
export { dictionaryRandom } from "./initial.js";
export type { JumpReLUConfig, JumpReLUPenalty } from "./jumprelu.js";
export type { MatryoshkaConfig } from "./matryoshka-batch-topk.js";
export * from "./registry.js";
export type { SparsityOptions } from "./sparsity.js";
export type { StandardConfig } from "./standard.js";
export type { TopKConfig } from "./topk.js";
