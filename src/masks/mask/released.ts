/**
 * Masks of the release of "Bigram Subnetworks" (Chang and Bergen 2025): pickled numpy booleans by names of Hugging Face's tensors.
 *
 * GPT-NeoX stores queries, keys and values of each head together; the paper's own helpers read them as three blocks, which
 * mixes their statistics up. Here the model's own layout says where every weight is.
 */
import { FormatError } from "../../core/index.js";
import { openPickle } from "../../io/index.js";
import { type Model, weightMatrices, weightPlaces } from "../../model/index.js";
import type { Tensor } from "../../tensor/index.js";
import { bitsWhere } from "./bits.js";
import { WeightMask } from "./weight-mask.js";

/** A name without what differs between checkpoints and masks: prefixes, and `.weight`. */
function bare(name: string): string {
  return name.replace(/^(model|transformer|gpt_neox)\./, "").replace(/\.(weight|mask|mask_weight)$/, "");
}

function findArray(arrays: ReadonlyMap<string, Tensor>, stored: string, path: string): Tensor {
  for (const [name, array] of arrays) if (bare(name) === bare(stored)) return array;
  throw new FormatError({
    where: path,
    got: `arrays such as ${[...arrays.keys()].slice(0, 3).join(", ") || "none"}`,
    expected: `one for ${stored}`,
    fix: "Open the mask with the model that it was made for.",
  });
}

/** The array in the checkpoint's order; the release has some matrices transposed. */
function inOrder(array: Tensor, shape: readonly number[], where: string): ArrayLike<number> {
  const isEqual = (sizes: readonly number[]): boolean => sizes.every((size, i) => size === array.shape[i]);
  if (array.shape.length === shape.length && isEqual(shape)) return array.contiguous().data as ArrayLike<number>;
  if (array.shape.length === 2 && isEqual(shape.toReversed()))
    return array.transpose([...array.axes].reverse()).contiguous().data as ArrayLike<number>;
  throw new FormatError({
    where,
    got: `an array [${array.shape.join(", ")}]`,
    expected: `[${shape.join(", ")}], or its transpose`,
    fix: "Open the mask with the model that it was made for.",
  });
}

/**
 * Opens a released mask for a model.
 *
 * @throws FormatError for a file without the model's matrices, or of other shapes; what the restricted unpickler throws.
 */
export async function openReleased(path: string, model: Model): Promise<WeightMask> {
  const { arrays } = await openPickle(path);
  const { id, identity } = model.view.core.checkpoint;
  const shapes = weightMatrices(model);
  const matrices = shapes.map(({ name, shape }) => {
    const { stored, storedShape, places } = weightPlaces(model, name);
    const kept = inOrder(findArray(arrays, stored, path), storedShape, `${path}: ${stored}`);
    const size = shape.reduce((a, b) => a * b, 1);
    return [name, bitsWhere(size, (i) => Number(kept[places[i] ?? -1]) !== 0)] as const;
  });
  return new WeightMask({
    model: id,
    ...(identity === undefined ? {} : { identity }),
    shapes,
    matrices: new Map(matrices),
  });
}
