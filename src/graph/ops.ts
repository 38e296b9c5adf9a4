/** Short typed methods over `GraphBuilder.op`, so that model code reads like the formulas it stands for. */
import { NetworkOps } from "./ops/network.js";

export type { AttentionSteps } from "./ops/attention-decomposed.js";
export type { AttentionInputs, AttentionOutputs } from "./ops/attention-inputs.js";
export type { Operand } from "./ops/base.js";
export type { ScatterReduction, TopK, TopKOptions } from "./ops/indexing.js";
export type { StrideRange } from "./ops/layout.js";
export type { RotaryOptions } from "./ops/network.js";
export type { FusedMatmulOptions } from "./ops/reduction.js";

/**
 * The typed ops over one builder: element-wise, layout, indexing, reductions, products, activations, norms, attention.
 *
 * Methods choose forms that are exact in both float types: where the runtime has no float64 kernel, or an attribute
 * would be rounded to float32, they add an accurate decomposition instead.
 */
export class Ops extends NetworkOps {}
