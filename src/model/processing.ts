/** Weight processing as views: what TransformerLens does to weights, done on the activation side. */
import { UnsupportedError } from "../core/index.js";
import type { ModelConfig } from "./config.js";

/** Which processing a view of a model applies; the checkpoint never changes. */
export interface Processing {
  /** Norm gains and biases count as part of the reading weights. Activations are unchanged. */
  readonly foldLn: boolean;
  /** Every write to the residual stream has its mean over `dModel` subtracted. */
  readonly centerWritingWeights: boolean;
  /** Logits have their mean over the vocabulary subtracted. */
  readonly centerUnembed: boolean;
  /** `b_V` moves into `b_O`: `hook_v` and `hook_z` lose it, `hook_attn_out` keeps it. */
  readonly foldValueBiases: boolean;
}

/** No processing: the model's own activations. */
export const noProcessing: Processing = {
  foldLn: false,
  centerWritingWeights: false,
  centerUnembed: false,
  foldValueBiases: false,
};

function isLayerNorm(normalization: ModelConfig["normalization"]): boolean {
  return normalization === "LN" || normalization === "LNPre";
}

/** Why a model cannot be processed so, or `undefined` when it can. */
function obstacle(config: ModelConfig, processing: Processing): string | undefined {
  const { normalization, finalNormalization } = config;
  if (processing.centerWritingWeights && !(isLayerNorm(normalization) && isLayerNorm(finalNormalization)))
    return "centerWritingWeights changes the output of a model whose norms do not subtract the mean";
  if (processing.centerUnembed && config.outputLogitsSoftCap !== undefined)
    return "centerUnembed changes the probabilities of a model with a logit soft cap";
  if (processing.foldLn && config.normalization === null) return "foldLn needs a model with norms";
  return undefined;
}

/** Refuses a processing that would change the model's probabilities. */
export function checkProcessing(config: ModelConfig, processing: Processing): void {
  const reason = obstacle(config, processing);
  if (reason === undefined) return;
  throw new UnsupportedError({
    where: "model.processed",
    got: `${reason} (${config.architecture}, normalization ${String(config.normalization)})`,
    expected: "a view that leaves log-probabilities unchanged",
    fix: "Leave that option out.",
  });
}
