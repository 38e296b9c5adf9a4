/** From trained parameters to weights for use. */
import { Tensor } from "../../tensor/index.js";
import type { Activation, DictionaryWeightName } from "../config.js";
import type { TrainedParts } from "./architecture.js";

const weightNames: readonly DictionaryWeightName[] = [
  "W_enc",
  "b_enc",
  "W_dec",
  "b_dec",
  "threshold",
  "b_gate",
  "b_mag",
  "r_mag",
  "W_skip",
];

/** Returns parameters as weights, and more weights beside them. */
export function finishPlain(
  activation: Activation,
  parameters: Readonly<Record<string, Tensor>>,
  more: Readonly<Partial<Record<DictionaryWeightName, Tensor>>> = {},
): TrainedParts {
  const all: Readonly<Record<string, Tensor | undefined>> = { ...parameters, ...more };
  const weights = weightNames.flatMap((name) => {
    const tensor = all[name];
    return tensor === undefined ? [] : [[name, tensor] as const];
  });
  return { activation, weights: new Map(weights) };
}

/** Returns one threshold for every feature. */
export function equalThresholds(threshold: number, nFeatures: number): Tensor {
  return Tensor.of(new Float32Array(nFeatures).fill(threshold), [nFeatures]);
}
