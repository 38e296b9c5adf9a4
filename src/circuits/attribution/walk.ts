/**
 * The back-walk: how strongly every earlier write pushes a target, with patterns and norm scales frozen.
 *
 * One graph for each place where targets begin. It takes a batch of directions, carries them down layer by layer as a
 * gradient of the stream `[target, pos, dModel]`, and reads off the sources on the way. No derivative is taken: frozen,
 * the model is linear, and each step is the transpose of a step of the forward pass (Ameisen et al. 2025, section
 * "Attribution graphs"; `specs` call it the autograd-free equivalent).
 */
import { type Graph, GraphBuilder, Ops, type Value } from "../../graph/index.js";
import type { Precision } from "./frozen.js";
import type { LinearModel } from "./linear-model.js";

/** Where the MLP's dictionary reads: before or after the norm, and its affine part. */
export type ReadPlace = "affine" | "normalized" | "stream";

/** What the walk has to know of the dictionary of a layer. */
export interface WalkLayer {
  readonly reads: ReadPlace;
  /** Slots for features at each position; 0 where no feature is a source. */
  readonly slots: number;
  readonly hasSkip: boolean;
}

/** Everything that decides the nodes of a walk. */
export interface WalkSpec {
  readonly model: LinearModel;
  readonly layers: readonly WalkLayer[];
  readonly precision: Precision;
  /** Reads off what heads move in place of what sources give. */
  readonly ofHeads?: boolean;
}

/** Positions of a walk: those up to its last target, since nothing flows back from later ones. */
const pos = "pos";

/**
 * Where targets begin: the input of a layer's dictionary, the stream before a layer or between its attention and its MLP
 * (`isMid`), or the input of the unembedding.
 */
export type WalkStart =
  | { readonly kind: "dictionary"; readonly layer: number }
  | { readonly kind: "stream"; readonly layer: number; readonly isMid: boolean }
  | { readonly kind: "unembed" };

/** Names of the inputs that hold what is frozen; `frozen.ts` fills them. */
export const walkInput = {
  target: "target",
  at: "at",
  pattern: (layer: number): string => `pattern.${layer}`,
  scale: (layer: number, norm: string): string => `scale.${layer}.${norm}`,
  gain: (layer: number, norm: string): string => `gain.${layer}.${norm}`,
  finalScale: "scale.final",
  finalGain: "gain.final",
  valueOut: (layer: number, part: "V" | "O"): string => `W_${part}.${layer}`,
  attentionBias: (layer: number): string => `bias.${layer}`,
  features: (layer: number): string => `features.${layer}`,
  error: (layer: number): string => `error.${layer}`,
  skip: (layer: number): string => `W_skip.${layer}`,
  values: (layer: number): string => `values.${layer}`,
  resolved: "resolved",
  embed: "embed",
  position: "pos_embed",
} as const;

/** Names of the outputs, each `[target, …]` but for heads. */
export const walkOutput = {
  features: (layer: number): string => `to.features.${layer}`,
  error: (layer: number): string => `to.error.${layer}`,
  decoderBias: (layer: number): string => `to.b_dec.${layer}`,
  attentionBias: (layer: number): string => `to.bias.${layer}`,
  embed: "to.embed",
  position: "to.pos_embed",
  /** `[head, key, query]`: sizes of what heads move, summed over targets. */
  heads: (layer: number): string => `to.heads.${layer}`,
} as const;

/** Builds one walk; holds the builder and the outputs so far. */
class Walk {
  readonly ops: Ops;
  readonly outputs: Record<string, Value> = {};
  readonly #spec: WalkSpec;

  constructor(spec: WalkSpec) {
    this.ops = new Ops(new GraphBuilder());
    this.#spec = spec;
  }

  input(name: string, shape: readonly (number | string)[]): Value {
    return this.ops.builder.input(name, this.#spec.precision, shape);
  }

  /** The transpose of a frozen norm: gain, centring, scale. */
  normBack(g: Value, norm: { readonly gain?: string; readonly scale: string; readonly isCentred: boolean }): Value {
    const { ops } = this;
    const { model } = this.#spec;
    const gained = norm.gain === undefined ? g : ops.mul(g, this.input(norm.gain, [model.dModel]));
    const centred = norm.isCentred ? ops.sub(gained, ops.reduceMean(gained, [2])) : gained;
    return ops.div(centred, this.input(norm.scale, [pos, 1]));
  }

  /** From what a dictionary reads to the stream that its MLP reads. */
  readBack(layer: number, g: Value): Value {
    const { reads } = this.#layer(layer);
    const { model } = this.#spec;
    if (reads === "stream" || !model.hasNorm) return g;
    const hasGain = reads === "affine" && model.blocks[layer]?.ln2.gain !== undefined;
    return this.normBack(g, {
      ...(hasGain ? { gain: walkInput.gain(layer, "ln2") } : {}),
      scale: walkInput.scale(layer, "ln2"),
      isCentred: model.isCentred,
    });
  }

  /** Sum over positions and numbers of `g` times a vector at each position: `[target]`. */
  dot(g: Value, vector: Value): Value {
    return this.ops.reduceSum(this.ops.mul(g, vector), [1, 2], false);
  }

  /** `g` times a vector at each position: `[target, pos]`. */
  dotEach(g: Value, vectors: Value): Value {
    return this.ops.reduceSum(this.ops.mul(g, vectors), [2], false);
  }

  #layer(layer: number): WalkLayer {
    return this.#spec.layers[layer] ?? { reads: "stream", slots: 0, hasSkip: false };
  }

  /** Reads the MLP's sources at what it writes; returns what the skip connection adds to the stream it reads. */
  mlpBack(layer: number, g: Value): Value | undefined {
    const { ops } = this;
    const { model, ofHeads } = this.#spec;
    if (model.hasMlps && ofHeads !== true) this.#readMlp(layer, g);
    if (!this.#layer(layer).hasSkip) return undefined;
    const resolved = ops.mul(g, this.input(walkInput.resolved, [pos, 1]));
    const skip = this.input(walkInput.skip(layer), [model.dModel, model.dModel]);
    return this.readBack(layer, ops.matmul(resolved, skip));
  }

  #readMlp(layer: number, g: Value): void {
    const { ops } = this;
    const { dModel } = this.#spec.model;
    const { slots } = this.#layer(layer);
    if (slots === 0) {
      this.outputs[walkOutput.error(layer)] = this.dotEach(g, this.input(walkInput.error(layer), [pos, dModel]));
      return;
    }
    // Errors and decoder biases are two more columns beside the features: one product instead of three passes over `g`.
    const sources = this.input(walkInput.features(layer), [pos, dModel, slots + 2]);
    const byPosition = ops.matmul(ops.transpose(g, [1, 0, 2]), sources);
    const [features, error, bias] = ops.split(ops.transpose(byPosition, [1, 0, 2]), 2, [slots, 1, 1]);
    if (features === undefined || error === undefined || bias === undefined) return;
    this.outputs[walkOutput.features(layer)] = features;
    this.outputs[walkOutput.error(layer)] = ops.squeeze(error, [2]);
    this.outputs[walkOutput.decoderBias(layer)] = ops.reduceSum(bias, [1, 2], false);
  }

  /** The transpose of frozen attention, from what it writes to the stream that it reads. */
  attentionBack(layer: number, written: Value): Value {
    const { ops } = this;
    const { model } = this.#spec;
    const { nHeads, dHead, dModel } = model;
    const block = model.blocks[layer];
    const post = block?.ln1Post;
    const g = post === undefined ? written : this.#postBack(layer, "ln1_post", written, post.gain !== undefined);
    if (this.#spec.ofHeads !== true)
      this.outputs[walkOutput.attentionBias(layer)] = this.dot(g, this.input(walkInput.attentionBias(layer), [dModel]));
    const joined = nHeads * dHead;
    const perHead = ops.matmul(g, this.input(walkInput.valueOut(layer, "O"), [dModel, joined]));
    const heads = ops.transpose(ops.reshape(perHead, ["target", pos, nHeads, dHead], g), [0, 2, 1, 3]);
    const pattern = this.input(walkInput.pattern(layer), [nHeads, pos, pos]);
    const mixed = ops.matmul(pattern, heads);
    if (this.#spec.ofHeads === true) this.#readHeads(layer, heads, pattern);
    const flat = ops.reshape(ops.transpose(mixed, [0, 2, 1, 3]), ["target", pos, joined], g);
    const read = ops.matmul(flat, this.input(walkInput.valueOut(layer, "V"), [joined, dModel]));
    if (!model.hasNorm) return read;
    return this.normBack(read, {
      ...(block?.ln1.gain === undefined ? {} : { gain: walkInput.gain(layer, "ln1") }),
      scale: walkInput.scale(layer, "ln1"),
      isCentred: model.isCentred,
    });
  }

  /** What each head brings from each key to each query: pattern times values along what is read there. */
  #readHeads(layer: number, heads: Value, pattern: Value): void {
    const { ops } = this;
    const { nHeads, dHead } = this.#spec.model;
    const values = this.input(walkInput.values(layer), [nHeads, pos, dHead]);
    const moved = ops.mul(ops.matmul(values, ops.swapLast(heads)), pattern);
    this.outputs[walkOutput.heads(layer)] = ops.reduceSum(ops.abs(moved), [0], false);
  }

  #postBack(layer: number, norm: string, g: Value, hasGain: boolean): Value {
    return this.normBack(g, {
      ...(hasGain ? { gain: walkInput.gain(layer, norm) } : {}),
      scale: walkInput.scale(layer, norm),
      isCentred: this.#spec.model.isCentred,
    });
  }

  /** One whole block, from the stream after it to the stream before it. */
  blockBack(layer: number, g: Value): Value {
    const skip = this.mlpBack(layer, g);
    return this.attentionPart(layer, g, skip);
  }

  /** The attention of a block below `g`, its gradient at what the block has written so far. */
  attentionPart(layer: number, g: Value, skip: Value | undefined): Value {
    const { ops } = this;
    const beforeMlp = skip === undefined ? g : ops.add(g, skip);
    // In parallel blocks the MLP reads the stream before attention writes.
    const attention = this.attentionBack(layer, this.#spec.model.isParallel ? g : beforeMlp);
    return ops.add(beforeMlp, attention);
  }
}

/** The gradient at the place where targets begin, in the stream, and the layers that are still below. */
function begin(walk: Walk, { model }: WalkSpec, start: WalkStart): Value {
  const { ops } = walk;
  const direction = ops.unsqueeze(walk.input(walkInput.target, ["target", model.dModel]), [1]);
  const at = ops.unsqueeze(walk.input(walkInput.at, ["target", pos]), [2]);
  const g = ops.mul(direction, at);
  if (start.kind === "dictionary") return walk.readBack(start.layer, g);
  if (start.kind === "stream") return g;
  if (!model.hasFinalNorm) return g;
  return walk.normBack(g, {
    ...(model.lnFinal.gain === undefined ? {} : { gain: walkInput.finalGain }),
    scale: walkInput.finalScale,
    isCentred: model.isFinalCentred,
  });
}

/** Builds the graph of a walk; its outputs are named by {@link walkOutput}. */
export function walkGraph(spec: WalkSpec, start: WalkStart): Graph {
  const { model } = spec;
  const walk = new Walk(spec);
  let g = begin(walk, spec, start);
  const hasAttention = start.kind === "stream" ? start.isMid : start.kind === "dictionary" && !model.isParallel;
  let layer = start.kind === "unembed" ? model.nLayers - 1 : start.layer - 1;
  if (hasAttention) g = walk.attentionPart(layer + 1, g, undefined);
  for (; layer >= 0; layer--) g = walk.blockBack(layer, g);
  const stream = [pos, model.dModel];
  if (spec.ofHeads === true) return walk.ops.builder.build(walk.outputs);
  walk.outputs[walkOutput.embed] = walk.dotEach(g, walk.input(walkInput.embed, stream));
  if (model.hasPositions) walk.outputs[walkOutput.position] = walk.dotEach(g, walk.input(walkInput.position, stream));
  return walk.ops.builder.build(walk.outputs);
}
