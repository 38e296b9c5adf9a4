/** Checks of optimiser options: a wrong one is named before anything runs. */
import { InputError } from "../../core/index.js";

/** A range of numbers; `most` is left out of it where `isOpen`. */
interface Range {
  readonly least: number;
  readonly most?: number;
  readonly isOpen?: boolean;
}

function inRange(value: number, { least, most = Infinity, isOpen = false }: Range): boolean {
  return value >= least && (isOpen || most === Infinity ? value < most : value <= most);
}

function describeRange({ least, most, isOpen = false }: Range): string {
  if (most === undefined) return `a number of ${least} or more`;
  return `a number from ${least} to ${isOpen ? "below " : ""}${most}`;
}

/** Throws an InputError unless every named number lies in its range. */
export function checkNumbers(where: string, values: Readonly<Record<string, readonly [number, Range]>>): void {
  for (const [name, [value, range]] of Object.entries(values)) {
    if (typeof value === "number" && inRange(value, range)) continue;
    throw new InputError({
      where: `${where}: ${name}`,
      got: String(value),
      expected: describeRange(range),
      fix: "Leave it out for the default.",
    });
  }
}

/** The range of learning rates, decays and epsilons. */
export const nonNegative: Range = { least: 0 };

/** The range of averaging coefficients. */
export const fraction: Range = { least: 0, most: 1, isOpen: true };
