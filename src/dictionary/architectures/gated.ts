/**
 * Gated dictionaries: one linear map decides which features fire, a scaled copy of it how strongly.
 *
 * Rajamanoharan et al. 2024, "Improving Dictionary Learning with Gated Sparse Autoencoders". The penalty and an auxiliary
 * reconstruction train the gate. As in the paper, the decoder of the latter is held fixed and decoder rows have norm 1: were
 * they free, small rows with a large `r_mag` would escape the penalty.
 */
import type { Value } from "../../graph/index.js";
import type { Architecture, AuxKOptions, BuildContext, BuiltLoss } from "./architecture.js";
import { firedDense, keepBooks } from "./bookkeeping.js";
import { agesBuffer, auxKSettings, auxKTerm } from "./dead.js";
import { finishPlain } from "./finish.js";
import { filled, initialWeights } from "./initial.js";
import { decode, encoderProduct, meanCount, meanPenalty, reconstructionLoss, stopped, withBias } from "./parts.js";
import {
  type SparsityOptions,
  type SparsitySettings,
  sparsityBuffers,
  sparsityScalars,
  sparsitySettings,
  steer,
} from "./sparsity.js";

/** Options of the gated architecture. */
export interface GatedConfig extends SparsityOptions {
  readonly name: "gated";
  /** Revival of dead features. Default: none. */
  readonly auxK?: AuxKOptions | false;
}

/** `ReLU(π) W_dec + b_dec`, through which nothing but the gate learns. */
function gateReconstruction(context: BuildContext, gate: Value): Value {
  const { ops, parameter } = context;
  const frozen: BuildContext = { ...context, parameter: (name) => stopped(context, parameter(name)) };
  return withBias(frozen, ops.matmul(gate, stopped(context, parameter("W_dec"))));
}

/** `rec + λ Σ ReLU(π_i) + ‖t − (ReLU(π) W_dec + b_dec)‖²` */
function build(context: BuildContext, sparsity: SparsitySettings, auxK: GatedConfig["auxK"]): BuiltLoss {
  const { ops, parameter } = context;
  const product = encoderProduct(context);
  const pre = ops.add(product, parameter("b_gate"));
  const magnitude = ops.relu(ops.add(ops.mul(product, ops.exp(parameter("r_mag"))), parameter("b_mag")));
  const acts = ops.where(ops.greater(pre, 0), magnitude, 0);
  const gate = ops.relu(pre);
  const reconstruction = decode(context, acts);
  const l0 = meanCount(context, acts);
  const books = keepBooks(context, { l0, hasFired: firedDense(context, acts), reconstruction });
  const steered = steer(context, l0, sparsity);
  const l1 = meanPenalty(context, gate);
  const gateLoss = reconstructionLoss(context, gateReconstruction(context, gate));
  const settings = auxKSettings(auxK);
  const aux = auxKTerm(context, { reconstruction, ages: books.ages, settings, bias: "b_gate" });
  const losses = [reconstructionLoss(context, reconstruction), ops.mul(l1, steered.weight), gateLoss] as const;
  return {
    loss: aux.add(ops.add(ops.add(losses[0], losses[1]), losses[2])),
    reconstruction,
    ages: books.ages,
    metrics: { ...books.metrics, l1, gateLoss, ...steered.metrics, ...aux.metrics },
    buffers: { ...books.buffers, ...steered.buffers },
    custom: [],
  };
}

/** Returns the gated architecture. */
export function gated(config: GatedConfig): Architecture {
  const { auxK = false } = config;
  const sparsity = sparsitySettings("gated dictionary", config);
  return {
    name: "gated",
    settings: { ...sparsity, auxK },
    decoderNorm: () => "unit",
    initial: (shape, data) => {
      const { b_enc, ...weights } = initialWeights(shape, data, { decoderNorm: 1 });
      const zeros = filled(shape.nFeatures, 0);
      return {
        parameters: { ...weights, b_gate: b_enc, b_mag: b_enc, r_mag: zeros },
        buffers: { [agesBuffer]: zeros, ...sparsityBuffers(sparsity) },
      };
    },
    scalars: (shape) => sparsityScalars(shape, sparsity),
    build: (context) => build(context, sparsity, auxK),
    finish: ({ parameters }) => finishPlain({ kind: "gated" }, parameters),
  };
}
