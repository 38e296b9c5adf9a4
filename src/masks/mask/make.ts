/** Masks made from a model, or drawn to be as large as another. */
import { createRandom, type Random } from "../../core/index.js";
import { type Model, type WeightMatrix, weightMatrices } from "../../model/index.js";
import { countBits, emptyBits, fullBits, hasBit, putBit } from "./bits.js";
import { openMask, saveMask } from "./file.js";
import { openReleased } from "./released.js";
import { maskWhere, WeightMask, type WeightMaskParts } from "./weight-mask.js";

/** Options of `weightMask.random`. */
export interface RandomMaskOptions {
  /** Where weights are drawn from: each matrix as a whole, or each of its rows (as stored by input). Default `"matrix"`. */
  readonly within?: "matrix" | "row";
  readonly seed?: number;
}

/** Where masks come from. */
export interface WeightMasks {
  /** Returns the mask that keeps every weight. */
  full(model: Model): WeightMask;
  /** Returns the mask that keeps none. */
  empty(model: Model): WeightMask;
  /** Returns the mask that keeps the weights which a test holds for; `index` counts the elements of the matrix. */
  where(model: Model, test: (matrix: WeightMatrix, index: number) => boolean): WeightMask;
  /** Returns a mask with as many weights in each matrix, or each row of it, as another, drawn at random. */
  random(like: WeightMask, options?: RandomMaskOptions): WeightMask;
  /** Writes a mask to `PATH.safetensors`, which appears only when complete. */
  readonly save: typeof saveMask;
  /** Opens a mask that was saved, or one that comes with limpid, such as `"tiny/bigram"`. */
  readonly open: typeof openMask;
  /** Opens a mask of the bigram-subnetworks release: pickled booleans under Hugging Face names. */
  readonly openReleased: typeof openReleased;
}

function of(model: Model): Omit<WeightMaskParts, "matrices"> {
  const { id, identity } = model.view.core.checkpoint;
  return { model: id, ...(identity === undefined ? {} : { identity }), shapes: weightMatrices(model) };
}

function sizeOf({ shape }: WeightMatrix): number {
  return shape.reduce((product, size) => product * size, 1);
}

function same(model: Model, bits: (count: number) => Uint8Array): WeightMask {
  const parts = of(model);
  return new WeightMask({ ...parts, matrices: new Map(parts.shapes.map((one) => [one.name, bits(sizeOf(one))])) });
}

/** As many bits as `own` has, drawn anew in each stretch of `length`: only those that are kept are drawn. */
function redrawn(own: Uint8Array, size: number, length: number, draws: Random): Uint8Array {
  const bits = emptyBits(size);
  const places = new Int32Array(length);
  for (let from = 0; from < size; from += length) {
    let count = 0;
    for (let i = 0; i < length; i++) {
      places[i] = from + i;
      if (hasBit(own, from + i)) count++;
    }
    for (let i = 0; i < count; i++) {
      const other = draws.int(i, length);
      putBit(bits, places[other] ?? 0, true);
      places[other] = places[i] ?? 0;
    }
  }
  return bits;
}

function random(like: WeightMask, { within = "matrix", seed = 0 }: RandomMaskOptions = {}): WeightMask {
  const draws = createRandom(seed);
  const matrices = like.shapes.map((matrix) => {
    const own = like.matrices.get(matrix.name) ?? new Uint8Array(0);
    const size = sizeOf(matrix);
    const isPlain = countBits(own) === 0 || countBits(own) === size;
    const length = within === "row" ? (matrix.shape.at(-1) ?? size) : size;
    return [matrix.name, isPlain ? own : redrawn(own, size, length, draws)] as const;
  });
  const { model, identity, shapes } = like;
  return new WeightMask({
    model,
    ...(identity === undefined ? {} : { identity }),
    shapes,
    matrices: new Map(matrices),
  });
}

/** Masks over the weights of a model. */
export const weightMask: WeightMasks = {
  full: (model) => same(model, fullBits),
  empty: (model) => same(model, emptyBits),
  where: (model, test) => maskWhere(of(model), test),
  random,
  save: saveMask,
  open: openMask,
  openReleased,
};
