/** Attention patterns: a grid of small heads, one head large, and the text coloured by what one token looks at. */

import { InputError, ShapeError } from "../../core/index.js";
import { drawAttention } from "../attention/draw.js";
import { type AttentionPattern, type ReadPattern, readPattern } from "../attention/read.js";
import { headSize, type Triangle, visibleKeys } from "../attention/shape.js";
import {
  type AttentionSpec,
  countHeads,
  headName,
  placeOf,
  queryToken,
  type StrongPair,
  shapeOf,
  spokenHead,
  weightText,
} from "../attention/spec.js";
import { eachWeight, extentOf, isCausalPattern, meanEntropy, strongestPair } from "../attention/stats.js";
import { writeThumbs } from "../attention/thumbs.js";
import { decodeHead, encodeWeights } from "../attention/weights.js";
import { checkedScale, checkLength } from "../checks.js";
import type { ColorOptions } from "../color.js";
import { largestLines } from "../entries.js";
import type { TableData, ViewKind } from "../kind.js";
import { decodeCell, encodeCell, formatNumber } from "../numbers.js";
import { type Cell, header, type ViewOptions } from "../spec.js";
import { shorten, visibleToken } from "../token-text.js";

const where = "viz.attention";
/** This many heads are named in words. */
const namedHeads = 5;
/** Above this count of heads their entropies are not kept. */
const entropyHeads = 1000;
/** Above this count of weights the small heads are kept apart. */
const longCount = 1_000_000;
/** Tables have a row for each weight up to this count, else one for each query or head. */
const tableRows = 2000;

/** Options of `viz.attention`. */
export interface AttentionOptions extends ViewOptions, ColorOptions {
  /** The numbers of the layers in the pattern; default: from 0 when it has a layer axis. */
  readonly layers?: readonly number[];
  /** The numbers of the heads in the pattern; default: from 0. */
  readonly heads?: readonly number[];
  /** The head drawn large at first; default: the one with the strongest weight beyond the first token. */
  readonly large?: { readonly layer?: number; readonly head?: number };
  /** Whether queries look back only; default: as the weights are. */
  readonly causal?: boolean;
  /**
   * Bytes of HTML that the weights may take; default: up to 38,000 for 12 × 12 heads over 64 tokens, at most 400,000.
   *
   * The finest of 10 to 250 steps that fits is chosen; pictures and browser code come on top.
   */
  readonly bytes?: number;
  /** What the weights are; default `attention`. */
  readonly unit?: string;
}

/** Returns the spec of attention patterns; see `viz.attention`. */
export function attentionSpec(
  pattern: AttentionPattern,
  tokens: readonly string[],
  options: AttentionOptions,
): AttentionSpec {
  const read = readPattern(pattern);
  checkTokens(read, tokens);
  const shape = { queries: read.queries, keys: read.keys, isCausal: checkedCausal(read, options.causal) };
  const extent = extentOf(read.blocks, shape);
  const [layers, heads] = [checkedNumbers("layers", read, options), checkedNumbers("heads", read, options)];
  const pairs = strongestOf(read, shape);
  const large = largeHead(options.large, { layers, heads }) ?? pairs[0]?.head ?? 0;
  const others = pairs.filter(({ head }, i) => i < namedHeads || head === large);
  const color = checkedScale(where, [0, extent.min, extent.max], options);
  const frame = { tokens: [...tokens], queries: read.queries, layers, heads };
  const isLong = read.blocks.length * headSize(shape) > longCount && options.exact !== true;
  return {
    ...header("attention", options),
    ...frame,
    isCausal: shape.isCausal,
    ...(isLong ? { small: writeThumbs(read.blocks, frame, { shape, color }) } : {}),
    weights: encodeWeights(read.blocks, shape, { extent, isExact: options.exact === true, bytes: options.bytes }),
    large,
    strongest: others,
    entropy: entropies(read, shape),
    color,
    unit: options.unit ?? "attention",
  };
}

function checkTokens({ queries, keys }: ReadPattern, tokens: readonly string[]): void {
  checkLength(`${where}: tokens`, tokens.length, keys);
  if (queries <= keys) return;
  throw new ShapeError({
    where: `${where}: pattern`,
    got: `${queries} queries over ${keys} keys`,
    expected: "at most as many queries as keys",
    fix: "Give the pattern as [queryPos, keyPos], not transposed.",
  });
}

function checkedCausal(read: ReadPattern, wanted: boolean | undefined): boolean {
  if (wanted === false) return false;
  const isCausal = isCausalPattern(read);
  if (isCausal || wanted === undefined) return isCausal;
  throw new InputError({
    where: `${where}: causal`,
    got: "true, and a pattern in which queries look at later keys",
    expected: "weights of 0 above the diagonal",
    fix: "Leave causal out, or check that the axes are [queryPos, keyPos].",
  });
}

/** Numbers of layers or heads: those given, else from 0 when the pattern has that axis. */
function checkedNumbers(axis: "heads" | "layers", read: ReadPattern, options: AttentionOptions): readonly number[] {
  const [given, count] = [options[axis], read[axis]];
  if (given === undefined) return Array.from({ length: count ?? 0 }, (_, i) => i);
  checkLength(`${where}: ${axis}`, given.length, count ?? 1);
  return [...given];
}

function largeHead(
  wanted: AttentionOptions["large"],
  { layers, heads }: { readonly layers: readonly number[]; readonly heads: readonly number[] },
): number | undefined {
  if (wanted === undefined) return undefined;
  const layer = wanted.layer === undefined ? 0 : layers.indexOf(wanted.layer);
  const head = wanted.head === undefined ? 0 : heads.indexOf(wanted.head);
  if (layer >= 0 && head >= 0) return layer * Math.max(1, heads.length) + head;
  throw new InputError({
    where: `${where}: large`,
    got: JSON.stringify(wanted),
    expected: `a layer of [${layers.join(", ")}] and a head of [${heads.join(", ")}]`,
    fix: "Name a head that the pattern has.",
  });
}

/** Every head's strongest pair, strongest head first. */
function strongestOf({ blocks }: ReadPattern, shape: Triangle): readonly StrongPair[] {
  const pairs = blocks.flatMap((block, head): readonly StrongPair[] => {
    const pair = strongestPair(block, shape);
    if (pair === undefined) return [];
    return [{ head, query: pair.query + shape.keys - shape.queries, key: pair.key, weight: encodeCell(pair.weight) }];
  });
  return pairs.sort((a, b) => Math.abs(decodeCell(b.weight)) - Math.abs(decodeCell(a.weight)));
}

function entropies({ blocks }: ReadPattern, shape: Triangle): readonly Cell[] {
  if (blocks.length > entropyHeads) return [];
  const bits = blocks.flatMap((block) => meanEntropy(block, shape) ?? []);
  return bits.length === blocks.length ? bits.map((value) => Math.round(value * 1000) / 1000) : [];
}

function shapeText(spec: AttentionSpec): string {
  const [layers, heads] = [spec.layers.length, spec.heads.length];
  const parts = [...(layers > 1 ? [`${layers} layers`] : []), ...(heads > 1 ? [`${heads} heads`] : [])];
  const own = parts.length > 0 ? parts.join(" × ") : spokenHead(spec, 0) || "one pattern";
  return `${own} over ${spec.tokens.length} tokens${spec.isCausal ? ", causal" : ""}`;
}

function pairText(spec: AttentionSpec, { query, key }: StrongPair): string {
  return `${placeOf(spec, query)} → ${placeOf(spec, key)}`;
}

function text(spec: AttentionSpec): readonly string[] {
  const entries = spec.strongest.map((pair) => ({
    where: [headName(spec, pair.head), pairText(spec, pair), entropyText(spec, pair.head)]
      .filter((part) => part !== "")
      .join("  "),
    value: decodeCell(pair.weight),
  }));
  return [`${shapeText(spec)}; strongest beyond the first token:`, ...largestLines(entries)];
}

function entropyText(spec: AttentionSpec, head: number): string {
  const bits = spec.entropy[head];
  return bits === undefined ? "" : `entropy ${formatNumber(decodeCell(bits))} bits`;
}

function summary(spec: AttentionSpec): string {
  const heads = spec.strongest.slice(0, 3).map((pair) => {
    const name = spokenHead(spec, pair.head);
    const tokens = [pair.query, pair.key].map((i) => shorten(visibleToken(spec.tokens[i] ?? ""), 24));
    const weight = formatNumber(decodeCell(pair.weight));
    const entropy = spec.entropy[pair.head] === undefined ? "" : `, mean ${entropyText(spec, pair.head)}`;
    return `${name}${name === "" ? "" : ": "}strongest ${tokens.join(" → ")} ${weight}${entropy}`;
  });
  return [shapeText(spec), ...heads].join("; ");
}

/** Returns every weight as a row when they are few, else the keys that each query looks at most, else a row a head. */
function table(spec: AttentionSpec): TableData {
  const count = countHeads(spec);
  if (count * headSize(shapeOf(spec)) <= tableRows) return weightTable(spec);
  return count * spec.queries <= tableRows ? queryTable(spec) : headTable(spec);
}

function headIndices(spec: AttentionSpec): readonly number[] {
  return Array.from({ length: countHeads(spec) }, (_, head) => head);
}

function weightTable(spec: AttentionSpec): TableData {
  const rows = headIndices(spec).flatMap((head) => {
    const cells: string[][] = [];
    eachWeight(decodeHead(spec.weights, shapeOf(spec), head), shapeOf(spec), (weight, query, key) => {
      const tokens = [placeOf(spec, queryToken(spec, query)), placeOf(spec, key)];
      cells.push([headName(spec, head), ...tokens, weightText(spec, weight)]);
    });
    return cells;
  });
  return { columns: ["head", "token", "looks at", spec.unit], rows };
}

function queryTable(spec: AttentionSpec): TableData {
  const rows = headIndices(spec).flatMap((head) => {
    const block = decodeHead(spec.weights, shapeOf(spec), head);
    return Array.from({ length: spec.queries }, (_, query) => {
      const looks = topKeys(spec, (key) => block.at(query, key), visibleKeys(shapeOf(spec), query));
      const words = looks.map(({ index, weight }) => `${placeOf(spec, index)} ${weightText(spec, weight)}`);
      return [headName(spec, head), placeOf(spec, queryToken(spec, query)), words.join(", ")];
    });
  });
  return { columns: ["head", "token", "looks at"], rows };
}

function headTable(spec: AttentionSpec): TableData {
  const rows = headIndices(spec).map((head) => {
    const pair = strongestPair(decodeHead(spec.weights, shapeOf(spec), head), shapeOf(spec));
    const bits = spec.entropy[head];
    const entropy = spec.entropy.length === 0 ? [] : [bits === undefined ? "" : formatNumber(decodeCell(bits))];
    if (pair === undefined) return [headName(spec, head), "", "", "NaN", ...entropy];
    const tokens = [placeOf(spec, queryToken(spec, pair.query)), placeOf(spec, pair.key)];
    return [headName(spec, head), ...tokens, weightText(spec, pair.weight), ...entropy];
  });
  const last = spec.entropy.length === 0 ? [] : ["mean entropy, bits"];
  return { columns: ["head", "token", "looks most at", spec.unit, ...last], rows };
}

/** Returns the largest of `count` weights, largest first. */
export function topKeys(
  spec: AttentionSpec,
  at: (index: number) => number,
  count: number,
): readonly { readonly index: number; readonly weight: number }[] {
  const all = Array.from({ length: count }, (_, index) => ({ index, weight: at(index) }));
  const finite = all.filter(({ weight }) => !Number.isNaN(weight) && weight !== 0);
  return finite
    .sort((a, b) => Math.abs(b.weight) - Math.abs(a.weight))
    .slice(0, Math.min(namedHeads, spec.tokens.length));
}

/** How attention patterns are drawn and said. */
export const attentionKind: ViewKind<AttentionSpec> = {
  draw: (spec, { theme }) => drawAttention(spec, { theme, head: spec.large }),
  text,
  summary,
  table,
};
