/**
 * One attention score, taken apart exactly.
 *
 * With the scales of norms as they were, queries and keys are linear in the stream, also behind rotations and norms of
 * heads. So a score is a sum over pairs: part i of the query's stream times part j of the key's, and the biases.
 */
import { InputError, type LongCallOptions, NumericError } from "../../core/index.js";
import { type ActivationCache, edit, type Model } from "../../model/index.js";
import { Tensor } from "../../tensor/index.js";
import { promptTokens } from "../patching/prompts.js";
import { siteHook } from "../patching/sites.js";
import { floatsOf } from "../patching/values.js";
import { QkAttribution, type ScorePlace } from "./result.js";

/** Options of `qk.attribution`. */
export interface QkOptions extends ScorePlace, LongCallOptions {
  /**
   * `"mean"` takes apart by how much the score is above the mean score of all keys that the query may look at: what makes the
   * pattern, because adding to all scores of a query changes nothing. By default the score itself.
   */
  readonly above?: "mean";
}

/** One side of the product. */
interface Side {
  readonly letter: "q" | "k";
  readonly head: number;
  readonly pos: number;
}

/** Vectors of a side by part, and their names. */
interface SideVectors {
  readonly labels: readonly string[];
  readonly vectors: readonly Float64Array[];
}

function checkPlace({ config }: Model, place: ScorePlace, pos: number): void {
  const bounds = { layer: config.nLayers, head: config.nHeads, queryPos: pos, keyPos: pos };
  for (const [name, size] of Object.entries(bounds)) {
    const value = place[name as keyof ScorePlace];
    if (Number.isInteger(value) && value >= 0 && value < size) continue;
    throw new InputError({
      where: "qk.attribution",
      got: `${name} ${value}`,
      expected: `an integer from 0 to ${size - 1}`,
      fix: "Count positions from 0, BOS included.",
    });
  }
  if (config.attentionDirection === "bidirectional") return;
  const distance = place.queryPos - place.keyPos;
  const window = config.windows[place.layer] ?? Number.POSITIVE_INFINITY;
  if (distance >= 0 && distance < window) return;
  const reason = distance < 0 ? "behind the query" : `outside the layer's window of ${window} tokens before the query`;
  throw new InputError({
    where: "qk.attribution",
    got: `a key at ${place.keyPos}, ${reason} at ${place.queryPos}`,
    expected: "a key that the query may look at",
    fix: "Choose a key position up to the query's and inside the window.",
  });
}

function checkPlain({ edits }: Model): void {
  const [first] = edits;
  if (first === undefined) return;
  throw new InputError({
    where: "qk.attribution",
    got: `a model with edit.${first.name}`,
    expected: "a model whose stream is the sum of what its parts write",
    fix: "Take the score apart in the model without edits.",
  });
}

function headOf(weight: Tensor, head: number): Tensor {
  return weight.at({ head });
}

/** `x W + b` of one head for each part; the bias comes last. */
async function project(
  model: Model,
  layer: number,
  side: Side,
  parts: readonly Float64Array[],
): Promise<readonly Float64Array[]> {
  const name = side.letter === "q" ? "Q" : "K";
  const weights = await model.weights.block(layer);
  const { [`W_${name}`]: stored, [`b_${name}`]: bias } = weights as Readonly<Record<string, Tensor>>;
  const { dModel, dHead } = model.config;
  const matrix = stored === undefined ? new Float64Array(0) : floatsOf(headOf(stored, side.head));
  const offset = bias === undefined ? new Float64Array(dHead) : Float64Array.from(floatsOf(headOf(bias, side.head)));
  const projected = parts.map((part) => {
    const out = new Float64Array(dHead);
    for (let d = 0; d < dModel; d++)
      for (let h = 0; h < dHead; h++) out[h] = (out[h] ?? 0) + (part[d] ?? 0) * (matrix[d * dHead + h] ?? 0);
    return out;
  });
  return [...projected, offset];
}

/** The hook points that a head's vectors pass on their way to the score. */
function turning(
  { config }: Model,
  layer: number,
  letter: "q" | "k",
): { into: string; from: string; scale?: string } | undefined {
  const norm = `blocks.${layer}.attn.${letter}_norm`;
  if (config.rotary === undefined) return undefined;
  const from = siteHook(letter === "q" ? "rot_q" : "rot_k", layer);
  if (config.qkNorm) return { into: `${norm}.hook_normalized`, from, scale: `${norm}.hook_scale` };
  return { into: siteHook(letter, layer), from };
}

/** The heads that a letter's vectors have in the model, and which of them serves a query head. */
function ownHead({ config }: Model, letter: "q" | "k", head: number): { heads: number; own: number } {
  const { nHeads, nKeyValueHeads } = config;
  if (letter === "q") return { heads: nHeads, own: head };
  return { heads: nKeyValueHeads, own: Math.floor((head * nKeyValueHeads) / nHeads) };
}

/** Sends vectors through the model's own rotation and head norm, with the norm's scale as it was. */
async function turned(
  model: Model,
  tokens: readonly number[],
  place: { readonly layer: number; readonly side: Side; readonly scale: number },
  vectors: readonly Float64Array[],
): Promise<readonly Float64Array[]> {
  const { layer, side } = place;
  const path = turning(model, layer, side.letter);
  if (path === undefined) return vectors;
  const { heads, own } = ownHead(model, side.letter, side.head);
  const { dHead } = model.config;
  const size = tokens.length * heads * dHead;
  const start = (side.pos * heads + own) * dHead;
  const data = new Float64Array(size * vectors.length);
  vectors.forEach((vector, row) => {
    data.set(
      vector.map((x) => x / place.scale),
      row * size + start,
    );
  });
  const values = Tensor.of(data, [vectors.length, tokens.length, heads, dHead], ["batch", "pos", "head", "dHead"]);
  const edited = model.with(edit.replace(path.into, values));
  const rows = vectors.map(() => [...tokens]);
  const { cache } = await edited.run(rows, { capture: path.from, logits: "none" });
  const found = floatsOf(cache.get(path.from));
  return vectors.map((_, row) => Float64Array.from(found.slice(row * size + start, row * size + start + dHead)));
}

/** A run of the prompt, and the stream that the layer's norm reads, taken apart. */
interface Opened {
  readonly model: Model;
  readonly tokens: readonly number[];
  readonly place: ScorePlace;
  readonly cache: ActivationCache;
  /** `[component, batch, pos, dModel]`, behind the norm. */
  readonly stack: Tensor;
  readonly labels: readonly string[];
}

/** The scale of a head's own norm, 1 where there is none. */
function headScale({ model, place, cache }: Opened, { letter, pos }: Side): number {
  const { scale } = turning(model, place.layer, letter) ?? {};
  if (scale === undefined) return 1;
  const { heads, own } = ownHead(model, letter, place.head);
  const { data, shape }: Tensor = cache.get(scale);
  return Number(data[(pos * heads + own) * (shape[3] ?? 1)]);
}

/** The vectors of a side's parts: those of the stream, then the projection's own bias. */
async function sideVectors(opened: Opened, side: Side): Promise<SideVectors> {
  const { model, tokens, place, stack, labels } = opened;
  const { layer } = place;
  const { dModel } = model.config;
  const data = floatsOf(stack);
  const parts = labels.map((_, i) => {
    const start = (i * tokens.length + side.pos) * dModel;
    return Float64Array.from(data.slice(start, start + dModel));
  });
  const projected = await project(model, layer, side, parts);
  const vectors = await turned(model, tokens, { layer, side, scale: headScale(opened, side) }, projected);
  return { labels: [...labels, side.letter === "q" ? "b_Q" : "b_K"], vectors };
}

function dot(a: Float64Array, b: Float64Array): number {
  return a.reduce((sum, value, i) => sum + value * (b[i] ?? 0), 0);
}

async function openPrompt(model: Model, tokens: readonly number[], options: QkOptions): Promise<Opened> {
  const { layer, head, queryPos, keyPos, signal } = options;
  // Folded, the gain and bias of the norm before attention are part of W_Q, b_Q, W_K and b_K.
  const folded = model.config.normalization === null ? model : model.processed({ foldLn: true });
  const asked = { capture: "*", logits: "none", ...(signal === undefined ? {} : { signal }) } as const;
  const { cache } = await folded.run([[...tokens]], asked);
  const { stack, labels } = await cache.getFullResidDecomposition({ layer, expandNeurons: false, applyLn: true });
  return { model: folded, tokens, place: { layer, head, queryPos, keyPos }, cache, stack, labels };
}

/** Keys that a query may look at. */
function seenKeys({ config }: Model, { layer, queryPos }: ScorePlace, positions: number): readonly number[] {
  const all = Array.from({ length: positions }, (_, key) => key);
  if (config.attentionDirection === "bidirectional") return all;
  const window = config.windows[layer] ?? Number.POSITIVE_INFINITY;
  return all.filter((key) => key <= queryPos && queryPos - key < window);
}

/** The vectors of the key's side, less their means over other keys. */
async function keyVectors(opened: Opened, others: readonly number[]): Promise<SideVectors> {
  const { head, keyPos } = opened.place;
  const own = await sideVectors(opened, { letter: "k", head, pos: keyPos });
  const vectors = own.vectors.map((vector) => Float64Array.from(vector));
  for (const pos of others) {
    const other = await sideVectors(opened, { letter: "k", head, pos });
    for (const [part, vector] of vectors.entries())
      for (const [i, value] of (other.vectors[part] ?? []).entries())
        vector[i] = (vector[i] ?? 0) - value / others.length;
  }
  return { labels: own.labels, vectors };
}

/** The score of the run, before any soft cap. */
function measuredScore({ model, place, cache }: Opened, keyPos: number): number {
  const { layer, head, queryPos } = place;
  const scores: Tensor = cache.get(siteHook("attn_scores", layer));
  const [, heads = 1, queries = 1, keys = 1] = scores.shape;
  return uncapped(Number(scores.data[((head % heads) * queries + queryPos) * keys + keyPos]), model);
}

/** Takes one score apart. */
export async function qkAttribution(
  model: Model,
  prompt: string | readonly number[],
  options: QkOptions,
): Promise<QkAttribution> {
  const [tokens = []] = promptTokens(model, prompt, "qk.attribution");
  checkPlain(model);
  checkPlace(model, options, tokens.length);
  const opened = await openPrompt(model, tokens, options);
  const { head, queryPos, keyPos } = opened.place;
  const query = await sideVectors(opened, { letter: "q", head, pos: queryPos });
  const others = options.above === "mean" ? seenKeys(model, options, tokens.length) : [];
  const key = await keyVectors(opened, others);
  const mean = others.reduce((sum, other) => sum + measuredScore(opened, other), 0) / Math.max(1, others.length);
  const { attnScale } = model.config;
  const products = query.vectors.flatMap((q) => key.vectors.map((k) => dot(q, k) / attnScale));
  const texts = model.view.core.tokenizer?.pieces([tokens[queryPos] ?? 0, tokens[keyPos] ?? 0]) ?? [];
  const result = new QkAttribution({
    place: opened.place,
    queries: query.labels,
    keys: key.labels,
    values: Tensor.of(Float64Array.from(products), [query.labels.length, key.labels.length], ["query", "key"]),
    score: measuredScore(opened, keyPos) - mean,
    tokens: [texts[0] ?? `token ${tokens[queryPos] ?? ""}`, texts[1] ?? `token ${tokens[keyPos] ?? ""}`],
  });
  checkSum(result);
  return result;
}

/** The score before the soft cap: `cap·atanh(score/cap)`. */
function uncapped(score: number, { config }: Model): number {
  const cap = config.attnScoresSoftCap;
  return cap === undefined ? score : cap * Math.atanh(score / cap);
}

/** Parts must sum to the score: nothing that is wrong is returned. */
function checkSum({ sum, score, values }: QkAttribution): void {
  const size = (values.data as Float64Array).reduce((most, value) => Math.max(most, Math.abs(value)), 1);
  if (Math.abs(sum - score) <= 1e-4 * size) return;
  throw new NumericError({
    where: "qk.attribution",
    got: `products that sum to ${sum} for a score of ${score}`,
    expected: "the score, within 1e-4 of the largest product",
    fix: 'Use model.withPrecision("float64"); if it stays, report a bug of limpid.',
  });
}
