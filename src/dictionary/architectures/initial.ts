/** How the weights of a new dictionary begin. */
import { createRandom, type Random } from "../../core/index.js";
import { Tensor } from "../../tensor/index.js";
import type { InitialData, TrainingShape } from "./architecture.js";

/** Options of {@link initialWeights}. */
export interface InitialWeightOptions {
  /** Norm of each decoder row of an SAE. */
  readonly decoderNorm: number;
}

type Weights = Record<"W_enc" | "b_enc" | "W_dec" | "b_dec", Tensor> & { W_skip?: Tensor };

/** Rows of independent normal numbers, each scaled to a norm. */
function randomRows(random: Random, [rows, width]: readonly [number, number], norm: number): Float32Array {
  const data = new Float32Array(rows * width);
  for (let row = 0; row < rows; row++) {
    let squares = 0;
    for (let i = row * width; i < (row + 1) * width; i++) {
      const value = random.normal();
      data[i] = value;
      squares += value * value;
    }
    const scale = norm / Math.sqrt(squares);
    for (let i = row * width; i < (row + 1) * width; i++) data[i] = (data[i] ?? 0) * scale;
  }
  return data;
}

function transposed(data: Float32Array, [rows, columns]: readonly [number, number]): Float32Array {
  const result = new Float32Array(data.length);
  for (let row = 0; row < rows; row++)
    for (let column = 0; column < columns; column++) result[column * rows + row] = data[row * columns + column] ?? 0;
  return result;
}

/** `−x W`, so that the mean input has pre-activations of 0. */
function minusProduct(x: Float32Array, matrix: Float32Array, width: number): Float32Array {
  const sums = new Float64Array(width);
  x.forEach((value, row) => {
    for (let i = 0; i < width; i++) sums[i] = (sums[i] ?? 0) - value * (matrix[row * width + i] ?? 0);
  });
  return Float32Array.from(sums);
}

function saeWeights(shape: TrainingShape, { targetCentre, random }: InitialData, decoderNorm: number): Weights {
  const { dIn, dOut, nFeatures } = shape;
  const decoder = randomRows(random, [nFeatures, dOut], decoderNorm);
  return {
    W_enc: Tensor.of(transposed(decoder, [nFeatures, dOut]), [dIn, nFeatures]),
    b_enc: Tensor.of(new Float32Array(nFeatures), [nFeatures]),
    W_dec: Tensor.of(decoder, [nFeatures, dOut]),
    b_dec: Tensor.of(Float32Array.from(targetCentre), [dOut]),
  };
}

/** What a transcoder writes at first is the mean target: its decoder is 0 where its rows are free. */
function transcoderWeights(shape: TrainingShape, data: InitialData, isUnit: boolean): Weights {
  const { dIn, dOut, nFeatures, hasSkip } = shape;
  const { inputCentre, targetCentre, random } = data;
  const encoder = transposed(randomRows(random, [nFeatures, dIn], 1), [nFeatures, dIn]);
  const decoder = isUnit ? randomRows(random, [nFeatures, dOut], 1) : new Float32Array(nFeatures * dOut);
  const skip = hasSkip ? { W_skip: Tensor.of(new Float32Array(dOut * dIn), [dOut, dIn]) } : {};
  return {
    W_enc: Tensor.of(encoder, [dIn, nFeatures]),
    b_enc: Tensor.of(minusProduct(inputCentre, encoder, nFeatures), [nFeatures]),
    W_dec: Tensor.of(decoder, [nFeatures, dOut]),
    b_dec: Tensor.of(Float32Array.from(targetCentre), [dOut]),
    ...skip,
  };
}

/**
 * Returns the weights that training begins with.
 *
 * An SAE: decoder rows in random directions, encoder columns the same, biases 0, `b_dec` the centre of the targets. A
 * transcoder (as in sparsify): random encoder, `b_enc = −mean(x) W_enc`, decoder and skip connection 0.
 */
export function initialWeights(shape: TrainingShape, data: InitialData, options: InitialWeightOptions): Weights {
  if (!shape.isTranscoder) return saeWeights(shape, data, options.decoderNorm);
  return transcoderWeights(shape, data, options.decoderNorm === 1);
}

/** Returns a stream of random numbers for one dictionary: its seed and its name decide it. */
export function dictionaryRandom(seed: number, index: number): Random {
  const random = createRandom(seed);
  let own = random.fork();
  for (let i = 0; i < index; i++) own = random.fork();
  return own;
}

/** Returns a tensor of `size` equal numbers. */
export function filled(size: number, value: number): Tensor {
  return Tensor.of(new Float32Array(size).fill(value), [size]);
}
