/** The nested dictionaries inside a Matryoshka dictionary. */
import { InputError } from "../core/index.js";
import { readAsFloat32 } from "../io/index.js";
import type { ModuleWeight } from "../model/index.js";
import { Tensor } from "../tensor/index.js";
import { type DictionaryConfig, type DictionaryWeightName, weightShapes } from "./config.js";
import { Dictionary } from "./dictionary.js";

/** Returns the first `count` entries of an axis, as a tensor in memory. */
async function first(weight: ModuleWeight, axis: number, count: number): Promise<Tensor> {
  const { data, shape } = weight instanceof Tensor ? weight.contiguous() : await readAsFloat32(weight);
  const width = shape.at(-1) ?? 1;
  const kept = shape.map((size, i) => (i === axis ? count : size));
  const across = shape.length === 2 && axis === 1;
  const numbers = across
    ? Float32Array.from({ length: (kept[0] ?? 0) * count }, (_, i) => {
        return Number(data[Math.floor(i / count) * width + (i % count)]);
      })
    : Float32Array.from({ length: kept.reduce((a, b) => a * b, 1) }, (_, i) => Number(data[i]));
  return Tensor.of(numbers, kept);
}

/**
 * Returns the dictionary of the first features of a Matryoshka dictionary, which was trained to reconstruct by itself
 * (Bussmann et al. 2025, "Learning Multi-Level Features with Matryoshka Sparse Autoencoders").
 *
 * @param features - One of `dictionary.config.prefixes`.
 * @throws InputError for a dictionary without prefixes, or a width that is none of them.
 */
export async function dictionaryPrefix(dictionary: Dictionary, features: number): Promise<Dictionary> {
  const { config, name, weights } = dictionary;
  if (config.prefixes?.includes(features) !== true) throw noPrefix(dictionary, features);
  const own: DictionaryConfig = {
    ...config,
    nFeatures: features,
    prefixes: config.prefixes.filter((width) => width <= features),
  };
  const kept = new Map<DictionaryWeightName, ModuleWeight>();
  for (const [key, shape] of weightShapes({ ...config, nFeatures: -1 }, weights.has("W_skip"))) {
    const axis = shape.indexOf(-1);
    const weight = dictionary.weight(key);
    kept.set(key, axis < 0 ? weight : await first(weight, axis, features));
  }
  return new Dictionary({ name: `${name}[:${features}]`, config: own, weights: kept });
}

function noPrefix({ config, name }: Dictionary, features: number): InputError {
  const { prefixes } = config;
  return new InputError({
    where: `dictionaryPrefix: ${name}`,
    got: prefixes === undefined ? "a dictionary without prefixes" : `${features} features`,
    expected: prefixes === undefined ? "a Matryoshka dictionary" : `one of ${prefixes.join(", ")}`,
    fix: 'Prefixes are trained with architecture: "matryoshka_batch_topk".',
  });
}
