/** The small heads in few levels: each cell shows the largest weight of a square of them. */
import type { ColorScale } from "../spec.js";
import { layOutThumbs, type ThumbField } from "./layout.js";
import type { HeadBlock } from "./read.js";
import { type CodedHeads, type Triangle, visibleKeys } from "./shape.js";
import { type AttentionFrame, type AttentionSpec, shapeOf } from "./spec.js";
import { decodeBase64, decodeHead, encodeBase64 } from "./weights.js";

/** Cells have levels from 0 to this one: few colours keep the picture small. */
export const thumbLevels = 10;
/** Cells where no query may look. */
export const hiddenLevel = 40;
/** Cells of NaN. */
export const missingLevel = 255;

/** What small heads are made from: the field, the shape of the weights and their colours. */
interface ThumbInput {
  readonly thumbs: ThumbField;
  readonly shape: Triangle;
  readonly color: ColorScale;
}

/** Returns the levels of all cells, head by head. */
function levelsOf(heads: readonly (() => HeadBlock)[], { thumbs, shape, color }: ThumbInput): Uint8Array {
  const { across, down, block } = thumbs;
  const levels = new Uint8Array(heads.length * across * down);
  heads.forEach((read, head) => {
    const weights = read();
    for (let y = 0; y < down; y++) {
      for (let x = 0; x < across; x++) {
        const weight = largestIn(weights, shape, { x: x * block, y: y * block, side: block });
        levels[(head * down + y) * across + x] = levelOf(weight, color);
      }
    }
  });
  return levels;
}

function levelOf(weight: number | undefined, { min, max }: ColorScale): number {
  if (weight === undefined) return hiddenLevel;
  if (Number.isNaN(weight)) return missingLevel;
  const position = max > min ? (weight - min) / (max - min) : 0;
  return Math.round(Math.min(1, Math.max(0, position)) * thumbLevels);
}

/** Returns the small heads as text, from the exact weights. */
export function writeThumbs(
  blocks: readonly HeadBlock[],
  frame: AttentionFrame,
  input: Omit<ThumbInput, "thumbs">,
): string {
  const thumbs = layOutThumbs(frame);
  const levels = levelsOf(
    blocks.map((block) => () => block),
    { ...input, thumbs },
  );
  return encodeBase64(levels, codedShape(thumbs, blocks.length), zeroLevel(input.color));
}

/** Returns the levels of the small heads: those that the spec has, else from its weights. */
export function readThumbs(spec: AttentionSpec, thumbs: ThumbField): Uint8Array {
  const shape = shapeOf(spec);
  if (spec.small !== undefined) {
    return decodeBase64(spec.small, codedShape(thumbs, shape.heads), zeroLevel(spec.color));
  }
  const heads = Array.from({ length: shape.heads }, (_, head) => () => decodeHead(spec.weights, shape, head));
  return levelsOf(heads, { thumbs, shape, color: spec.color });
}

function codedShape({ across, down }: ThumbField, heads: number): CodedHeads {
  return { heads, queries: down, keys: across, isCausal: false };
}

function zeroLevel({ kind }: ColorScale): number {
  return kind === "diverging" ? thumbLevels / 2 : 0;
}

/** Returns the weight of the largest size in a square of a head, so that lines one token wide stay visible. */
export function largestIn(
  weights: HeadBlock,
  shape: Triangle,
  { x, y, side }: { readonly x: number; readonly y: number; readonly side: number },
): number | undefined {
  let largest: number | undefined;
  const lastQuery = Math.min(y + side, shape.queries);
  for (let query = y; query < lastQuery; query++) {
    const lastKey = Math.min(x + side, visibleKeys(shape, query));
    for (let key = x; key < lastKey; key++) {
      const weight = weights.at(query, key);
      if (largest === undefined || Number.isNaN(largest) || Math.abs(weight) > Math.abs(largest)) largest = weight;
    }
  }
  return largest;
}
