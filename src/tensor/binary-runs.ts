/** The loops of binary operations over one run of elements. */
import type { NumericArray } from "./dtype.js";

/** One run: `out[at + k] = op(x[i + k * di], y[j + k * dj])` for k below `length`; reused from run to run. */
export interface BinaryRun {
  readonly out: NumericArray;
  readonly x: NumericArray;
  readonly y: NumericArray;
  at: number;
  i: number;
  j: number;
  di: number;
  dj: number;
  length: number;
}

/** Fills one run. */
export type BinaryLoop = (run: BinaryRun) => void;

/** Arithmetic has loops of its own: a call of `apply` for each element takes three times as long. */
export const arithmeticLoops: Readonly<Record<string, BinaryLoop>> = {
  add({ out, x, y, at, i, j, di, dj, length }: BinaryRun): void {
    for (let k = 0; k < length; k++) out[at + k] = (x[i + k * di] as number) + (y[j + k * dj] as number);
  },
  sub({ out, x, y, at, i, j, di, dj, length }: BinaryRun): void {
    for (let k = 0; k < length; k++) out[at + k] = (x[i + k * di] as number) - (y[j + k * dj] as number);
  },
  mul({ out, x, y, at, i, j, di, dj, length }: BinaryRun): void {
    for (let k = 0; k < length; k++) out[at + k] = (x[i + k * di] as number) * (y[j + k * dj] as number);
  },
  div({ out, x, y, at, i, j, di, dj, length }: BinaryRun): void {
    for (let k = 0; k < length; k++) out[at + k] = (x[i + k * di] as number) / (y[j + k * dj] as number);
  },
};

/** Returns the loop of any other function. */
export function loopOf(apply: (x: number, y: number) => number): BinaryLoop {
  return ({ out, x, y, at, i, j, di, dj, length }) => {
    for (let k = 0; k < length; k++) out[at + k] = apply(x[i + k * di] as number, y[j + k * dj] as number);
  };
}
