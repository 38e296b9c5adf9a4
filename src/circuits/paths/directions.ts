/**
 * Directions carried backwards by weights alone: everything about a path that no prompt changes.
 *
 * A frozen norm is its gain, its centring and a division by a scale; the scale is the prompt's and left out here.
 */
import { InputError } from "../../core/index.js";
import type { DictionarySet } from "../../dictionary/index.js";
import { type LoadedDictionary, loadDictionary, readPlace } from "../attribution/frozen.js";
import type { FrozenNorm, LinearBlock, LinearModel } from "../attribution/linear-model.js";
import { columnOf, dot, numbersOf, rowDot } from "../attribution/vectors.js";

/** A feature of a set, by its layer and index. */
export interface FeatureAddress {
  readonly layer: number;
  readonly feature: number;
}

/** A head, by its layer and index. */
export interface HeadAddress {
  readonly layer: number;
  readonly head: number;
}

/** The transpose of a norm without its scale: gain, then centring. */
export function normDirection(v: Float64Array, { gain }: FrozenNorm, isCentred: boolean): Float64Array {
  const gained = gain === undefined ? v : v.map((x, i) => x * Number(gain.data[i]));
  if (!isCentred) return gained;
  const mean = gained.reduce((a, b) => a + b, 0) / gained.length;
  return gained.map((x) => x - mean);
}

/** From what a dictionary reads to the stream, without the norm's scale. */
export function readDirection(
  linear: LinearModel,
  { dictionary }: LoadedDictionary,
  layer: number,
  v: Float64Array,
): Float64Array {
  const place = readPlace(dictionary, layer);
  const norm = linear.blocks[layer]?.ln2;
  if (place === "stream" || !linear.hasNorm || norm === undefined) return v;
  return normDirection(v, place === "affine" ? norm : { gain: undefined, bias: undefined }, linear.isCentred);
}

/** `v W_Oᵀ` of one head, behind the norm that some models have after attention: `[dHead]`. */
export function outputDirection(linear: LinearModel, block: LinearBlock, head: number, v: Float64Array): Float64Array {
  const { dHead } = linear;
  const post = block.ln1Post === undefined ? v : normDirection(v, block.ln1Post, linear.isCentred);
  const output = numbersOf(block.W_O);
  return Float64Array.from({ length: dHead }, (_, i) => rowDot(output, head * dHead + i, post));
}

/** `(W_V W_O)ᵀ`: from what a head writes to the stream that it reads at the source, without patterns and scales. */
export function throughHead(linear: LinearModel, { layer, head }: HeadAddress, v: Float64Array): Float64Array {
  const block = linear.blocks[layer];
  if (block === undefined) return new Float64Array(v.length);
  const { dHead, dModel, hasNorm, isCentred } = linear;
  const inner = outputDirection(linear, block, head, v);
  const values = numbersOf(block.W_V);
  const read = Float64Array.from({ length: dModel }, (_, i) => {
    const start = (head * dModel + i) * dHead;
    return dot(
      inner,
      Float64Array.from({ length: dHead }, (_unused, k) => values[start + k] ?? 0),
    );
  });
  return hasNorm ? normDirection(read, block.ln1, isCentred) : read;
}

/** Layers of attention whose writes the MLP of a layer reads. */
export function attentionBelow({ isParallel }: LinearModel, layer: number): number {
  return isParallel ? layer : layer + 1;
}

/** Loads dictionaries of a set once each. */
export class LoadedSet {
  readonly set: DictionarySet;
  readonly #loaded = new Map<number, LoadedDictionary>();

  constructor(set: DictionarySet) {
    this.set = set;
  }

  /** Returns the dictionary of a layer with its matrices in memory. */
  async layer(layer: number): Promise<LoadedDictionary> {
    const loaded = this.#loaded.get(layer) ?? (await loadDictionary(this.set.layer(layer)));
    this.#loaded.set(layer, loaded);
    return loaded;
  }

  /**
   * Returns the direction in the stream that a feature reads.
   *
   * @throws InputError for a feature that the dictionary lacks.
   */
  async reads(linear: LinearModel, { layer, feature }: FeatureAddress, where: string): Promise<Float64Array> {
    const loaded = await this.layer(layer);
    const { name, nFeatures } = loaded.dictionary;
    if (!Number.isInteger(feature) || feature < 0 || feature >= nFeatures) {
      throw new InputError({
        where: `${where}: feature of ${name}`,
        got: String(feature),
        expected: `a whole number from 0 to ${nFeatures - 1}`,
        fix: "Pick one from an overview or a graph.",
      });
    }
    return readDirection(linear, loaded, layer, columnOf(loaded.W_enc, feature));
  }
}
