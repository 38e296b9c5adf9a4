/** Heads: what they look at. */
import { copyingScores } from "../factored/copying.js";
import { detect } from "./detect.js";
import { ngramPattern } from "./patterns.js";

/** Head detectors. */
export interface Heads {
  /** See {@link detect}. */
  readonly detect: typeof detect;
  /** See {@link ngramPattern}. */
  readonly ngram: typeof ngramPattern;
  /** See {@link copyingScores}. */
  readonly copyingScores: typeof copyingScores;
}

/** What heads look at, and whether they copy it. */
export const heads: Heads = { detect, ngram: ngramPattern, copyingScores };

export type { DetectOptions } from "./detect.js";
export type { HeadPattern, HeadPatternName } from "./patterns.js";
export { type HeadProvenance, type HeadScore, HeadScores, type PatternScores } from "./result.js";
