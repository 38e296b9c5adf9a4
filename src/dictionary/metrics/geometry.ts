/** Norms of encoder and decoder vectors, and how alike they are. */
import { readAsFloat32 } from "../../io/index.js";
import { Tensor } from "../../tensor/index.js";
import type { DictionaryWeightName } from "../config.js";
import type { Dictionary } from "../dictionary.js";

/** Geometry of a dictionary's vectors; each `[nFeatures]`. */
export interface DictionaryGeometry {
  readonly encoderNorms: Float32Array;
  readonly decoderNorms: Float32Array;
  /** Cosine of each feature's encoder column and decoder row; NaN where their widths differ. */
  readonly encoderDecoderCosines: Float32Array;
}

/** Returns a weight in memory, row-major. */
export async function weightData(dictionary: Dictionary, name: DictionaryWeightName): Promise<Float32Array> {
  const weight = dictionary.weight(name);
  const tensor = weight instanceof Tensor ? weight.contiguous() : await readAsFloat32(weight);
  return tensor.data as Float32Array;
}

/** Measures the vectors of a dictionary, in float64. */
export async function measureGeometry(dictionary: Dictionary): Promise<DictionaryGeometry> {
  const { dIn, dOut, nFeatures } = dictionary.config;
  const [enc, dec] = [await weightData(dictionary, "W_enc"), await weightData(dictionary, "W_dec")];
  const encoder = (i: number, feature: number): number => enc[i * nFeatures + feature] ?? 0;
  const decoder = (i: number, feature: number): number => dec[feature * dOut + i] ?? 0;
  const sum = (size: number, term: (i: number) => number): number => {
    let total = 0;
    for (let i = 0; i < size; i++) total += term(i);
    return total;
  };
  const each = (of: (feature: number) => number): Float32Array =>
    Float32Array.from({ length: nFeatures }, (_, feature) => of(feature));
  const encoderNorms = each((f) => Math.sqrt(sum(dIn, (i) => encoder(i, f) ** 2)));
  const decoderNorms = each((f) => Math.sqrt(sum(dOut, (i) => decoder(i, f) ** 2)));
  const hasCosine = dIn === dOut;
  const cosine = (f: number): number =>
    sum(dIn, (i) => encoder(i, f) * decoder(i, f)) / ((encoderNorms[f] ?? 0) * (decoderNorms[f] ?? 0));
  return { encoderNorms, decoderNorms, encoderDecoderCosines: each((f) => (hasCosine ? cosine(f) : Number.NaN)) };
}
