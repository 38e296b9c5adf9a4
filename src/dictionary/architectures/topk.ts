/**
 * TopK dictionaries: the k largest pre-activations of each token are its features.
 *
 * Gao et al. 2024, "Scaling and evaluating sparse autoencoders".
 */
import type { Value } from "../../graph/index.js";
import type { Architecture, AuxKOptions, BuildContext, BuiltLoss, DecoderNorm } from "./architecture.js";
import { keepBooks } from "./bookkeeping.js";
import { checkK, familyDecoderNorm } from "./checks.js";
import { agesBuffer, auxKSettings, auxKTerm } from "./dead.js";
import { finishPlain } from "./finish.js";
import { filled, initialWeights } from "./initial.js";
import {
  decode,
  denseActs,
  isSparse,
  meanCount,
  preActivations,
  reconstructionLoss,
  type SparseActs,
  sparseDecode,
  type Written,
  withBias,
} from "./parts.js";

/** Options of the TopK architecture. */
export interface TopKConfig {
  readonly name: "topk";
  /** Features of each token. */
  readonly k: number;
  /** Revival of dead features. Default: coefficient 1/32, half of `dIn` features for each token. */
  readonly auxK?: AuxKOptions | false;
  /**
   * `"unit"` holds decoder rows at norm 1, so that ranking by pre-activation is ranking by what a feature writes. Default
   * for SAEs; transcoders begin with a decoder of 0 and leave it free.
   */
  readonly decoderNorm?: DecoderNorm;
}

/** Which features fire: ones at the indices of those above 0. */
function fired({ ops, shape }: BuildContext, { values, indices }: SparseActs): Value {
  const count = shape.batch * Number(values.shape[1]);
  const flat = (x: Value): Value => ops.reshape(x, [count]);
  const ones = ops.cast(ops.greater(flat(values), 0), "float32");
  const zeros = ops.full([shape.nFeatures], 0, "float32");
  return ops.greater(ops.scatterElements(zeros, flat(indices), ones, { axis: 0, reduction: "add" }), 0);
}

function reconstruct(context: BuildContext, acts: SparseActs, k: number): Written {
  if (!isSparse(k, context.shape.nFeatures)) return { value: decode(context, denseActs(context, acts)), custom: [] };
  const { value, custom } = sparseDecode(context, acts);
  return { value: withBias(context, value), custom };
}

function build(context: BuildContext, k: number, auxK: TopKConfig["auxK"]): BuiltLoss {
  const { ops } = context;
  const { values, indices } = ops.topk(preActivations(context), k, { sorted: false });
  const acts = { values: ops.relu(values), indices };
  const { value: reconstruction, custom } = reconstruct(context, acts, k);
  const l0 = meanCount(context, acts.values);
  const books = keepBooks(context, { l0, hasFired: fired(context, acts), reconstruction });
  const aux = auxKTerm(context, { reconstruction, ages: books.ages, settings: auxKSettings(auxK) });
  return {
    loss: aux.add(reconstructionLoss(context, reconstruction)),
    reconstruction,
    ages: books.ages,
    metrics: { ...books.metrics, ...aux.metrics },
    buffers: books.buffers,
    custom,
  };
}

/** Returns the TopK architecture. */
export function topk({ k, auxK = {}, decoderNorm }: TopKConfig): Architecture {
  checkK("topk dictionary", k);
  return {
    name: "topk",
    settings: { k, auxK, decoderNorm: decoderNorm ?? "default" },
    decoderNorm: (shape) => familyDecoderNorm(shape, decoderNorm),
    initial: (shape, data) => ({
      parameters: initialWeights(shape, data, {
        decoderNorm: familyDecoderNorm(shape, decoderNorm) === "unit" ? 1 : 0,
      }),
      buffers: { [agesBuffer]: filled(shape.nFeatures, 0) },
    }),
    scalars: () => ({}),
    build: (context) => build(context, k, auxK),
    finish: ({ parameters }) => finishPlain({ kind: "topk", k, scalesByDecoderNorm: false }, parameters),
  };
}
