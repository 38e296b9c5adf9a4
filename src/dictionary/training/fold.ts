/** Takes the scales of inputs and targets into the weights, so that a dictionary works on raw activations. */
import { Tensor } from "../../tensor/index.js";
import type { DictionaryWeightName } from "../config.js";

type Weights = ReadonlyMap<DictionaryWeightName, Tensor>;

/**
 * Returns weights for raw activations of a dictionary that was trained on `s x` to write `t y`.
 *
 * Activations are divided by t, so that decoder rows stay as they are and an activation is a length in the raw space:
 * `W_enc s/t`, `W_skip s/t`, all biases and thresholds over t. Every activation function here allows that: each is
 * positively homogeneous in pre-activation and threshold together.
 */
export function foldScales(weights: Weights, { input, target }: { input: number; target: number }): Weights {
  const factors: Readonly<Partial<Record<DictionaryWeightName, number>>> = {
    W_enc: input / target,
    W_skip: input / target,
    b_enc: 1 / target,
    b_gate: 1 / target,
    b_mag: 1 / target,
    b_dec: 1 / target,
    threshold: 1 / target,
  };
  return new Map([...weights].map(([name, tensor]) => [name, times(tensor, factors[name] ?? 1)] as const));
}

function times(tensor: Tensor, factor: number): Tensor {
  if (factor === 1) return tensor;
  return Tensor.of(
    Float32Array.from(tensor.data as ArrayLike<number>, (value) => value * factor),
    tensor.shape,
  );
}
