/** Compares the weights of a checkpoint with those that an architecture expects. */
import { CheckpointError, formatShape } from "../../core/index.js";

/** What an architecture expects of a checkpoint. */
export interface ExpectedWeights {
  /** Shape by name of every weight that must be there. */
  readonly expected: ReadonlyMap<string, readonly number[]>;
  /** Shape by name of weights that may be absent (biases that count as zero). */
  readonly optional?: ReadonlyMap<string, readonly number[]>;
  /** Names that carry nothing (masks, inverse frequencies), whatever their shape. */
  readonly ignored?: readonly RegExp[];
}

interface Shaped {
  readonly shape: readonly number[];
}

/**
 * Checks names and shapes of all weights.
 *
 * @throws CheckpointError that lists every missing, surplus and misshapen weight at once.
 */
export function checkWeightNames(
  wanted: ExpectedWeights,
  tensors: ReadonlyMap<string, Shaped>,
  where = "checkpoint",
): void {
  const missing = [...wanted.expected].filter(([name]) => !tensors.has(name));
  const surplus = [...tensors].filter(([name]) => !isKnown(wanted, name));
  const misshapen = [...tensors].flatMap(([name, { shape }]) => {
    const right = wanted.expected.get(name) ?? wanted.optional?.get(name);
    return right === undefined || sameShape(right, shape) ? [] : [{ name, shape, right }];
  });
  if (missing.length + surplus.length + misshapen.length === 0) return;
  const parts = [
    ...section(
      "missing",
      missing.map(([name, shape]) => `${name} ${formatShape(shape)}`),
    ),
    ...section(
      "surplus",
      surplus.map(([name, { shape }]) => `${name} ${formatShape(shape)}`),
    ),
    ...section(
      "misshapen",
      misshapen.map(({ name, shape, right }) => `${name} ${formatShape(shape)} instead of ${formatShape(right)}`),
    ),
  ];
  throw new CheckpointError({
    where,
    got: parts.join("; "),
    expected: `the ${wanted.expected.size} weights that config.json implies`,
    fix: "Check that config.json and the weights belong together and that the architecture is the right one.",
  });
}

function isKnown({ expected, optional, ignored }: ExpectedWeights, name: string): boolean {
  return (
    expected.has(name) || optional?.has(name) === true || (ignored ?? []).some((pattern) => matches(pattern, name))
  );
}

/** Sticky and global patterns keep a place; a search from the start does not. */
function matches(pattern: RegExp, name: string): boolean {
  return name.search(pattern) >= 0;
}

function section(title: string, lines: readonly string[]): readonly string[] {
  return lines.length === 0 ? [] : [`${lines.length} ${title} (${lines.join(", ")})`];
}

function sameShape(a: readonly number[], b: readonly number[]): boolean {
  return a.length === b.length && a.every((size, axis) => size === b[axis]);
}
