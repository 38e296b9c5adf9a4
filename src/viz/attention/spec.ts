/** The data of the attention view, and how its heads and tokens are called. */

import { formatNumber } from "../numbers.js";
import type { Cell, ColorScale, ViewAxis, ViewHeader } from "../spec.js";
import { shorten, visibleToken } from "../token-text.js";
import type { CodedHeads } from "./shape.js";
import { roundingOf, type WeightCodes, type WeightNumbers } from "./weights.js";

/** The strongest weight of a head. */
export interface StrongPair {
  readonly head: number;
  /** Index of the token that looks, among all tokens. */
  readonly query: number;
  /** Index of the token that is looked at. */
  readonly key: number;
  readonly weight: Cell;
}

/** Attention patterns of one or many heads over one text. */
export interface AttentionSpec extends ViewHeader {
  readonly view: "attention";
  /** The tokens that are looked at. */
  readonly tokens: readonly string[];
  /** How many of the tokens look: the last ones, usually all. */
  readonly queries: number;
  /** Whether queries look back only; then weights above the diagonal are not kept. */
  readonly isCausal: boolean;
  /** Numbers of the layers; empty when not known. */
  readonly layers: readonly number[];
  /** Numbers of the heads in each layer; empty for a single pattern without a name. */
  readonly heads: readonly number[];
  /** Every head's weights, layer by layer. */
  readonly weights: WeightCodes | WeightNumbers;
  /** The small heads, compressed: for so many weights that not all of them should be read to draw these. */
  readonly small?: string;
  /** The head drawn large, counted through all layers. */
  readonly large: number;
  /** The heads with the strongest weights beyond the first token, strongest first; the large one is always among them. */
  readonly strongest: readonly StrongPair[];
  /** Mean entropy over queries of each head, bits; empty for weights that are no probabilities, and for many heads. */
  readonly entropy: readonly Cell[];
  readonly color: ColorScale;
  /** What the weights are. */
  readonly unit: string;
}

/** What the arrangement of the parts follows from. */
export type AttentionFrame = Pick<AttentionSpec, "heads" | "layers" | "queries" | "tokens">;

/** Returns how many heads there are. */
export function countHeads({ layers, heads }: Pick<AttentionSpec, "heads" | "layers">): number {
  return Math.max(1, layers.length) * Math.max(1, heads.length);
}

/** Returns how weights are arranged. */
export function shapeOf(spec: AttentionSpec): CodedHeads {
  const { tokens, queries, isCausal } = spec;
  return { heads: countHeads(spec), queries, keys: tokens.length, isCausal };
}

/** Returns a head's name, such as `L5H1`; `H1` without a layer, empty when it has none. */
export function headName(spec: AttentionSpec, head: number): string {
  const [layer, own] = headNumbers(spec, head);
  return `${layer === undefined ? "" : `L${layer}`}${own === undefined ? "" : `H${own}`}`;
}

/** Returns a head's name in a sentence: `head 5.1`, `head 1`, `layer 5`, or empty. */
export function spokenHead(spec: AttentionSpec, head: number): string {
  const [layer, own] = headNumbers(spec, head);
  if (own === undefined) return layer === undefined ? "" : `layer ${layer}`;
  return layer === undefined ? `head ${own}` : `head ${layer}.${own}`;
}

function headNumbers(
  { layers, heads }: AttentionSpec,
  head: number,
): readonly [number | undefined, number | undefined] {
  const perLayer = Math.max(1, heads.length);
  return [layers[Math.floor(head / perLayer)], heads[head % perLayer]];
}

/** Returns a token with its position: `4 “·Mary”`. */
export function placeOf(spec: AttentionSpec, index: number, limit = 24): string {
  return `${index} “${shorten(visibleToken(spec.tokens[index] ?? ""), limit)}”`;
}

/** Returns the index of a query's token among all tokens. */
export function queryToken(spec: AttentionSpec, query: number): number {
  return query + spec.tokens.length - spec.queries;
}

/** Returns a weight as it is written; what was rounded away is not called zero. */
export function weightText(spec: AttentionSpec, weight: number): string {
  const rounding = roundingOf(spec.weights);
  if (weight === 0 && rounding > 0) return `below ${formatNumber(rounding / 2)}`;
  // As many decimals as the rounding leaves, so that 0.1 + a step never looks exact.
  const decimals = rounding > 0 ? Math.max(0, Math.ceil(-Math.log10(rounding))) : undefined;
  return formatNumber(decimals === undefined ? weight : Number(weight.toFixed(decimals)));
}

/** Returns the two axes of a large head. */
export function axesOf(spec: AttentionFrame): { readonly x: ViewAxis; readonly y: ViewAxis } {
  const { tokens, queries } = spec;
  return {
    x: { name: "looks at (key)", labels: tokens, kind: "tokens" },
    y: { name: "token (query)", labels: tokens.slice(tokens.length - queries), kind: "tokens" },
  };
}
