/** The matrices of a model whose single weights can be kept or dropped. */
import type { Model } from "./model.js";
import { maskableMatrices, placesOf, type StoredPlaces, type WeightMatrix } from "./weights/maskable.js";

/** Returns every matrix of attention and MLPs, layer by layer: what `edit.keepWeights` takes. */
export function weightMatrices({ view }: Model): readonly WeightMatrix[] {
  return maskableMatrices(view.core);
}

/**
 * Returns where the elements of a matrix lie in the checkpoint: fused and interleaved matrices are untangled.
 *
 * @throws InputError for a name that is none of `weightMatrices`.
 */
export function weightPlaces({ view }: Model, name: string): StoredPlaces {
  return placesOf(view.core, name);
}
