/**
 * The part of a model that is linear once patterns and norm scales are frozen: value and output matrices, gains, biases.
 *
 * Read through `model.weights`, so that every architecture with an additive stream looks the same here.
 */
import { UnsupportedError } from "../../core/index.js";
import type { Model, Weights } from "../../model/index.js";
import type { Tensor } from "../../tensor/index.js";

/** Gain and bias of a norm, where it has them. */
export interface FrozenNorm {
  readonly gain: Tensor | undefined;
  readonly bias: Tensor | undefined;
}

/** What one block does to the stream, apart from its MLP. */
export interface LinearBlock {
  /** `[head, dModel, dHead]` */
  readonly W_V: Tensor;
  /** `[head, dHead, dModel]` */
  readonly W_O: Tensor;
  /** `[head, dHead]` */
  readonly b_V: Tensor;
  /** `[dModel]` */
  readonly b_O: Tensor;
  readonly ln1: FrozenNorm;
  readonly ln2: FrozenNorm;
  /** Gemma 2's norms of what a sublayer writes. */
  readonly ln1Post: FrozenNorm | undefined;
  readonly ln2Post: FrozenNorm | undefined;
}

/** A whole model with everything that does not depend on the prompt. */
export interface LinearModel {
  readonly nLayers: number;
  readonly nHeads: number;
  readonly dHead: number;
  readonly dModel: number;
  /** Whether both sublayers of a block read the stream before it. */
  readonly isParallel: boolean;
  readonly hasMlps: boolean;
  readonly hasNorm: boolean;
  readonly hasFinalNorm: boolean;
  /** Whether norms subtract the mean. */
  readonly isCentred: boolean;
  readonly isFinalCentred: boolean;
  readonly hasPositions: boolean;
  readonly blocks: readonly LinearBlock[];
  readonly lnFinal: FrozenNorm;
}

async function norm(weights: Weights, name: string): Promise<FrozenNorm> {
  return { gain: await weights.normGain(name), bias: await weights.normBias(name) };
}

async function block(model: Model, layer: number, hasNorm: boolean): Promise<LinearBlock> {
  const { weights } = model;
  const read = (name: "W_V" | "W_O" | "b_V" | "b_O"): Promise<Tensor> => weights.layer(name, layer);
  const none: FrozenNorm = { gain: undefined, bias: undefined };
  const hooks = new Set(model.hookNames());
  const named = (part: string): Promise<FrozenNorm> => norm(weights, `blocks.${layer}.${part}`);
  const has = (part: string): boolean => hooks.has(`blocks.${layer}.${part}.hook_scale`);
  return {
    W_V: await read("W_V"),
    W_O: await read("W_O"),
    b_V: await read("b_V"),
    b_O: await read("b_O"),
    ln1: hasNorm ? await named("ln1") : none,
    ln2: hasNorm && has("ln2") ? await named("ln2") : none,
    ln1Post: has("ln1_post") ? await named("ln1_post") : undefined,
    ln2Post: has("ln2_post") ? await named("ln2_post") : undefined,
  };
}

/** Refuses what the linear walk does not describe. */
function checkModel({ config, view }: Model): void {
  const isWhole = view.layers.length === config.nLayers && view.layers.every((layer, i) => layer === i);
  if (view.edits.length === 0 && isWhole) return;
  throw new UnsupportedError({
    where: "attributionGraph",
    got: isWhole ? `an edited model (${view.edits.map(({ name }) => name).join(", ")})` : "another list of layers",
    expected: "the model as it is: the walk does not know of changes",
    fix: "Trace the model that you edited from.",
  });
}

/** Reads the linear part of a model. */
export async function linearModel(model: Model): Promise<LinearModel> {
  checkModel(model);
  const { nLayers, nHeads, dHead, dModel, normalization, finalNormalization, parallelAttnMlp, attnOnly } = model.config;
  const hasNorm = normalization !== null;
  const blocks: LinearBlock[] = [];
  for (let layer = 0; layer < nLayers; layer++) blocks.push(await block(model, layer, hasNorm));
  const none: FrozenNorm = { gain: undefined, bias: undefined };
  return {
    nLayers,
    nHeads,
    dHead,
    dModel,
    isParallel: parallelAttnMlp,
    hasMlps: !attnOnly,
    hasNorm,
    hasFinalNorm: finalNormalization !== null,
    isCentred: normalization?.startsWith("LN") ?? false,
    isFinalCentred: finalNormalization?.startsWith("LN") ?? false,
    hasPositions: model.hookNames().includes("hook_pos_embed"),
    blocks,
    lnFinal: finalNormalization === null ? none : await norm(model.weights, "ln_final"),
  };
}
