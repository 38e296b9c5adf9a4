/** A dictionary as nodes of a graph: the one definition of its forward pass, for use, splicing and measuring. */
import type { Ops, Value } from "../graph/index.js";
import type { DictionaryConfig, DictionaryWeightName } from "./config.js";

/** What a forward pass is built with. */
export interface ForwardContext {
  readonly ops: Ops;
  readonly config: DictionaryConfig;
  /** Returns a weight in the graph's precision. */
  readonly weight: (name: DictionaryWeightName) => Value;
}

/** An input `[…, dIn]` after normalisation, and what undoes it on an output. */
interface Normalized {
  readonly value: Value;
  readonly undo: (y: Value) => Value;
}

/** Epsilon of SAELens's input layer norm, added to the standard deviation. */
const layerNormEps = 1e-5;

function last(x: Value): number {
  return x.shape.length - 1;
}

/** Normalises each input vector as the configuration says. */
export function normalizeInput({ ops, config }: ForwardContext, x: Value): Normalized {
  if (config.normalization === "none") return { value: x, undo: (y) => y };
  if (config.normalization === "constant_norm_rescale") {
    const norm = ops.sqrt(ops.reduceSum(ops.mul(x, x), [last(x)]));
    const scale = ops.div(Math.sqrt(config.dIn), norm);
    return { value: ops.mul(x, scale), undo: (y) => ops.div(y, scale) };
  }
  const mean = ops.reduceMean(x, [last(x)]);
  const centred = ops.sub(x, mean);
  // PyTorch's `std` divides by n − 1.
  const variance = ops.div(ops.reduceSum(ops.mul(centred, centred), [last(x)]), config.dIn - 1);
  const deviation = ops.sqrt(variance);
  return {
    value: ops.div(centred, ops.add(deviation, layerNormEps)),
    undo: (y) => ops.add(ops.mul(y, deviation), mean),
  };
}

/** Pre-activations and activations, each `[…, nFeatures]`. */
export interface Encoded {
  /** What the activation is applied to; the gate's pre-activation where gated. */
  readonly pre: Value;
  readonly acts: Value;
}

function gatedActs({ ops, weight }: ForwardContext, product: Value): Encoded {
  const pre = ops.add(product, weight("b_gate"));
  const magnitude = ops.relu(ops.add(ops.mul(product, ops.exp(weight("r_mag"))), weight("b_mag")));
  return { pre, acts: ops.where(ops.greater(pre, 0), magnitude, 0) };
}

/** Keeps the `k` largest of each vector, zero elsewhere. */
function keepLargest(ops: Ops, acts: Value, ranked: Value, k: number): Value {
  const { indices } = ops.topk(ranked, k, { axis: -1 });
  const kept = ops.gatherElements(acts, indices, last(acts));
  return ops.scatterElements(ops.zerosLike(acts), indices, kept, { axis: last(acts) });
}

function decoderNorms({ ops, weight }: ForwardContext): Value {
  const rows = weight("W_dec");
  return ops.sqrt(ops.reduceSum(ops.mul(rows, rows), [1], false));
}

/** Applies the activation of the configuration to pre-activations `[…, nFeatures]`. */
export function activate(context: ForwardContext, pre: Value): Value {
  const { ops, config, weight } = context;
  const { activation } = config;
  if (activation.kind === "jumprelu") return ops.where(ops.greater(pre, ops.relu(weight("threshold"))), pre, 0);
  if (activation.kind === "smooth")
    return activation.name === "silu"
      ? ops.silu(pre)
      : ops.gelu(pre, { approximate: activation.name === "geluNew" ? "tanh" : "none" });
  const acts = ops.relu(pre);
  if (activation.kind !== "topk") return acts;
  const ranked = activation.scalesByDecoderNorm ? ops.mul(acts, decoderNorms(context)) : acts;
  return keepLargest(ops, acts, ranked, activation.k);
}

/** Encodes a normalised input `[…, dIn]`. */
export function encodeGraph(context: ForwardContext, x: Value): Encoded {
  const { ops, config, weight } = context;
  const centred = config.subtractsDecoderBias ? ops.sub(x, weight("b_dec")) : x;
  const product = ops.matmul(centred, weight("W_enc"));
  if (config.activation.kind === "gated") return gatedActs(context, product);
  const pre = ops.add(product, weight("b_enc"));
  return { pre, acts: activate(context, pre) };
}

/** Decodes activations `[…, nFeatures]` of a normalised input `x` (read by the skip connection only). */
export function decodeGraph({ ops, weight }: ForwardContext, acts: Value, x: Value, hasSkip: boolean): Value {
  const decoded = ops.add(ops.matmul(acts, weight("W_dec")), weight("b_dec"));
  return hasSkip ? ops.add(decoded, ops.matmul(x, ops.transpose(weight("W_skip"), [1, 0]))) : decoded;
}
