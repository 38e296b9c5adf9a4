/**
 * Matryoshka dictionaries: nested prefixes of the features, each of which has to reconstruct by itself.
 *
 * Bussmann et al. 2025, "Learning Multi-Level Features with Matryoshka Sparse Autoencoders". Features are selected as in
 * BatchTopK; the loss is the sum over prefixes. AuxK works on the error of the whole dictionary.
 */
import { InputError } from "../../core/index.js";
import type { Value } from "../../graph/index.js";
import type { Architecture, AuxKOptions, BuildContext, BuiltLoss, DecoderNorm } from "./architecture.js";
import { finalThreshold, selectBatch, thresholdBuffers } from "./batch-select.js";
import { firedDense, keepBooks } from "./bookkeeping.js";
import { checkK, familyDecoderNorm } from "./checks.js";
import { agesBuffer, auxKSettings, auxKTerm } from "./dead.js";
import { equalThresholds, finishPlain } from "./finish.js";
import { filled, initialWeights } from "./initial.js";
import { meanCount, preActivations, reconstructionLoss, withBias } from "./parts.js";

/** Options of the Matryoshka BatchTopK architecture. */
export interface MatryoshkaConfig {
  readonly name: "matryoshka_batch_topk";
  /** Mean number of features of a token. */
  readonly k: number;
  /** Widths of the prefixes, rising; the last is the whole width. Default: 1/16, 1/8, 1/4, 1/2 and all. */
  readonly prefixes?: readonly number[];
  /** Revival of dead features. Default: coefficient 1/32, half of `dIn` features for each token. */
  readonly auxK?: AuxKOptions | false;
  /** Default `"unit"` for SAEs, `"free"` for transcoders. */
  readonly decoderNorm?: DecoderNorm;
}

/** Returns the widths of the prefixes of a dictionary. */
function prefixesOf(nFeatures: number, given: readonly number[] | undefined): readonly number[] {
  if (given === undefined) {
    const widths = [16, 8, 4, 2, 1].map((part) => Math.ceil(nFeatures / part));
    return [...new Set(widths)];
  }
  const isRising = given.every((width, i) => Number.isSafeInteger(width) && width > (given[i - 1] ?? 0));
  if (isRising && given.at(-1) === nFeatures) return given;
  throw new InputError({
    where: "matryoshka_batch_topk dictionary: prefixes",
    got: `[${given.join(", ")}]`,
    expected: `rising whole numbers that end with the width, ${nFeatures}`,
    fix: "Leave them out for halves: 1/16, 1/8, 1/4, 1/2 and all.",
  });
}

/** Reconstructions by each prefix, the whole dictionary's last; each block of features is multiplied once. */
function reconstructions({ ops, parameter, ...rest }: BuildContext, acts: Value, widths: readonly number[]): Value[] {
  const sizes = widths.map((width, i) => width - (widths[i - 1] ?? 0));
  const [parts, rows] = [ops.split(acts, 1, sizes), ops.split(parameter("W_dec"), 0, sizes)];
  const made: Value[] = [];
  for (const [i, part] of parts.entries()) {
    const written = ops.matmul(part, rows[i] ?? part);
    const before = made.at(-1);
    made.push(before === undefined ? withBias({ ops, parameter, ...rest }, written) : ops.add(before, written));
  }
  return made;
}

interface Settings {
  readonly k: number;
  readonly prefixes: readonly number[] | undefined;
  readonly auxK: AuxKOptions | false;
}

function build(context: BuildContext, { k, prefixes, auxK }: Settings): BuiltLoss {
  const { ops, shape } = context;
  const { acts, buffers, metrics } = selectBatch(context, preActivations(context), k);
  const made = reconstructions(context, acts, prefixesOf(shape.nFeatures, prefixes));
  const reconstruction = made.at(-1) ?? acts;
  const losses = made.map((one) => reconstructionLoss(context, one));
  const l0 = meanCount(context, acts);
  const books = keepBooks(context, { l0, hasFired: firedDense(context, acts), reconstruction });
  const aux = auxKTerm(context, { reconstruction, ages: books.ages, settings: auxKSettings(auxK) });
  return {
    loss: aux.add(losses.reduce((sum, one) => ops.add(sum, one))),
    reconstruction,
    ages: books.ages,
    metrics: { ...books.metrics, ...metrics, ...aux.metrics },
    buffers: { ...books.buffers, ...buffers },
    custom: [],
  };
}

/** Returns the Matryoshka BatchTopK architecture. */
export function matryoshkaBatchTopK({ k, prefixes, auxK = {}, decoderNorm }: MatryoshkaConfig): Architecture {
  checkK("matryoshka_batch_topk dictionary", k);
  return {
    name: "matryoshka_batch_topk",
    settings: { k, auxK, prefixes: prefixes ?? "default", decoderNorm: decoderNorm ?? "default" },
    decoderNorm: (shape) => familyDecoderNorm(shape, decoderNorm),
    initial: (shape, data) => {
      prefixesOf(shape.nFeatures, prefixes);
      const norm = familyDecoderNorm(shape, decoderNorm) === "unit" ? 1 : 0;
      return {
        parameters: initialWeights(shape, data, { decoderNorm: norm }),
        buffers: { [agesBuffer]: filled(shape.nFeatures, 0), ...thresholdBuffers() },
      };
    },
    scalars: () => ({}),
    build: (context) => build(context, { k, prefixes, auxK }),
    finish: ({ parameters, buffers }, { nFeatures }) => ({
      ...finishPlain({ kind: "jumprelu" }, parameters, {
        threshold: equalThresholds(finalThreshold(buffers), nFeatures),
      }),
      prefixes: prefixesOf(nFeatures, prefixes),
    }),
  };
}
