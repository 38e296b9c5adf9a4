/** Bins of histograms: edges that were given, or round ones chosen by a rule. */
import { bisectRight, thresholdFreedmanDiaconis, thresholdSturges, tickIncrement } from "d3-array";
import { InputError } from "../core/index.js";
import { checkLength, nothingToDraw } from "./checks.js";
import { finiteExtent, formatNumber } from "./numbers.js";
import { farthest, widen } from "./plane.js";

/** No rule makes more bins than this. */
const mostBins = 200;
/** No caller may ask for more. */
const mostAsked = 10_000;

/** The rule of bins that nobody chose here. */
export const givenBins = "bins as given";

/** Up to this reach each whole number has a bin of its own. */
const singleReach = 50;

/** Counts that were made before. */
export interface BinnedCounts {
  /** One for each bin. */
  readonly counts: ArrayLike<number>;
  /** Ascending; one more than counts. */
  readonly edges: ArrayLike<number>;
}

/** How raw values are put into bins. */
export interface BinOptions {
  /** About how many bins, or their edges. */
  readonly bins?: ArrayLike<number> | number;
  /** Bins cover this range only. */
  readonly range?: readonly [number, number];
}

/** Edges, ascending, and in words how they were chosen. */
export interface Bins {
  readonly edges: readonly number[];
  readonly rule: string;
}

/** Tells counts from raw values. */
export function isBinned(data: object): data is BinnedCounts {
  if (!("counts" in data && "edges" in data)) return false;
  return typeof data.counts === "object" && typeof data.edges === "object" && Object.keys(data).length === 2;
}

/** Returns the bins of all series together: those given with counts, those asked for, or round ones by a rule. */
export function chooseBins(
  where: string,
  data: readonly (ArrayLike<number> | BinnedCounts)[],
  { bins, range }: BinOptions,
): Bins {
  const counted = data.filter(isBinned);
  const [first] = counted;
  if (first !== undefined) {
    const edges = checkedEdges(`${where}: edges`, first.edges);
    for (const other of counted) checkSame(`${where}: edges`, edges, other.edges);
    return { edges, rule: givenBins };
  }
  if (bins !== undefined && typeof bins !== "number") {
    return { edges: checkedEdges(`${where}: bins`, bins), rule: givenBins };
  }
  if (bins !== undefined) checkCount(`${where}: bins`, bins);
  const values = data.flatMap((list) => (isBinned(list) ? [] : Array.from(list)));
  if (values.length === 0) throw nothingToDraw(where);
  const [low, high] = range ?? [-farthest, farthest];
  const inside = values.filter((value) => value >= low && value <= high);
  return roundBins(inside, bins, range);
}

function checkCount(where: string, bins: number): void {
  if (Number.isInteger(bins) && bins > 0 && bins <= mostAsked) return;
  const fix = "Leave bins out to let a rule choose.";
  throw new InputError({ where, got: String(bins), expected: `a whole number from 1 to ${mostAsked}`, fix });
}

function checkedEdges(where: string, list: ArrayLike<number>): readonly number[] {
  const edges = Array.from(list);
  const wrong = edges.findIndex((edge, i) => !Number.isFinite(edge) || (i > 0 && !(edge > (edges[i - 1] ?? edge))));
  if (edges.length >= 2 && wrong < 0) return edges;
  throw new InputError({
    where,
    got: wrong < 0 ? `${edges.length} edges` : `${String(edges[wrong])} at ${wrong}`,
    expected: "two or more finite edges in ascending order",
    fix: "Give the left edge of every bin and the right edge of the last.",
  });
}

function checkSame(where: string, edges: readonly number[], others: ArrayLike<number>): void {
  checkLength(where, others.length, edges.length);
  const wrong = edges.findIndex((edge, i) => edge !== others[i]);
  if (wrong < 0) return;
  throw new InputError({
    where,
    got: `${String(others[wrong])} at ${wrong}`,
    expected: `${String(edges[wrong])}, as in the first series`,
    fix: "Count all series over the same bins.",
  });
}

/** Bins whose width is 1, 2 or 5 times a power of ten; whole numbers stand in their middle. */
function roundBins(
  values: readonly number[],
  asked: number | undefined,
  range: readonly [number, number] | undefined,
): Bins {
  if (range === undefined && values.length > 0 && values.every(Number.isSafeInteger)) return wholeBins(values, asked);
  const { min: least, max: most } = finiteExtent(values) ?? { min: 0, max: 1 };
  const [min, max] = range ?? widen([least, most]);
  const step = tickIncrement(min, max, asked ?? ruleCount(values, [min, max]));
  return { edges: steppedEdges([min, max], step), rule: ruleText(step > 0 ? step : -1 / step, asked === undefined) };
}

function wholeBins(values: readonly number[], asked: number | undefined): Bins {
  const { min, max } = finiteExtent(values) ?? { min: 0, max: 0 };
  if (asked === undefined && max - min < singleReach) return { edges: wholeEdges([min, max], 1), rule: ruleText(1) };
  const step = Math.max(1, tickIncrement(min, max + 1, asked ?? ruleCount(values, [min, max])));
  return { edges: wholeEdges([min, max], step), rule: ruleText(step, asked === undefined) };
}

function ruleText(width: number, isByRule = false): string {
  return `width ${formatNumber(width)}${isByRule ? ", by the rules of Freedman–Diaconis and Sturges" : ""}`;
}

/** The rules of Freedman and Diaconis (1981), which looks at the spread, and of Sturges (1926), for small samples. */
function ruleCount(values: readonly number[], [min, max]: readonly [number, number]): number {
  const counts = [thresholdFreedmanDiaconis(values, min, max), thresholdSturges(values)];
  return Math.min(mostBins, Math.max(1, ...counts.filter(Number.isFinite)));
}

/** Edges at multiples of a step; a negative step stands for its reciprocal, which keeps decimals exact. */
function steppedEdges([min, max]: readonly [number, number], step: number): readonly number[] {
  const at = (k: number): number => (step > 0 ? k * step : k / -step);
  const [first, last] = step > 0 ? [min / step, max / step] : [min * -step, max * -step];
  let [from, to] = [Math.floor(first), Math.ceil(last)];
  if (at(from) > min) from -= 1;
  if (at(to) < max) to += 1;
  const edges = Array.from({ length: Math.max(1, to - from) + 1 }, (_, i) => at(from + i));
  // Between numbers that differ in their last digits only there are no round ones.
  return edges.every((edge, i) => i === 0 || edge > (edges[i - 1] ?? edge)) ? edges : [min, max];
}

function wholeEdges([min, max]: readonly [number, number], step: number): readonly number[] {
  const count = Math.max(1, Math.ceil((max - min + 1) / step));
  return Array.from({ length: count + 1 }, (_, i) => min - 0.5 + i * step);
}

/** How many values each bin holds, and how many none. */
export interface Tally {
  readonly counts: readonly number[];
  readonly below: number;
  readonly above: number;
  readonly missing: number;
}

/** Returns how many values each bin holds: its left edge is inside, the right one only in the last bin. */
export function tally(values: ArrayLike<number>, edges: readonly number[]): Tally {
  const counts = Array.from({ length: edges.length - 1 }, () => 0);
  const [first = 0, last = 0] = [edges[0], edges.at(-1)];
  let [below, above, missing] = [0, 0, 0];
  for (const value of Array.from(values)) {
    if (!Number.isFinite(value)) missing += 1;
    else if (value < first) below += 1;
    else if (value > last) above += 1;
    else {
      const bin = Math.min(bisectRight(edges, value) - 1, counts.length - 1);
      counts[bin] = (counts[bin] ?? 0) + 1;
    }
  }
  return { counts, below, above, missing };
}
