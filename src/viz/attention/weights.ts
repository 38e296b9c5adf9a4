/**
 * Attention weights inside a spec.
 *
 * 1. Of a causal pattern only the lower triangle is kept; the weights of a head stand in one row, query by query.
 * 2. Up to 5,000 weights, or with `exact`, they are numbers, which `pack.ts` packs.
 * 3. Above, they are rounded to a grid of 10 to 250 steps and compressed by `coder.ts`: as many steps as fit into the
 *    bytes that they are worth.
 */
import { decodeCell, type Extent, encodeCell } from "../numbers.js";
import type { Cell } from "../spec.js";
import { decodeCodes, encodeCodes } from "./coder.js";
import type { HeadBlock } from "./read.js";
import { type CodedHeads, headSize, rowStart, type Triangle, visibleKeys } from "./shape.js";

/** Up to this count weights are numbers. */
const numberCount = 5000;
/** The code of NaN, after all steps. */
const missingCode = 255;
const stepCounts = [250, 180, 128, 100, 80, 64, 50, 40, 36, 32, 28, 25, 22, 20, 18, 16, 14, 12, 10];

/** What weights are worth, in bytes of base64: each, all at least, all at most. */
const bytesPerWeight = 0.125;
const leastBytes = 38_000;
const mostBytes = 400_000;
/** The number of steps is chosen on about this many weights. */
const sampleCount = 100_000;
/** Heads are compressed in groups of about this many weights: a group is read when one of its heads is asked for. */
const groupCount = 500_000;

/** Rounded weights, compressed; a weight is `(code - zero) * step`, code 255 is NaN. */
export interface WeightCodes {
  readonly zero: number;
  readonly step: number;
  /** Heads in a group; the last group may have fewer. */
  readonly groupSize: number;
  /** Arithmetic code of the weights of each group, head by head, in base64. */
  readonly groups: readonly string[];
}

/** Weights as numbers, `[head, weight]`. */
export type WeightNumbers = readonly (readonly Cell[])[];

/** Returns all weights of a head in one row. */
function flatten(block: HeadBlock, shape: Triangle): Float64Array {
  const row = new Float64Array(headSize(shape));
  let i = 0;
  for (let query = 0; query < shape.queries; query++) {
    const count = visibleKeys(shape, query);
    for (let key = 0; key < count; key++) row[i++] = block.at(query, key) + 0; // JSON has no -0.
  }
  return row;
}

/** How weights are kept. */
export interface WeightOptions {
  /** Of the weights. */
  readonly extent: Extent;
  /** Keeps every weight exactly. */
  readonly isExact: boolean;
  /** Bytes of text that rounded weights may take; default: as many as they are worth. */
  readonly bytes?: number | undefined;
}

/** Returns the weights of `blocks` as a spec holds them. */
export function encodeWeights(
  blocks: readonly HeadBlock[],
  shape: Triangle,
  { extent, isExact, bytes }: WeightOptions,
): WeightCodes | WeightNumbers {
  const count = blocks.length * headSize(shape);
  if (isExact || count <= numberCount) return blocks.map((block) => Array.from(flatten(block, shape), encodeCell));
  const grid = chooseGrid(blocks, shape, { extent, bytes: bytes ?? worth(count) });
  const groupSize = Math.max(1, Math.min(blocks.length, Math.floor(groupCount / headSize(shape))));
  const groups = Array.from({ length: Math.ceil(blocks.length / groupSize) }, (_, group) => {
    const own = blocks.slice(group * groupSize, (group + 1) * groupSize);
    return codesOf(own, shape, grid);
  });
  return { ...grid, groupSize, groups };
}

interface Steps {
  readonly zero: number;
  readonly step: number;
}

/** The finest grid whose code is small enough, measured on some of the heads. */
function chooseGrid(
  blocks: readonly HeadBlock[],
  shape: Triangle,
  { extent, bytes }: { readonly extent: Extent; readonly bytes: number },
): Steps {
  const count = blocks.length * headSize(shape);
  const every = Math.max(1, Math.floor(count / sampleCount));
  const sample = blocks.filter((_, head) => head % every === 0);
  const share = sample.length / blocks.length;
  const fits = (grid: Steps): boolean => codesOf(sample, shape, grid).length <= bytes * share;
  // Sizes grow with the number of steps, so the largest that fits is found by halving.
  let [fine, coarse] = [0, stepCounts.length - 1];
  while (fine < coarse) {
    const middle = Math.floor((fine + coarse) / 2);
    if (fits(gridOf(extent, stepCounts[middle] ?? 1))) coarse = middle;
    else fine = middle + 1;
  }
  return gridOf(extent, stepCounts[coarse] ?? 1);
}

function worth(count: number): number {
  return Math.min(mostBytes, Math.max(leastBytes, bytesPerWeight * count));
}

/** Equal steps over the extent widened to 0, such that 0 is one of them. */
function gridOf(extent: Extent, steps: number): Steps {
  const [min, max] = [Math.min(0, extent.min), Math.max(0, extent.max)];
  const step = (max - min) / (min < 0 ? steps - 1 : steps) || 1;
  return { zero: Math.ceil(Math.abs(min) / step), step };
}

function codesOf(blocks: readonly HeadBlock[], shape: Triangle, { zero, step }: Steps): string {
  const size = headSize(shape);
  const codes = new Uint8Array(blocks.length * size);
  blocks.forEach((block, head) => {
    flatten(block, shape).forEach((weight, i) => {
      codes[head * size + i] = Number.isNaN(weight) ? missingCode : Math.round(weight / step) + zero;
    });
  });
  return encodeBase64(codes, { ...shape, heads: blocks.length }, zero);
}

/** Groups that were read before: views ask for heads one by one. */
const known = new WeakMap<WeightCodes, Map<number, Uint8Array>>();

/** Returns the weights of one of `heads` heads, NaN where `query` may not look. */
export function decodeHead(weights: WeightCodes | WeightNumbers, shape: CodedHeads, head: number): HeadBlock {
  const starts = Float64Array.from({ length: shape.queries }, (_, query) => rowStart(shape, query));
  const read = "groups" in weights ? codeReader(weights, shape, head) : numberReader(weights, head);
  return {
    at: (query, key) => (key < visibleKeys(shape, query) ? read((starts[query] ?? 0) + key) : Number.NaN),
  };
}

function numberReader(weights: WeightNumbers, head: number): (index: number) => number {
  const row = weights[head] ?? [];
  return (index) => decodeCell(row[index] ?? "NaN");
}

function codeReader(weights: WeightCodes, shape: CodedHeads, head: number): (index: number) => number {
  const { zero, step, groupSize } = weights;
  const group = Math.floor(head / groupSize);
  const groups = known.get(weights) ?? new Map<number, Uint8Array>();
  const codes = groups.get(group) ?? readGroup(weights, shape, group);
  groups.set(group, codes);
  known.set(weights, groups);
  const start = (head % groupSize) * headSize(shape);
  return (index) => {
    const code = codes[start + index] ?? missingCode;
    return code === missingCode ? Number.NaN : (code - zero) * step;
  };
}

function readGroup({ groups, groupSize, zero }: WeightCodes, shape: CodedHeads, group: number): Uint8Array {
  const heads = Math.min(groupSize, shape.heads - group * groupSize);
  return decodeBase64(groups[group] ?? "", { ...shape, heads }, zero);
}

/** Returns the codes in `text`. */
export function decodeBase64(text: string, shape: CodedHeads, zero: number): Uint8Array {
  const bytes = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
  return decodeCodes(bytes, { ...shape, zero }, shape.heads * headSize(shape));
}

/** Returns `codes` compressed, as text. */
export function encodeBase64(codes: Uint8Array, shape: CodedHeads, zero: number): string {
  const bytes = encodeCodes(codes, { ...shape, zero });
  let text = "";
  for (let i = 0; i < bytes.length; i += 8192) text += String.fromCharCode(...bytes.subarray(i, i + 8192));
  return btoa(text);
}

/** Returns to what weights were rounded in the spec itself; 0 when they were not. */
export function roundingOf(weights: WeightCodes | WeightNumbers): number {
  return "groups" in weights ? weights.step : 0;
}
