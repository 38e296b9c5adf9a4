/** Activations of one run by hook name, and what they say about the residual stream. */
import { formatBytes, HookNotFoundError, nearestNames, printsItself } from "../../core/index.js";
import type { Tensor } from "../../tensor/index.js";
import { type AxesOf, type BlockPoint, getActName, type HookRef, type OuterPoint } from "../hooks/index.js";
import type { Model } from "../model.js";
import { type CacheContext, cacheContext } from "./context.js";
import { accumulatedBias, fullDecomposition } from "./full.js";
import { headKind, headResults } from "./heads.js";
import { applyNorm } from "./layer-norm.js";
import { logitAttrs } from "./logit-attrs.js";
import { neuronKind, neuronResults } from "./neurons.js";
import { attachModel, type CacheOrigin } from "./origin.js";
import { stackParts } from "./part-stack.js";
import { accumulatedResid, decomposeResid } from "./resid.js";
import { loadCache, saveCache } from "./save.js";
import { batchRow, stackLayers } from "./select.js";
import type {
  AccumulatedBiasOptions,
  AccumulatedResidOptions,
  ApplyLnOptions,
  DecomposeResidOptions,
  FullDecompositionOptions,
  HeadResultsOptions,
  LogitAttrs,
  LogitAttrsOptions,
  NeuronResultsOptions,
  ResidStack,
  StackHeadsOptions,
  StackNeuronsOptions,
} from "./types.js";

/** The element types that a run returns. */
type FloatType = "float32" | "float64";

/** Literal names of stream hook points, typed. */
type StreamName =
  | `blocks.${number}.hook_${"resid_pre" | "resid_mid" | "resid_post" | "attn_out" | "mlp_out"}`
  | "hook_embed"
  | "hook_pos_embed";
type PatternName = `blocks.${number}.attn.hook_${"pattern" | "attn_scores"}`;
type HeadName = `blocks.${number}.attn.hook_${"q" | "k" | "v" | "z" | "rot_q" | "rot_k"}`;
type NeuronName = `blocks.${number}.mlp.hook_${"pre" | "post" | "pre_linear"}`;

/**
 * Activations of one run by hook name, as they were after all edits.
 *
 * Names may be full (`"blocks.5.attn.hook_pattern"`), short (`"pattern", 5`) or references (`at.pattern(5)`).
 *
 * The algebra takes the residual stream apart with TransformerLens's labels and order. Every method says in one error
 * which hook points it misses; refuses a run whose edits would make its answer wrong; and is exact: parts sum to what
 * they are parts of, in grouped, parallel, attention-only and post-norm architectures and in processed views.
 */
export class ActivationCache {
  readonly #tensors: ReadonlyMap<string, Tensor>;
  readonly #origin: CacheOrigin | undefined;

  /** @internal Caches come from runs, and from {@link ActivationCache.load}. */
  constructor(tensors: ReadonlyMap<string, Tensor>, origin?: CacheOrigin) {
    this.#tensors = tensors;
    this.#origin = origin;
  }

  static {
    printsItself(ActivationCache.prototype);
  }

  /**
   * Reads a cache that {@link ActivationCache.save} wrote, equal in every bit.
   *
   * @param model - The model that made it; needed by methods that use weights, and may be given later to `withModel`.
   * @throws FormatError when the file is no cache; InputError when the model has other weights.
   */
  static async load(path: string, model?: Model): Promise<ActivationCache> {
    const { tensors, origin } = await loadCache(path);
    const cache = new ActivationCache(tensors, origin);
    return model === undefined ? cache : cache.withModel(model);
  }

  /** Writes activations, axis names, tokens, model identity and edits to a safetensors file, whole or not at all. */
  save(path: string): Promise<void> {
    return saveCache(path, { tensors: this.#tensors, ...(this.#origin === undefined ? {} : { origin: this.#origin }) });
  }

  /**
   * Returns the same activations with a model behind them, in the processing and precision of the run that made them.
   *
   * @throws InputError when the model has other weights than those that made the cache.
   */
  withModel(model: Model): ActivationCache {
    return new ActivationCache(this.#tensors, attachModel(this.#origin, model));
  }

  /** Token ids of the run, `[batch, pos]`; absent where it had none. */
  get tokens(): Tensor | undefined {
    return this.#origin?.tokens;
  }

  /**
   * Returns the activation at one hook point.
   *
   * @throws HookNotFoundError when the run did not capture it; the message lists the nearest names that it did.
   */
  get(name: StreamName): Tensor<FloatType, readonly ["batch", "pos", "dModel"]>;
  /** Returns attention scores or a pattern. */
  get(name: PatternName): Tensor<FloatType, readonly ["batch", "head", "queryPos", "keyPos"]>;
  /** Returns vectors of heads. */
  get(name: HeadName): Tensor<FloatType, readonly ["batch", "pos", "head", "dHead"]>;
  /** Returns activations of neurons. */
  get(name: NeuronName): Tensor<FloatType, readonly ["batch", "pos", "dMlp"]>;
  /** Returns the activation of a short name in a layer. */
  get<P extends BlockPoint>(name: P, layer: number): Tensor<FloatType, AxesOf<P>>;
  /** Returns the activation of a short name outside the blocks. */
  get<P extends OuterPoint>(name: P): Tensor<FloatType, AxesOf<P>>;
  /** Returns the activation of a reference. */
  get<A extends readonly string[]>(ref: HookRef<A>): Tensor<FloatType, A>;
  /** Returns the activation of any name. */
  get(name: string, layer?: number, layerType?: string): Tensor;
  /** Looks a name up in any of these forms. */
  get(name: string | HookRef, layer?: number, layerType?: string): Tensor {
    const full = typeof name === "string" ? this.#fullName(name, layer, layerType) : refName(name);
    const tensor = this.#tensors.get(full);
    if (tensor !== undefined) return tensor;
    const near = nearestNames(full, [...this.#tensors.keys()]);
    throw new HookNotFoundError({
      where: "cache.get",
      got: `"${full}", which this run did not capture`,
      expected:
        near.length === 0
          ? "a captured hook point (nothing was captured)"
          : `a captured hook point; nearest: ${near.join(", ")}`,
      fix: `Add "${full}" to capture.`,
    });
  }

  #fullName(name: string, layer: number | undefined, layerType: string | undefined): string {
    if (layer === undefined && this.#tensors.has(name)) return name;
    return getActName(name, layer, layerType);
  }

  /** Whether a full name was captured. */
  has(name: string): boolean {
    return this.#tensors.has(name);
  }

  /** Captured full names in the model's order. */
  keys(): readonly string[] {
    return [...this.#tensors.keys()];
  }

  /** Captured names and activations in the model's order. */
  entries(): readonly (readonly [string, Tensor])[] {
    return [...this.#tensors.entries()];
  }

  /** Number of captured hook points. */
  get size(): number {
    return this.#tensors.size;
  }

  /** Bytes that the activations take. */
  get bytes(): number {
    return [...this.#tensors.values()].reduce((sum, tensor) => sum + tensor.data.byteLength, 0);
  }

  /** Returns the cache of one row, without `batch` axes. TransformerLens's `remove_batch_dim` for any row. */
  batch(row = 0): ActivationCache {
    const { tensors, origin } = batchRow(
      { tensors: this.#tensors, ...(this.#origin === undefined ? {} : { origin: this.#origin }) },
      row,
    );
    return new ActivationCache(tensors, origin);
  }

  /**
   * Returns one activation of several layers side by side, `[layer, …]`.
   *
   * @param name - A short name such as `"pattern"` or `"resid_post"`.
   * @param layers - Layers in the order wanted; every layer of the run when absent.
   */
  stackActivation<P extends BlockPoint>(
    name: P,
    layers?: readonly number[],
  ): Tensor<FloatType, readonly ["layer", ...AxesOf<P>]>;
  /** Returns one activation of several layers side by side, by any short name. */
  stackActivation(name: string, layers?: readonly number[]): Tensor;
  /** Looks the name up in each layer. */
  stackActivation(name: string, layers?: readonly number[]): Tensor {
    return stackLayers(
      { tensors: this.#tensors, ...(this.#origin === undefined ? {} : { origin: this.#origin }) },
      name,
      layers,
    );
  }

  /**
   * Returns the residual stream before each layer and at the place asked for: `0_pre, [0_mid], 1_pre, …, final_post`.
   *
   * With `applyLn` every entry goes through the norm that reads the last one: with its cached scale, or, for the logit
   * lens, with the entry's own (`recomputeLn`).
   *
   * @returns `[component, batch, pos, dModel]` with labels.
   * @throws HookNotFoundError that lists every missing hook point.
   * @see nostalgebraist 2020, "interpreting GPT: the logit lens"
   */
  accumulatedResid(options: AccumulatedResidOptions = {}): Promise<ResidStack> {
    return this.#run("accumulatedResid", (ctx) => accumulatedResid(ctx, options));
  }

  /**
   * Returns what each sublayer wrote to the stream: `embed, pos_embed, 0_attn_out, 0_mlp_out, …`; the sum is the stream.
   *
   * Models without learned positions have no `pos_embed`; a run that started inside has its first stream, `3_pre`, in
   * place of the embeddings.
   *
   * @returns `[component, batch, pos, dModel]` with labels.
   * @throws UnsupportedError when an edit put something into the stream that no sublayer wrote, unless `inclRemainder`.
   */
  decomposeResid(options: DecomposeResidOptions = {}): Promise<ResidStack> {
    return this.#run("decomposeResid", (ctx) => decomposeResid(ctx, options));
  }

  /**
   * Returns what each head adds to the stream: `L0H0, L0H1, …, [remainder]`.
   *
   * That is `z W_O` of the head, centred where the view centres writing weights, and divided by the cached scale of a norm
   * behind attention (Gemma 2), so that heads and biases sum to `hook_attn_out`.
   *
   * @returns `[component, batch, pos, dModel]`, or the directions' axes in place of `dModel`, with labels.
   * @throws MemoryError when the stack exceeds the model's memory limit.
   * @see Elhage et al. 2021, "A Mathematical Framework for Transformer Circuits"
   */
  stackHeadResults(options: StackHeadsOptions = {}): Promise<ResidStack> {
    return this.#run("stackHeadResults", (ctx) => stackParts(ctx, headKind(ctx), options));
  }

  /**
   * Returns what each MLP neuron adds to the stream: `L0N0, L0N1, …, [remainder]`.
   *
   * @returns `[component, batch, pos, dModel]`, or the directions' axes in place of `dModel`, with labels.
   * @throws MemoryError when the stack exceeds the model's memory limit.
   */
  stackNeuronResults(options: StackNeuronsOptions = {}): Promise<ResidStack> {
    return this.#run("stackNeuronResults", (ctx) => stackParts(ctx, neuronKind(ctx, options.neuronSlice), options));
  }

  /** Returns what each head of a layer adds to the stream, `[batch, pos, head, dModel]`; nothing is kept. */
  computeHeadResults(layer: number, options: HeadResultsOptions = {}): Promise<Tensor> {
    return this.#run("computeHeadResults", (ctx) => headResults(ctx, layer, options));
  }

  /** Returns what each neuron of a layer adds to the stream, `[batch, pos, dMlp, dModel]`. */
  getNeuronResults(layer: number, options: NeuronResultsOptions = {}): Promise<Tensor> {
    return this.#run("getNeuronResults", (ctx) => neuronResults(ctx, layer, options));
  }

  /**
   * Returns everything that was written to the stream: heads, neurons (or MLPs), `embed`, `pos_embed`, `bias`, in this
   * order; the sum is the stream.
   *
   * `bias` holds `b_O` with the value biases that a view folds into it, and `b_out` where neurons are entries.
   */
  getFullResidDecomposition(options: FullDecompositionOptions = {}): Promise<ResidStack> {
    return this.#run("getFullResidDecomposition", (ctx) => fullDecomposition(ctx, options));
  }

  /** Returns the sum of the biases that sublayers write before a place, `[dModel]`, or `[batch, pos, dModel]` behind norms. */
  accumulatedBias(options: AccumulatedBiasOptions = {}): Promise<Tensor> {
    return this.#run("accumulatedBias", (ctx) => accumulatedBias(ctx, options));
  }

  /**
   * Applies the norm that reads a place to parts of the stream: centred (layer norm only), divided by the cached scale,
   * times the gain unless the view folds it (`foldLn`); never with the norm's bias.
   *
   * So the parts of a whole stream sum to the norm's output minus its bias. `layer` absent means the final norm.
   *
   * @throws InputError for a stack that went through a norm already; ShapeError when its rows or positions are not those
   *   of the cached scale.
   */
  applyLnToStack(stack: ResidStack | Tensor, options: ApplyLnOptions = {}): Promise<Tensor> {
    return this.#run("applyLnToStack", (ctx) => applyNorm(ctx, stack, options));
  }

  /**
   * Returns what each component of a stack adds to tokens' logits, in logits (natural-log units).
   *
   * Applies the final norm with its cached scale; pass contributions to the stream, without `applyLn`. Over a whole
   * decomposition `attrs` and `bias.total` sum to the logit (difference) at `unembed.hook_out`, before any soft cap.
   *
   * @param stack - A stack of this cache, or a tensor with a `dModel` axis.
   */
  logitAttrs(stack: ResidStack | Tensor, options: LogitAttrsOptions): Promise<LogitAttrs> {
    return this.#run("logitAttrs", (ctx) => logitAttrs(ctx, stack, options));
  }

  /** Returns one line: how many activations, their size, whose. */
  toString(): string {
    const model = this.#origin === undefined ? "" : ` of ${this.#origin.model}`;
    return `ActivationCache${model}: ${this.size} activations, ${formatBytes(this.bytes)}`;
  }

  async #run<T>(method: string, work: (ctx: CacheContext) => Promise<T>): Promise<T> {
    return work(cacheContext(`cache.${method}`, this.#tensors, this.#origin));
  }
}

function refName(ref: HookRef): string {
  if (ref.layers === undefined) return ref.point;
  if (typeof ref.layers === "number") return `blocks.${ref.layers}.${ref.point}`;
  throw new HookNotFoundError({
    where: "cache.get",
    got: `a reference to ${ref.layers === "all" ? "all layers" : `layers ${ref.layers.join(", ")}`}`,
    expected: "a reference to one layer",
    fix: "Get one layer at a time, or use cache.stackActivation.",
  });
}
