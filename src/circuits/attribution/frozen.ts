/** One prompt, run once: patterns, norm scales, features and errors, as the walk takes them. */
import { InputError, UnsupportedError } from "../../core/index.js";
import type { Dictionary, DictionarySet } from "../../dictionary/index.js";
import { readAsFloat32 } from "../../io/index.js";
import type { Model, Run } from "../../model/index.js";
import type { RawTensor } from "../../runtime/index.js";
import { Tensor } from "../../tensor/index.js";
import type { FrozenNorm, LinearBlock, LinearModel } from "./linear-model.js";
import { type ReadPlace, type WalkLayer, walkInput } from "./walk.js";

/** The floating-point type of a walk. */
export type Precision = "float32" | "float64";

/** An active feature: where it is, how strongly it fires, and what it fires from. */
export interface ActiveFeature {
  readonly layer: number;
  readonly pos: number;
  readonly feature: number;
  readonly activation: number;
  /** What the activation is made from; equals it for ReLU and JumpReLU features. */
  readonly preActivation: number;
  /** Which of the slots of its position and layer it has in the walk. */
  readonly slot: number;
}

/** A dictionary with its matrices in memory, rows as vectors. */
export interface LoadedDictionary {
  readonly dictionary: Dictionary;
  /** `[dIn, nFeatures]` */
  readonly W_enc: Tensor;
  /** `[nFeatures, dOut]` */
  readonly W_dec: Tensor;
  readonly b_dec: Tensor;
  readonly b_enc: Tensor;
  readonly W_skip: Tensor | undefined;
}

/** What an MLP writes beside features. */
export interface LayerRest {
  /** `[pos * dModel]`: what the dictionary leaves; the whole write where there is none or features are not resolved. */
  readonly error: Float64Array;
  /** `[dModel]`: what the dictionary writes whatever it reads, where features are resolved. */
  readonly bias: Float64Array;
}

/** What was recorded of a prompt. */
export interface FrozenPrompt {
  readonly run: Run;
  readonly positions: number;
  readonly layers: readonly WalkLayer[];
  readonly dictionaries: ReadonlyMap<number, LoadedDictionary>;
  /** Rising by layer, position and feature. */
  readonly features: readonly ActiveFeature[];
  /** What of each layer's MLP is no feature. */
  readonly rest: readonly LayerRest[];
  /** Everything that the walk is fed, by input name, but the targets. */
  readonly feeds: ReadonlyMap<string, RawTensor>;
}

async function inMemory(
  dictionary: Dictionary,
  name: "W_enc" | "W_dec" | "b_dec" | "b_enc" | "W_skip",
): Promise<Tensor> {
  const weight = dictionary.weight(name);
  return weight instanceof Tensor ? weight : readAsFloat32(weight);
}

/** Reads the matrices of a dictionary, and refuses what the linear walk cannot describe. */
export async function loadDictionary(dictionary: Dictionary): Promise<LoadedDictionary> {
  const { activation, normalization } = dictionary.config;
  if (activation.kind === "gated" || normalization !== "none") {
    throw new UnsupportedError({
      where: `attributionGraph: dictionary ${dictionary.name}`,
      got: activation.kind === "gated" ? "a gated dictionary" : `an input normalised by ${normalization}`,
      expected: "pre-activations that are linear in what is read",
      fix: "Use ReLU, TopK or JumpReLU transcoders without input normalisation.",
    });
  }
  return {
    dictionary,
    W_enc: await inMemory(dictionary, "W_enc"),
    W_dec: await inMemory(dictionary, "W_dec"),
    b_dec: await inMemory(dictionary, "b_dec"),
    b_enc: await inMemory(dictionary, "b_enc"),
    W_skip: dictionary.weights.has("W_skip") ? await inMemory(dictionary, "W_skip") : undefined,
  };
}

/** Where a dictionary reads; refuses everything but the MLP of its own layer. */
export function readPlace(dictionary: Dictionary, layer: number): ReadPlace {
  const prefix = `blocks.${layer}.`;
  const places: Readonly<Record<string, ReadPlace>> = {
    "ln2.hook_normalized": "normalized",
    "mlp.hook_in": "affine",
    hook_mlp_in: "stream",
    hook_resid_mid: "stream",
  };
  const { readHook, writeHook } = dictionary.config;
  const place = readHook.startsWith(prefix) ? places[readHook.slice(prefix.length)] : undefined;
  if (place !== undefined && writeHook === `${prefix}hook_mlp_out`) return place;
  throw new InputError({
    where: `attributionGraph: dictionary ${dictionary.name}`,
    got: `${readHook} -> ${writeHook}`,
    expected: `a transcoder from the input of an MLP (${Object.keys(places).join(", ")}) to its hook_mlp_out`,
    fix: "Pass transcoders of MLPs.",
  });
}

/** The hook points that a walk needs, and those of the spliced dictionaries. */
function captured(model: Model, linear: LinearModel, set: DictionarySet | undefined): readonly string[] {
  const names = model.hookNames();
  const has = (name: string): readonly string[] => (names.includes(name) ? [name] : []);
  const perLayer = linear.blocks.flatMap((_, layer) => [
    `blocks.${layer}.attn.hook_pattern`,
    ...has(`blocks.${layer}.hook_mlp_out`),
    ...["ln1", "ln2", "ln1_post", "ln2_post"].flatMap((norm) => has(`blocks.${layer}.${norm}.hook_scale`)),
  ]);
  const features = [...(set ?? [])].flatMap(({ hooks }) => [hooks.actsPre, hooks.actsPost, hooks.recons]);
  return ["hook_embed", ...has("hook_pos_embed"), ...perLayer, ...has("ln_final.hook_scale"), ...features];
}

/** Row 0 of a captured value, as numbers. */
function row(run: Run, name: string): { readonly data: ArrayLike<number>; readonly shape: readonly number[] } {
  const { data, shape } = run.cache.get(name).at({ batch: 0 });
  return { data: data as ArrayLike<number>, shape };
}

/** Collects feeds in one precision. */
class Feeds {
  readonly all = new Map<string, RawTensor>();
  readonly #precision: Precision;

  constructor(precision: Precision) {
    this.#precision = precision;
  }

  set(name: string, data: ArrayLike<number>, shape: readonly number[]): void {
    const numbers = this.#precision === "float64" ? Float64Array.from(data) : Float32Array.from(data);
    this.all.set(name, { dtype: this.#precision, shape, data: numbers });
  }

  gain(name: string, { gain }: FrozenNorm): void {
    if (gain !== undefined) this.set(name, gain.data as ArrayLike<number>, gain.shape);
  }
}

/** `b_V + β W_V` of every head, `[head * dHead]`: values whatever attention reads. */
function valueBias({ W_V, b_V, ln1 }: LinearModel["blocks"][number]): Float64Array {
  const [, dModel = 0, dHead = 0] = W_V.shape;
  const out = Float64Array.from(b_V.data as ArrayLike<number>);
  if (ln1.bias === undefined) return out;
  const [values, beta] = [W_V.data as ArrayLike<number>, ln1.bias.data as ArrayLike<number>];
  return out.map((bias, i) => {
    const start = Math.floor(i / dHead) * dModel * dHead + (i % dHead);
    let sum = bias;
    for (let j = 0; j < dModel; j++) sum += (beta[j] ?? 0) * (values[start + j * dHead] ?? 0);
    return sum;
  });
}

/** `b_O + Σ_h (b_V + β W_V) W_O`: what attention writes whatever it reads, because patterns sum to 1. */
function attentionBias(block: LinearModel["blocks"][number]): Float64Array {
  const output = block.W_O.data as ArrayLike<number>;
  const out = Float64Array.from(block.b_O.data as ArrayLike<number>);
  for (const [i, value] of valueBias(block).entries())
    for (let k = 0; k < out.length; k++) out[k] = (out[k] ?? 0) + value * (output[i * out.length + k] ?? 0);
  return out;
}

/** Patterns with queries and keys exchanged, `[head, key, query]`: the walk goes from queries to keys. */
function transposedPattern(run: Run, layer: number): { data: Float64Array; shape: readonly number[] } {
  const { data, shape } = row(run, `blocks.${layer}.attn.hook_pattern`);
  const [heads = 0, queries = 0, keys = 0] = shape;
  const out = new Float64Array(data.length);
  for (let h = 0; h < heads; h++)
    for (let q = 0; q < queries; q++)
      for (let k = 0; k < keys; k++) out[(h * keys + k) * queries + q] = data[(h * queries + q) * keys + k] ?? 0;
  return { data: out, shape: [heads, keys, queries] };
}

function feedBlock(feeds: Feeds, run: Run, linear: LinearModel, layer: number): void {
  const block = linear.blocks[layer];
  if (block === undefined) return;
  const { dModel, nHeads, dHead } = linear;
  const pattern = transposedPattern(run, layer);
  feeds.set(walkInput.pattern(layer), pattern.data, pattern.shape);
  const joined = nHeads * dHead;
  feeds.set(walkInput.valueOut(layer, "O"), transposeMatrix(block.W_O, joined, dModel), [dModel, joined]);
  const byHead = block.W_V.transpose(["head", "dHead", "dModel"]).contiguous();
  feeds.set(walkInput.valueOut(layer, "V"), byHead.data as ArrayLike<number>, [joined, dModel]);
  feeds.set(walkInput.attentionBias(layer), attentionBias(block), [dModel]);
  const norms = { ln1: block.ln1, ln2: block.ln2, ln1_post: block.ln1Post, ln2_post: block.ln2Post };
  for (const [name, norm] of Object.entries(norms)) {
    const hook = `blocks.${layer}.${name}.hook_scale`;
    if (norm === undefined || !run.cache.has(hook)) continue;
    const { data } = row(run, hook);
    feeds.set(walkInput.scale(layer, name), data, [data.length, 1]);
    feeds.gain(walkInput.gain(layer, name), norm);
  }
}

function transposeMatrix({ data }: Tensor, rows: number, columns: number): Float64Array {
  const out = new Float64Array(rows * columns);
  const numbers = data as ArrayLike<number>;
  for (let r = 0; r < rows; r++) for (let c = 0; c < columns; c++) out[c * rows + r] = numbers[r * columns + c] ?? 0;
  return out;
}

/** Active features of one layer, position by position; positions before `first` are not resolved. */
function activeFeatures(run: Run, { dictionary }: LoadedDictionary, layer: number, first: number): ActiveFeature[] {
  const acts = row(run, dictionary.hooks.actsPost);
  const pre = row(run, dictionary.hooks.actsPre);
  const [positions = 0, width = 0] = acts.shape;
  const found: ActiveFeature[] = [];
  for (let pos = first; pos < positions; pos++) {
    let slot = 0;
    for (let feature = 0; feature < width; feature++) {
      const activation = acts.data[pos * width + feature] ?? 0;
      if (activation === 0) continue;
      const preActivation = pre.data[pos * width + feature] ?? 0;
      found.push({ layer, pos, feature, activation, preActivation, slot });
      slot++;
    }
  }
  return found;
}

/**
 * What an MLP writes by position, `[pos, dModel, slot]`: decoder rows times activations, then two columns more, the error and,
 * where features are resolved, the decoder's bias.
 */
function mlpWrites(
  { W_dec }: LoadedDictionary,
  features: readonly ActiveFeature[],
  { error, bias }: LayerRest,
  { positions, slots, dModel, first }: WriteSizes,
): Float64Array {
  const columns = slots + 2;
  const out = new Float64Array(positions * dModel * columns);
  const rows = W_dec.data as ArrayLike<number>;
  for (const { pos, slot, feature, activation } of features)
    for (let i = 0; i < dModel; i++)
      out[(pos * dModel + i) * columns + slot] = activation * (rows[feature * dModel + i] ?? 0);
  for (let place = 0; place < positions * dModel; place++) {
    out[place * columns + slots] = error[place] ?? 0;
    if (place >= first * dModel) out[place * columns + slots + 1] = bias[place % dModel] ?? 0;
  }
  return out;
}

/** `b_dec`, and what a skip connection writes for the bias of the norm that it reads behind. */
function decoderBias({ b_dec, W_skip }: LoadedDictionary, readBias: Tensor | undefined): Float64Array {
  const own = Float64Array.from(b_dec.data as ArrayLike<number>);
  if (W_skip === undefined || readBias === undefined) return own;
  const [skip, beta] = [W_skip.data as ArrayLike<number>, readBias.data as ArrayLike<number>];
  const width = W_skip.shape[1] ?? 0;
  return own.map((bias, i) => {
    let sum = bias;
    for (let k = 0; k < width; k++) sum += (skip[i * width + k] ?? 0) * (beta[k] ?? 0);
    return sum;
  });
}

interface WriteSizes {
  readonly positions: number;
  readonly slots: number;
  readonly dModel: number;
  /** The first position that is resolved. */
  readonly first: number;
}

/** What the features do not explain of an MLP's write: everything where they are not resolved. */
function errors(run: Run, layer: number, loaded: LoadedDictionary | undefined, first: number): Float64Array {
  const written = row(run, `blocks.${layer}.hook_mlp_out`);
  const out = Float64Array.from(written.data);
  if (loaded === undefined) return out;
  const { data } = row(run, loaded.dictionary.hooks.recons);
  const width = written.shape[1] ?? 0;
  for (let i = first * width; i < out.length; i++) out[i] = (out[i] ?? 0) - (data[i] ?? 0);
  return out;
}

/** The layer of the block that a dictionary writes in; sets refuse others. */
function layerOf({ writeHook }: Dictionary): number {
  return Number(/^blocks\.(\d+)\./.exec(writeHook)?.[1] ?? -1);
}

/** How a prompt is recorded. */
export interface FreezeOptions {
  readonly linear: LinearModel;
  readonly precision: Precision;
  /** The first position whose MLP writes are split into features; before it they are errors as a whole. */
  readonly firstPosition: number;
  /** Hook points that are recorded besides those of the walk. */
  readonly capture?: readonly string[];
}

/** One layer's MLP as the walk takes it. */
interface FrozenMlp {
  readonly features: readonly ActiveFeature[];
  readonly walk: WalkLayer;
  readonly rest: LayerRest;
}

/** Feeds an MLP that no dictionary describes: one error at each position. */
function feedWhole(feeds: Feeds, run: Run, layer: number, { positions, dModel, first }: MlpSizes): FrozenMlp {
  const error = errors(run, layer, undefined, first);
  feeds.set(walkInput.error(layer), error, [positions, dModel]);
  const walk = { reads: "stream", slots: 0, hasSkip: false } as const;
  return { features: [], walk, rest: { error, bias: new Float64Array(dModel) } };
}

function noMlp({ positions, dModel }: MlpSizes): FrozenMlp {
  const rest = { error: new Float64Array(positions * dModel), bias: new Float64Array(dModel) };
  return { features: [], walk: { reads: "stream", slots: 0, hasSkip: false }, rest };
}

type MlpSizes = Omit<WriteSizes, "slots">;

/** Feeds what a dictionary writes, and what it leaves. */
function feedDictionary(
  feeds: Feeds,
  run: Run,
  { loaded, layer, block }: { readonly loaded: LoadedDictionary; readonly layer: number; readonly block: LinearBlock },
  sizes: MlpSizes,
): FrozenMlp {
  const reads = readPlace(loaded.dictionary, layer);
  const features = activeFeatures(run, loaded, layer, sizes.first);
  const slots = features.reduce((most, { slot }) => Math.max(most, slot + 1), 1);
  const rest = {
    error: errors(run, layer, loaded, sizes.first),
    bias: decoderBias(loaded, reads === "affine" ? block.ln2.bias : undefined),
  };
  const writes = mlpWrites(loaded, features, rest, { ...sizes, slots });
  feeds.set(walkInput.features(layer), writes, [sizes.positions, sizes.dModel, slots + 2]);
  const { W_skip } = loaded;
  if (W_skip !== undefined) feeds.set(walkInput.skip(layer), W_skip.data as ArrayLike<number>, W_skip.shape);
  return { features, walk: { reads, slots, hasSkip: W_skip !== undefined }, rest };
}

/** Runs a prompt once and prepares everything that walks from its targets need. */
export async function freezePrompt(
  model: Model,
  tokens: readonly number[],
  set: DictionarySet | undefined,
  { linear, precision, firstPosition, capture = [] }: FreezeOptions,
): Promise<FrozenPrompt> {
  const dictionaries = new Map<number, LoadedDictionary>();
  for (const one of set ?? []) dictionaries.set(layerOf(one), await loadDictionary(one));
  const spliced = model.withPrecision(precision).with(...(set?.splice({ errorTerm: true }) ?? []));
  const hooks = [...new Set([...captured(model, linear, set), ...capture])];
  const run = await spliced.run([tokens], { capture: hooks, prependBos: false });
  const positions = tokens.length;
  const sizes = { positions, dModel: linear.dModel, first: firstPosition };
  const feeds = new Feeds(precision);
  const mlps = linear.blocks.map((block, layer) => {
    feedBlock(feeds, run, linear, layer);
    if (!linear.hasMlps) return noMlp(sizes);
    const loaded = dictionaries.get(layer);
    if (loaded === undefined) return feedWhole(feeds, run, layer, sizes);
    return feedDictionary(feeds, run, { loaded, layer, block }, sizes);
  });
  feedEnds(feeds, run, linear);
  const resolved = Float64Array.from({ length: positions }, (_, pos) => (pos < firstPosition ? 0 : 1));
  feeds.set(walkInput.resolved, resolved, [positions, 1]);
  return {
    run,
    positions,
    dictionaries,
    layers: mlps.map(({ walk }) => walk),
    features: mlps.flatMap(({ features }) => features),
    rest: mlps.map(({ rest }) => rest),
    feeds: feeds.all,
  };
}

function feedEnds(feeds: Feeds, run: Run, linear: LinearModel): void {
  const embed = row(run, "hook_embed");
  feeds.set(walkInput.embed, embed.data, embed.shape);
  if (linear.hasPositions) {
    const position = row(run, "hook_pos_embed");
    feeds.set(walkInput.position, position.data, position.shape);
  }
  if (!linear.hasFinalNorm) return;
  const { data } = row(run, "ln_final.hook_scale");
  feeds.set(walkInput.finalScale, data, [data.length, 1]);
  feeds.gain(walkInput.finalGain, linear.lnFinal);
}
