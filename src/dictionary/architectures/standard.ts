/**
 * The standard dictionary: ReLU activations, and an L1 penalty in which each feature counts with its decoder norm.
 *
 * Bricken et al. 2023, "Towards Monosemanticity"; norms: Anthropic, April 2024 update, so that no row has to be held at
 * norm 1 and no scale escapes the penalty.
 */
import type { Architecture, AuxKOptions, BuildContext, BuiltLoss } from "./architecture.js";
import { firedDense, keepBooks } from "./bookkeeping.js";
import { agesBuffer, auxKSettings, auxKTerm } from "./dead.js";
import { finishPlain } from "./finish.js";
import { filled, initialWeights } from "./initial.js";
import { decode, decoderNorms, meanCount, meanPenalty, preActivations, reconstructionLoss } from "./parts.js";
import {
  type SparsityOptions,
  type SparsitySettings,
  sparsityBuffers,
  sparsityScalars,
  sparsitySettings,
  steer,
} from "./sparsity.js";

/** Options of the standard architecture. */
export interface StandardConfig extends SparsityOptions {
  readonly name: "standard";
  /** Revival of dead features. Default: none. */
  readonly auxK?: AuxKOptions | false;
}

/** SAELens's default: small rows let activations grow before the penalty bites. */
const initialNorm = 0.1;

/** `rec + λ Σ f_i ‖W_dec_i‖` */
function build(context: BuildContext, sparsity: SparsitySettings, auxK: StandardConfig["auxK"]): BuiltLoss {
  const { ops, parameter } = context;
  const acts = ops.relu(preActivations(context));
  const reconstruction = decode(context, acts);
  const l0 = meanCount(context, acts);
  const books = keepBooks(context, { l0, hasFired: firedDense(context, acts), reconstruction });
  const steered = steer(context, l0, sparsity);
  const l1 = meanPenalty(context, ops.mul(acts, decoderNorms(ops, parameter("W_dec"))));
  const aux = auxKTerm(context, { reconstruction, ages: books.ages, settings: auxKSettings(auxK) });
  const loss = ops.add(reconstructionLoss(context, reconstruction), ops.mul(l1, steered.weight));
  return {
    loss: aux.add(loss),
    reconstruction,
    ages: books.ages,
    metrics: { ...books.metrics, l1, ...steered.metrics, ...aux.metrics },
    buffers: { ...books.buffers, ...steered.buffers },
    custom: [],
  };
}

/** Returns the standard architecture. */
export function standard(config: StandardConfig): Architecture {
  const { auxK = false } = config;
  const sparsity = sparsitySettings("standard dictionary", config);
  return {
    name: "standard",
    settings: { ...sparsity, auxK },
    decoderNorm: () => "free",
    initial: (shape, data) => ({
      parameters: initialWeights(shape, data, { decoderNorm: initialNorm }),
      buffers: { [agesBuffer]: filled(shape.nFeatures, 0), ...sparsityBuffers(sparsity) },
    }),
    scalars: (shape) => sparsityScalars(shape, sparsity),
    build: (context) => build(context, sparsity, auxK),
    finish: ({ parameters }) => finishPlain({ kind: "relu" }, parameters),
  };
}
