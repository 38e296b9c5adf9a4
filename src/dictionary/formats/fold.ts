/** Rescaling of features that leaves what a dictionary computes alone. */
import { UnsupportedError } from "../../core/index.js";
import type { ModuleWeight } from "../../model/index.js";
import { type DictionaryWeightName, type FeatureStatistics } from "../config.js";
import { Dictionary } from "../dictionary.js";
import { mapWeight, type WeightMap } from "./assemble.js";
import { asFloat32, floats, rowNorms, vector } from "./weights.js";

/** Least norm of a row of the decoder, as in SAELens: a dead feature's row of zeros stays zeros. */
const leastNorm = 1e-8;

/** Weights that are multiplied, one number for each feature. */
const scaled: readonly DictionaryWeightName[] = ["b_enc", "b_gate", "b_mag", "threshold"];

function scaledStatistics(statistics: FeatureStatistics, norms: Float32Array): FeatureStatistics {
  const times = (values: Float32Array): Float32Array => values.map((value, i) => value * (norms[i] ?? 1));
  const { meanActivation, maxActivation } = statistics;
  return { ...statistics, meanActivation: times(meanActivation), maxActivation: times(maxActivation) };
}

function scaleColumns(weight: ModuleWeight, norms: Float32Array): Promise<ModuleWeight> {
  const width = norms.length;
  return mapWeight(weight, (value, i) => value * (norms[i % width] ?? 1));
}

/**
 * Returns the same dictionary with decoder rows of norm 1: activations are multiplied by the norms that the rows had, so that
 * they can be compared between features, and with Neuronpedia's (SAELens `fold_W_dec_norm`).
 *
 * Encoder columns, `b_enc` and `threshold` (gated: `b_gate` and `b_mag`) take the norms. The weights are read into memory.
 *
 * @throws UnsupportedError for TopK that ranks plain activations: other features would be kept.
 */
export async function foldDecoderNorm(dictionary: Dictionary): Promise<Dictionary> {
  const { config, statistics, name } = dictionary;
  const { activation } = config;
  if (activation.kind === "topk" && !activation.scalesByDecoderNorm) throw notSafe(name);
  const decoder = dictionary.weight("W_dec");
  const norms = (await rowNorms(decoder)).map((norm) => Math.max(norm, leastNorm));
  const weights: WeightMap = new Map(dictionary.weights);
  weights.set("W_enc", await scaleColumns(dictionary.weight("W_enc"), norms));
  weights.set("W_dec", await mapWeight(decoder, (value, i) => value / (norms[Math.floor(i / config.dOut)] ?? 1)));
  for (const key of scaled) {
    const weight = weights.get(key);
    if (weight !== undefined) weights.set(key, await scaleColumns(weight, norms));
  }
  return new Dictionary({
    name,
    config,
    weights,
    ...(statistics === undefined ? {} : { statistics: scaledStatistics(statistics, norms) }),
  });
}

/**
 * Returns an equal dictionary that encodes the input as it is: `b_enc − b_dec W_enc` in place of `b_enc`.
 *
 * @throws nothing; a dictionary that subtracts nothing is returned as it is.
 */
export async function foldDecoderBias(dictionary: Dictionary): Promise<Dictionary> {
  const { config, name, statistics } = dictionary;
  if (!config.subtractsDecoderBias) return dictionary;
  const weights: WeightMap = new Map(dictionary.weights);
  const shift = await product(dictionary.weight("b_dec"), dictionary.weight("W_enc"));
  for (const key of ["b_enc", "b_gate"] as const) {
    const weight = weights.get(key);
    if (weight !== undefined) weights.set(key, await mapWeight(weight, (value, i) => value - (shift[i] ?? 0)));
  }
  const magnitude = weights.get("b_mag");
  const gain = weights.get("r_mag");
  if (magnitude !== undefined && gain !== undefined) {
    const gains = floats(await asFloat32(gain));
    weights.set("b_mag", await mapWeight(magnitude, (value, i) => value - (shift[i] ?? 0) * Math.exp(gains[i] ?? 0)));
  }
  return new Dictionary({
    name,
    config: { ...config, subtractsDecoderBias: false },
    weights,
    ...(statistics === undefined ? {} : { statistics }),
  });
}

/** Returns `vector · matrix`, summed in float64. */
export async function product(row: ModuleWeight, matrix: ModuleWeight): Promise<Float64Array> {
  const [left, right] = [floats(await asFloat32(row)), floats(await asFloat32(matrix))];
  const width = matrix.shape[1] ?? 0;
  const out = new Float64Array(width);
  left.forEach((factor, i) => {
    for (let j = 0; j < width; j++) out[j] = (out[j] ?? 0) + factor * (right[i * width + j] ?? 0);
  });
  return out;
}

/** Returns a bias without what another vector adds through the encoder: `bias − offset · W_enc`. */
export async function withoutOffset(
  bias: ModuleWeight,
  offset: ModuleWeight,
  encoder: ModuleWeight,
): Promise<ModuleWeight> {
  const shift = await product(offset, encoder);
  return vector(floats(await asFloat32(bias)).map((value, i) => value - (shift[i] ?? 0)));
}

function notSafe(name: string): UnsupportedError {
  return new UnsupportedError({
    where: `foldDecoderNorm: dictionary ${name}`,
    got: "TopK that ranks features by their activations alone",
    expected: "any other activation, or TopK with scalesByDecoderNorm",
    fix: "Leave it as it is; multiply activations by the decoder's norms where you compare them.",
  });
}
