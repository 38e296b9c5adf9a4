/** Similarity of activations. */
import { ShapeError } from "../../core/index.js";
import type { Tensor } from "../../tensor/index.js";
import type { Features } from "./features.js";
import { layerSimilarity } from "./layers.js";
import { compareFeatures, type SimilarityMeasure } from "./measures.js";
import { streamWrites } from "./writes.js";

/** Similarity of activations. */
export interface Similarity {
  /** See {@link layerSimilarity}. */
  readonly layers: typeof layerSimilarity;
  /** See {@link streamWrites}. */
  readonly writes: typeof streamWrites;
  /**
   * Returns how similar two activations over the same rows are; NaN where a side does not vary.
   *
   * @param x - `[rows, features]`.
   * @param y - `[rows, other features]`.
   * @throws InputError for too few rows, which says how many are needed and why.
   */
  readonly compare: (x: Tensor, y: Tensor, measure?: SimilarityMeasure) => number;
}

function featuresOf(tensor: Tensor): Features {
  const [rows = 0, width = 0] = tensor.shape;
  if (tensor.shape.length === 2 && rows > 0 && width > 0)
    return { data: Float64Array.from(tensor.contiguous().data, Number), rows, width };
  throw new ShapeError({
    where: "similarity.compare",
    got: `shape [${tensor.shape.join(", ")}]`,
    expected: "[rows, features]",
    fix: "Join batch and position into rows.",
  });
}

/** Similarity of activations. */
export const similarity: Similarity = {
  layers: layerSimilarity,
  writes: streamWrites,
  compare: (x, y, measure = "cka") => compareFeatures(featuresOf(x), featuresOf(y), measure),
};

export type { TokenOptions } from "./collect.js";
export { LayerSimilarity, type LayerSimilarityOptions } from "./layers.js";
export type { SimilarityMeasure } from "./measures.js";
export { StreamWrites, type WriteStatistics } from "./writes.js";
