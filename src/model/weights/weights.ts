/** A model's weights under TransformerLens's names and shapes, read from the checkpoint when asked for. */
import { HookNotFoundError, InputError, nearestNames } from "../../core/index.js";
import { stack, type Tensor } from "../../tensor/index.js";
import type { ModelView } from "../view.js";
import {
  attentionTensors,
  centredWrite,
  mlpTensors,
  type NamedWeights,
  normBias,
  normGain,
  readAfterNorm,
  type WeightReading,
} from "./block-weights.js";
import { readStored } from "./read-stored.js";
import type { NormWeights } from "./weight-map.js";

/** Weights that exist once per block. */
export type BlockWeightName =
  | "W_Q"
  | "W_K"
  | "W_V"
  | "W_O"
  | "b_Q"
  | "b_K"
  | "b_V"
  | "b_O"
  | "W_in"
  | "W_gate"
  | "W_out"
  | "b_in"
  | "b_gate"
  | "b_out";

const attentionNames: readonly string[] = ["W_Q", "W_K", "W_V", "W_O", "b_Q", "b_K", "b_V", "b_O"];

/**
 * Weights of one view of a model.
 *
 * Shapes are TransformerLens's: `W_Q`, `W_K`, `W_V` `[head, dModel, dHead]` (grouped keys and values repeated),
 * `W_O [head, dHead, dModel]`, `W_in [dModel, dMlp]`, `W_out [dMlp, dModel]`, `W_E [dVocab, dModel]`,
 * `W_U [dModel, dVocabOut]`. Tensors are float32 copies; the checkpoint stays as it is.
 */
export class Weights {
  readonly #view: ModelView;

  /** @internal */
  constructor(view: ModelView) {
    this.#view = view;
  }

  get #reading(): WeightReading {
    const { core, processing } = this.#view;
    return { config: core.config, processing, read: (name) => this.#read(name) };
  }

  /** A stored tensor, with 0 where edits of this view drop a weight. */
  async #read(name: string): Promise<Tensor> {
    const { core } = this.#view;
    const stored = core.tensors.get(name);
    if (stored === undefined) throw unknownWeight(name, [...core.tensors.keys()]);
    return readStored(this.#view, stored);
  }

  /** Token embedding `[dVocab, dModel]`, scaled where the model scales it. */
  async W_E(): Promise<Tensor> {
    const { config, map } = this.#view.core;
    const whole = (await this.#read(map.embed)).rename({ d0: "dVocab", d1: "dModel" });
    return centredWrite(config.embedScale === 1 ? whole : whole.mul(config.embedScale), this.#view.processing);
  }

  /** Learned positions `[pos, dModel]`. */
  async W_pos(): Promise<Tensor> {
    const { map } = this.#view.core;
    if (map.posEmbed === undefined) throw absent("W_pos", "this model has no learned positions");
    const whole = (await this.#read(map.posEmbed)).rename({ d0: "pos", d1: "dModel" });
    return centredWrite(whole, this.#view.processing);
  }

  /** Unembedding `[dModel, dVocabOut]`. */
  async W_U(): Promise<Tensor> {
    return (await this.#unembed()).matrix;
  }

  /** Bias of the unembedding `[dVocabOut]`; zeros where the model has none. */
  async b_U(): Promise<Tensor> {
    return (await this.#unembed()).bias;
  }

  async #unembed(): Promise<{ matrix: Tensor; bias: Tensor }> {
    const { map, config } = this.#view.core;
    const { finalNormalization } = config;
    const { matrix, bias } = await readAfterNorm(this.#reading, map.unembed, map.lnFinal, finalNormalization);
    const names = { in: "dModel", out: "dVocabOut" };
    const centred = (tensor: Tensor): Tensor =>
      this.#view.processing.centerUnembed ? tensor.sub(tensor.mean("dVocabOut", { keepAxis: true })) : tensor;
    return {
      matrix: centred(matrix.rename(names)),
      bias: centred(bias.rename({ out: "dVocabOut" })),
    };
  }

  /** Every weight of one block, by TransformerLens's short names. */
  async block(layer: number): Promise<NamedWeights> {
    const weights = this.#view.core.map.blocks[layer];
    if (weights === undefined)
      throw absent(`block ${layer}`, `this model has layers 0–${this.#view.core.config.nLayers - 1}`);
    return { ...(await attentionTensors(this.#reading, weights)), ...(await mlpTensors(this.#reading, weights)) };
  }

  /** One weight of one block, such as `layer("W_O", 3)`. */
  async layer(name: BlockWeightName, layer: number): Promise<Tensor> {
    const block = this.#view.core.map.blocks[layer];
    if (block === undefined)
      throw absent(`${name} of layer ${layer}`, `this model has layers 0–${this.#view.core.config.nLayers - 1}`);
    const group = attentionNames.includes(name)
      ? await attentionTensors(this.#reading, block)
      : await mlpTensors(this.#reading, block);
    const tensor = group[name];
    if (tensor === undefined) throw absent(name, `block ${layer} has ${Object.keys(group).join(", ") || "no MLP"}`);
    return tensor;
  }

  /** One weight of all blocks, `[layer, …]`. */
  async stack(name: BlockWeightName): Promise<Tensor> {
    const layers = await Promise.all(this.#view.core.map.blocks.map((_, layer) => this.layer(name, layer)));
    return stack(layers, "layer");
  }

  /** Gain `w` of a norm (`"blocks.0.ln1"`, `"ln_final"`), or `undefined` where it has none or it is folded. */
  normGain(name: string): Promise<Tensor | undefined> {
    return this.#norm(name, normGain);
  }

  /** Bias `b` of a norm, or `undefined` where it has none or it is folded. */
  normBias(name: string): Promise<Tensor | undefined> {
    return this.#norm(name, normBias);
  }

  async #norm(name: string, read: typeof normGain): Promise<Tensor | undefined> {
    const folds = this.#view.processing.foldLn && /(^ln_final|\.ln[12])$/.test(name);
    return folds ? undefined : read(this.#reading, findNorm(this.#view, name), "dModel");
  }

  /**
   * A weight by its full TransformerLens name, such as `"blocks.0.attn.W_Q"` or `"unembed.W_U"`.
   *
   * @throws HookNotFoundError for an unknown name; the message lists the nearest.
   */
  async get(name: string): Promise<Tensor> {
    if (name === "embed.W_E") return this.W_E();
    if (name === "pos_embed.W_pos") return this.W_pos();
    if (name === "unembed.W_U") return this.W_U();
    if (name === "unembed.b_U") return this.b_U();
    const inBlock = /^blocks\.(\d+)\.(?:attn|mlp)\.([Wb]_[A-Za-z]+)$/.exec(name);
    if (inBlock !== null) return this.layer(inBlock[2] as BlockWeightName, Number(inBlock[1]));
    const inNorm = /^(.+)\.([wb])$/.exec(name);
    const norm =
      inNorm === null
        ? undefined
        : await (inNorm[2] === "w" ? this.normGain(inNorm[1] ?? "") : this.normBias(inNorm[1] ?? ""));
    if (norm !== undefined) return norm;
    throw unknownWeight(name, this.names());
  }

  /** Full names of the matrices and biases of this model. */
  names(): readonly string[] {
    const { map, config } = this.#view.core;
    const mlp = config.attnOnly ? [] : ["W_in", "b_in", "W_out", "b_out", ...(config.gatedMlp ? ["W_gate"] : [])];
    const blocks = map.blocks.flatMap((_, layer) => [
      ...attentionNames.map((name) => `blocks.${layer}.attn.${name}`),
      ...mlp.map((name) => `blocks.${layer}.mlp.${name}`),
    ]);
    return [
      "embed.W_E",
      ...(map.posEmbed === undefined ? [] : ["pos_embed.W_pos"]),
      ...blocks,
      "unembed.W_U",
      "unembed.b_U",
    ];
  }
}

function findNorm({ core }: ModelView, name: string): NormWeights | undefined {
  if (name === "ln_final") return core.map.lnFinal;
  const match = /^blocks\.(\d+)\.(ln1|ln2|ln1_post|ln2_post)$/.exec(name);
  const block = match === null ? undefined : core.map.blocks[Number(match[1])];
  return { ln1: block?.ln1, ln2: block?.ln2, ln1_post: block?.ln1Post, ln2_post: block?.ln2Post }[match?.[2] ?? ""];
}

function absent(what: string, why: string): InputError {
  return new InputError({
    where: "model.weights",
    got: what,
    expected: why,
    fix: "List names with model.weights.names().",
  });
}

function unknownWeight(name: string, names: readonly string[]): HookNotFoundError {
  return new HookNotFoundError({
    where: "model.weights.get",
    got: `"${name}"`,
    expected: `a weight of this model; nearest: ${nearestNames(name, names).join(", ")}`,
    fix: "List them with model.weights.names().",
  });
}
