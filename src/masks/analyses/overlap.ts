/** Whether two masks keep the same weights more than chance would. */
import { InputError, type LongCallOptions, printsItself, progressOf, throwIfAborted } from "../../core/index.js";
import { hasBit } from "../mask/bits.js";
import { type RandomMaskOptions, weightMask } from "../mask/make.js";
import type { WeightMask } from "../mask/weight-mask.js";

/** Options of {@link maskOverlap}. */
export interface OverlapOptions extends LongCallOptions {
  /** Shuffles of the first mask. Default 100; the paper takes 10,000. */
  readonly shuffles?: number;
  /** Where weights are shuffled. Default `"row"`: inside each row, as the paper's code does. */
  readonly within?: RandomMaskOptions["within"];
  readonly seed?: number;
}

/** What two masks share. Immutable. */
export class MaskOverlap {
  static {
    printsItself(this.prototype);
  }

  /** Weights that both keep. */
  readonly shared: number;
  /** Share of the first mask that lies in the second. */
  readonly contained: number;
  /** Shared weights over what shuffles share on average, in closed form: 1 is chance, also where nothing could be shared. */
  readonly ratio: number;
  /** Share of shuffles that share at least as many; at least 1 over one more than the shuffles. */
  readonly p: number;
  readonly shuffles: number;

  /** @internal Use `maskOverlap`. */
  constructor(parts: Readonly<Omit<MaskOverlap, "toString">>) {
    this.shared = parts.shared;
    this.contained = parts.contained;
    this.ratio = parts.ratio;
    this.p = parts.p;
    this.shuffles = parts.shuffles;
  }

  /** One line. */
  toString(): string {
    return `MaskOverlap: ${this.shared} weights in both, ${(100 * this.contained).toFixed(1)} % of the first; ${this.ratio.toFixed(2)} times chance, p ${this.p.toPrecision(2)} over ${this.shuffles} shuffles`;
  }
}

/**
 * Counts what two masks share, against shuffles of the first inside its rows or matrices.
 *
 * @throws InputError for masks of two models, an empty one, and no shuffle.
 */
export function maskOverlap(first: WeightMask, second: WeightMask, options: OverlapOptions = {}): MaskOverlap {
  const { shuffles = 100, within = "row", seed = 0, signal } = options;
  checkInput(first, shuffles);
  const report = progressOf(options);
  const shared = first.intersection(second).count;
  let atLeast = 0;
  for (let i = 0; i < shuffles; i++) {
    throwIfAborted(signal, "maskOverlap");
    report?.({ done: i, total: shuffles, label: "shuffles of a mask" });
    const drawn = weightMask.random(first, { within, seed: seed + i }).intersection(second).count;
    if (drawn >= shared) atLeast++;
  }
  report?.({ done: shuffles, total: shuffles, label: "shuffles of a mask" });
  const chance = expectedShared(first, second, within);
  const ratio = chance === 0 ? 1 : shared / chance;
  return new MaskOverlap({
    shared,
    contained: shared / first.count,
    ratio,
    p: (atLeast + 1) / (shuffles + 1),
    shuffles,
  });
}

/** Weights that shuffles share on average: in each stretch, the product of both counts over its length. */
function expectedShared(first: WeightMask, second: WeightMask, within: RandomMaskOptions["within"]): number {
  let sum = 0;
  for (const { name, shape } of first.shapes) {
    const [a = new Uint8Array(0), b = new Uint8Array(0)] = [first.matrices.get(name), second.matrices.get(name)];
    const size = shape.reduce((product, one) => product * one, 1);
    const length = within === "row" ? (shape.at(-1) ?? size) : size;
    for (let from = 0; from < size; from += length) {
      let [own, theirs] = [0, 0];
      for (let i = from; i < from + length; i++) {
        if (hasBit(a, i)) own++;
        if (hasBit(b, i)) theirs++;
      }
      sum += (own * theirs) / length;
    }
  }
  return sum;
}

function checkInput(first: WeightMask, shuffles: number): void {
  if (!Number.isInteger(shuffles) || shuffles < 1)
    throw wrong("shuffles", String(shuffles), "a whole number of 1 or more");
  if (first.count === 0) throw wrong("first", "an empty mask", "a mask that keeps something");
}

function wrong(what: string, got: string, expected: string): InputError {
  return new InputError({
    where: `maskOverlap: ${what}`,
    got,
    expected,
    fix: "Check the masks and the number of shuffles.",
  });
}
