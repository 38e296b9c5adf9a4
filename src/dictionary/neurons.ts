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
      activation: { kind: "relu" },
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
 * @param layers - Default all.
 * @throws UnsupportedError for MLPs that are gated, absent, or whose activation is not ReLU: their neurons are no rectified
 *   sums, so no path through them is linear.
 */
export async function mlpNeurons(model: Model, layers?: readonly number[]): Promise<DictionarySet> {
  const { actFn, attnOnly, gatedMlp, nLayers } = model.config;
  if (attnOnly || gatedMlp || actFn !== "relu") {
    throw new UnsupportedError({
      where: "mlpNeurons",
      got: attnOnly ? "a model without MLPs" : `${gatedMlp ? "gated " : ""}${actFn} MLPs`,
      expected: "plain ReLU MLPs",
      fix: "Use transcoders: trainDictionary with from and to, or openDictionarySet.",
    });
  }
  const all = layers ?? Array.from({ length: nLayers }, (_, layer) => layer);
  const dictionaries: Dictionary[] = [];
  for (const layer of all) dictionaries.push(await neuronsOf(model, layer));
  return new DictionarySet("neurons", dictionaries);
}
