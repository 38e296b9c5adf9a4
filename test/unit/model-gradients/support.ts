/** Directions to differentiate along. */
import { Tensor } from "../../../src/tensor/index.js";

/** Sines of the shape and axes of a tensor. */
export function wave(like: Tensor, phase = 1): Tensor {
  const data = Float64Array.from({ length: like.size }, (_, i) => Math.sin(1.3 * i + phase));
  return Tensor.of(data, [...like.shape], [...like.axes]);
}
