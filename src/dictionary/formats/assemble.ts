/** Puts a dictionary together from what a reader found: sizes come from the weights, the rest from the reader. */
import type { ModuleWeight } from "../../model/index.js";
import { Tensor } from "../../tensor/index.js";
import type { DictionaryConfig, DictionaryWeightName } from "../config.js";
import { Dictionary } from "../dictionary.js";
import { type DictionaryPlace, nameOf } from "./types.js";
import { asFloat32, asTransposed, asWeight, type FileTensors, floats, need, vector } from "./weights.js";

/** Weights by limpid's names. */
export type WeightMap = Map<DictionaryWeightName, ModuleWeight>;

/** What a reader found, without the sizes. */
export interface FoundDictionary
  extends Pick<DictionaryConfig, "architecture" | "activation" | "readHook" | "writeHook" | "subtractsDecoderBias">,
    Partial<Pick<DictionaryConfig, "normalization" | "prefixes" | "model" | "prependBos" | "contextSize">> {
  readonly weights: WeightMap;
  /** The format's name. */
  readonly format: string;
  /** What else the files say, kept as `config.origin`. */
  readonly details?: Readonly<Record<string, unknown>>;
}

/**
 * Returns the dictionary.
 *
 * @throws ShapeError when the weights do not fit each other.
 */
export function assemble(place: DictionaryPlace, found: FoundDictionary): Dictionary {
  const { weights, format, details, normalization = "none", ...rest } = found;
  const [dIn = 0, nFeatures = 0] = weights.get("W_enc")?.shape ?? [];
  const dOut = weights.get("W_dec")?.shape[1] ?? 0;
  const config: DictionaryConfig = {
    ...rest,
    dIn,
    dOut,
    nFeatures,
    normalization,
    origin: { format, source: place.id, ...(details === undefined ? {} : { details }) },
  };
  return new Dictionary({ name: nameOf(place), config, weights });
}

/** How a tensor of a file becomes a weight. */
export interface WeightRule {
  /** The tensor's name in the file. */
  readonly from: string;
  readonly isTransposed?: boolean;
}

/**
 * Returns weights of a file by a table of names.
 *
 * @throws FormatError when one is missing.
 */
export async function takeWeights(
  file: FileTensors,
  rules: Readonly<Partial<Record<DictionaryWeightName, WeightRule | string>>>,
): Promise<WeightMap> {
  const weights: WeightMap = new Map();
  for (const [name, rule] of Object.entries(rules)) {
    const { from, isTransposed = false } = typeof rule === "string" ? { from: rule } : rule;
    const tensor = need(file, from);
    weights.set(name as DictionaryWeightName, await (isTransposed ? asTransposed(tensor) : asWeight(tensor)));
  }
  return weights;
}

/** Returns the same weight with each number changed, in memory; `index` counts along the rows. */
export async function mapWeight(
  weight: ModuleWeight,
  change: (value: number, index: number) => number,
): Promise<ModuleWeight> {
  const read = await asFloat32(weight);
  return Tensor.of(floats(read).map(change), read.shape);
}

/** Returns one threshold for every feature. */
export function sameThreshold(threshold: number, nFeatures: number): ModuleWeight {
  return vector(new Float32Array(nFeatures).fill(threshold));
}
