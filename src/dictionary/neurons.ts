/** The neurons of a model's own MLPs as dictionaries. */
import { UnsupportedError } from "../core/index.js";
import type { Model } from "../model/index.js";
import type { Tensor } from "../tensor/index.js";
import { Dictionary } from "./dictionary.js";
import { DictionarySet } from "./set.js";

function plain(tensor: Tensor): Tensor {
  return tensor.cast("float32").contiguous();
}

async function neuronsOf(model: Model, layer: number): Promise<Dictionary> {
  const { weights, config } = model;
  const { id, identity } = model.view.core.checkpoint;
  return new Dictionary({
    name: `neurons.${layer}`,
    config: {
      architecture: "standard",
      activation: config.actFn === "relu" ? { kind: "relu" } : { kind: "smooth", name: config.actFn },
      dIn: config.dModel,
      dOut: config.dModel,
      nFeatures: config.dMlp,
      readHook: `blocks.${layer}.mlp.hook_in`,
      writeHook: `blocks.${layer}.hook_mlp_out`,
      subtractsDecoderBias: false,
      normalization: "none",
      model: { name: id, ...(identity === undefined ? {} : { identity }) },
    },
    weights: new Map([
      ["W_enc", plain(await weights.layer("W_in", layer))],
      ["b_enc", plain(await weights.layer("b_in", layer))],
      ["W_dec", plain(await weights.layer("W_out", layer))],
      ["b_dec", plain(await weights.layer("b_out", layer))],
    ]),
  });
}

/**
 * Returns the MLPs of a model as transcoders whose features are their neurons: nothing is left out, so a graph over them has
 * no errors.
 *
 * Neurons of GELU and SiLU are nearly all active, and some with a negative activation: an edge says what a neuron writes as it is.
 * `transcoderPaths` refuses them, since it passes a feature's activation on as its pre-activation.
 *
 * @param layers - Default all.
 * @throws UnsupportedError for MLPs that are gated or absent: the product of two sums is no feature.
 */
export async function mlpNeurons(model: Model, layers?: readonly number[]): Promise<DictionarySet> {
  const { actFn, attnOnly, gatedMlp, nLayers } = model.config;
  if (attnOnly || gatedMlp) {
    throw new UnsupportedError({
      where: "mlpNeurons",
      got: attnOnly ? "a model without MLPs" : `gated ${actFn} MLPs`,
      expected: "plain MLPs: one activation function of a sum",
      fix: "Use transcoders: trainDictionary with from and to, or openDictionarySet; without a set each MLP is one node a position.",
    });
  }
  const all = layers ?? Array.from({ length: nLayers }, (_, layer) => layer);
  const dictionaries: Dictionary[] = [];
  for (const layer of all) dictionaries.push(await neuronsOf(model, layer));
  return new DictionarySet("neurons", dictionaries);
}
