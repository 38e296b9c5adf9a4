/** One loop for all views: walks several operands of one shape together, run by run. */

/** What a walk needs of an operand. */
export interface Walked {
  readonly strides: readonly number[];
  readonly offset: number;
}

/**
 * Receives one run: `length` elements, the k-th of operand `o` at `starts[o] + k * strides[o]`.
 *
 * The arrays are reused between calls.
 */
export type Visit = (starts: readonly number[], length: number, strides: readonly number[]) => void;

/**
 * Walks all elements of `shape` in row-major order.
 *
 * Neighbouring axes that all operands traverse without a jump are merged first, so contiguous operands take one run.
 * An empty shape `[]` is one run of one element; a size of 0 is no run at all.
 */
export function walk(shape: readonly number[], operands: readonly Walked[], visit: Visit): void {
  if (shape.includes(0)) return;
  const merged = mergeAxes(shape, operands);
  const rank = merged.shape.length;
  const length = merged.shape[rank - 1] ?? 1;
  const runStrides = merged.strides.map((strides) => strides[rank - 1] ?? 0);
  const starts = operands.map((operand) => operand.offset);
  const index = new Array<number>(Math.max(0, rank - 1)).fill(0);
  do visit(starts, length, runStrides);
  while (advance(index, starts, merged));
}

interface Merged {
  readonly shape: number[];
  /** Per operand, one stride per merged axis. */
  readonly strides: number[][];
}

/** Drops axes of size 1 and merges each axis into its outer neighbour where every operand allows it. */
function mergeAxes(shape: readonly number[], operands: readonly Walked[]): Merged {
  const merged: Merged = { shape: [], strides: operands.map(() => []) };
  shape.forEach((size, axis) => {
    if (size === 1) return;
    const last = merged.shape.length - 1;
    const fits = (operand: Walked, o: number): boolean =>
      merged.strides[o]?.[last] === (operand.strides[axis] ?? 0) * size;
    if (last >= 0 && operands.every(fits)) {
      merged.shape[last] = (merged.shape[last] ?? 1) * size;
      operands.forEach((operand, o) => {
        const strides = merged.strides[o];
        if (strides !== undefined) strides[last] = operand.strides[axis] ?? 0;
      });
      return;
    }
    merged.shape.push(size);
    operands.forEach((operand, o) => {
      merged.strides[o]?.push(operand.strides[axis] ?? 0);
    });
  });
  return merged;
}

/** Moves `starts` to the next run; false when there is none. */
function advance(index: number[], starts: number[], merged: Merged): boolean {
  for (let axis = index.length - 1; axis >= 0; axis--) {
    const next = (index[axis] as number) + 1;
    const size = merged.shape[axis] as number;
    const wraps = next === size;
    index[axis] = wraps ? 0 : next;
    for (let o = 0; o < starts.length; o++) {
      const stride = (merged.strides[o] as number[])[axis] as number;
      starts[o] = (starts[o] as number) + (wraps ? -stride * (size - 1) : stride);
    }
    if (!wraps) return true;
  }
  return false;
}
