/** How the weights of a new model begin. */
import { createRandom } from "../../core/index.js";
import type { Blueprint, BlueprintWeight } from "../../model/index.js";
import { Tensor } from "../../tensor/index.js";

/** Options of {@link initialWeights}. */
export interface InitialWeightOptions {
  /** Equal seeds give equal weights. */
  readonly seed: number;
  /** Standard deviation of embeddings and matrices. Default `0.8 / sqrt(dModel)`, TransformerLens's. */
  readonly std?: number;
  /**
   * Divides the matrices that write to the residual stream by `sqrt(2 nLayers)`, so that the stream does not grow with
   * depth (GPT-2). Default true.
   */
  readonly scalesWrites?: boolean;
}

function fill({ shape, role }: BlueprintWeight, draw: () => number): Float32Array {
  const data = new Float32Array(shape.reduce((product, size) => product * size, 1));
  if (role === "gain") return data.fill(1);
  if (role === "bias") return data;
  for (let i = 0; i < data.length; i++) data[i] = draw();
  return data;
}

/** Returns normal random embeddings and matrices, gains of 1 (0 where the model adds 1), biases of 0. */
export function initialWeights(
  { config, weights }: Blueprint,
  { seed, std = 0.8 / Math.sqrt(config.dModel), scalesWrites = true }: InitialWeightOptions,
): Readonly<Record<string, Tensor>> {
  const random = createRandom(seed);
  const shrink = scalesWrites ? 1 / Math.sqrt(2 * config.nLayers) : 1;
  const one = ([name, weight]: readonly [string, BlueprintWeight]): [string, Tensor] => {
    // Each weight draws from a stream of its own: a weight more or less changes no other.
    const own = random.fork();
    const scale = std * (weight.isWrite ? shrink : 1);
    const data = fill(weight, () => own.normal() * scale);
    if (weight.role === "gain" && config.gainOffset === 1) data.fill(0);
    return [name, Tensor.of(data, weight.shape)];
  };
  return Object.fromEntries([...weights].map(one));
}
