/**
 * BatchTopK dictionaries: a batch of B tokens shares a budget of k·B features.
 *
 * Bussmann et al. 2024, "BatchTopK Sparse Autoencoders". Used as JumpReLU, with the running mean of the smallest
 * activation that was kept as the threshold of every feature.
 */
import type { Architecture, AuxKOptions, BuildContext, BuiltLoss, DecoderNorm } from "./architecture.js";
import { finalThreshold, selectBatch, thresholdBuffers } from "./batch-select.js";
import { firedDense, keepBooks } from "./bookkeeping.js";
import { checkK, familyDecoderNorm } from "./checks.js";
import { agesBuffer, auxKSettings, auxKTerm } from "./dead.js";
import { equalThresholds, finishPlain } from "./finish.js";
import { filled, initialWeights } from "./initial.js";
import { decode, meanCount, preActivations, reconstructionLoss } from "./parts.js";

/** Options of the BatchTopK architecture. */
export interface BatchTopKConfig {
  readonly name: "batch_topk";
  /** Mean number of features of a token. */
  readonly k: number;
  /** Revival of dead features. Default: coefficient 1/32, half of `dIn` features for each token. */
  readonly auxK?: AuxKOptions | false;
  /** Default `"unit"` for SAEs, `"free"` for transcoders. */
  readonly decoderNorm?: DecoderNorm;
}

function build(context: BuildContext, k: number, auxK: BatchTopKConfig["auxK"]): BuiltLoss {
  const { acts, buffers, metrics } = selectBatch(context, preActivations(context), k);
  const reconstruction = decode(context, acts);
  const l0 = meanCount(context, acts);
  const books = keepBooks(context, { l0, hasFired: firedDense(context, acts), reconstruction });
  const aux = auxKTerm(context, { reconstruction, ages: books.ages, settings: auxKSettings(auxK) });
  return {
    loss: aux.add(reconstructionLoss(context, reconstruction)),
    reconstruction,
    ages: books.ages,
    metrics: { ...books.metrics, ...metrics, ...aux.metrics },
    buffers: { ...books.buffers, ...buffers },
    custom: [],
  };
}

/** Returns the BatchTopK architecture. */
export function batchTopK({ k, auxK = {}, decoderNorm }: BatchTopKConfig): Architecture {
  checkK("batch_topk dictionary", k);
  return {
    name: "batch_topk",
    settings: { k, auxK, decoderNorm: decoderNorm ?? "default" },
    decoderNorm: (shape) => familyDecoderNorm(shape, decoderNorm),
    initial: (shape, data) => ({
      parameters: initialWeights(shape, data, {
        decoderNorm: familyDecoderNorm(shape, decoderNorm) === "unit" ? 1 : 0,
      }),
      buffers: { [agesBuffer]: filled(shape.nFeatures, 0), ...thresholdBuffers() },
    }),
    scalars: () => ({}),
    build: (context) => build(context, k, auxK),
    finish: ({ parameters, buffers }, { nFeatures }) =>
      finishPlain({ kind: "jumprelu" }, parameters, {
        threshold: equalThresholds(finalThreshold(buffers), nFeatures),
      }),
  };
}
