/** Attention by its definition, one number at a time. */

/** Sizes of one attention problem; `heads` is a multiple of `groups`. */
export interface AttentionSizes {
  readonly batch: number;
  readonly heads: number;
  readonly groups: number;
  readonly positions: number;
  readonly past: number;
  readonly keyWidth: number;
  readonly valueWidth: number;
}

/** Data in `[batch, head, pos, width]` order; `added[i][j]` goes on the scores, -infinity hides. */
export interface AttentionProblem {
  readonly sizes: AttentionSizes;
  readonly q: readonly number[];
  readonly k: readonly number[];
  readonly v: readonly number[];
  readonly scale: number;
  readonly softcap: number | undefined;
  readonly isCausal: boolean;
  readonly added: readonly (readonly number[])[];
}

/** Scores, capped scores, masked scores and pattern (`modes[0..3]`), and the output. */
export interface AttentionAnswer {
  readonly modes: readonly number[][];
  readonly output: number[];
}

function at(data: readonly number[] | undefined, index: number): number {
  const value = data?.[index];
  if (value === undefined) throw new RangeError(`no element ${index}`);
  return value;
}

function vector(data: readonly number[], row: number, width: number): readonly number[] {
  return data.slice(row * width, (row + 1) * width);
}

function dot(a: readonly number[], b: readonly number[]): number {
  return a.reduce((sum, value, index) => sum + value * at(b, index), 0);
}

function softmax(row: readonly number[]): number[] {
  const top = Math.max(...row);
  if (top === -Infinity) return row.map(() => 0);
  const weights = row.map((score) => Math.exp(score - top));
  const sum = weights.reduce((total, weight) => total + weight, 0);
  return weights.map((weight) => weight / sum);
}

/** One query's scores in the three stages before the softmax. */
function scoresOf(problem: AttentionProblem, query: readonly number[], group: number, i: number): number[][] {
  const { sizes, k, scale, softcap, isCausal, added } = problem;
  const total = sizes.past + sizes.positions;
  const raw = Array.from({ length: total }, (_, j) => dot(query, vector(k, group * total + j, sizes.keyWidth)) * scale);
  const capped = raw.map((score) => (softcap === undefined ? score : softcap * Math.tanh(score / softcap)));
  const hidden = (j: number): boolean => isCausal && j > i + sizes.past;
  return [raw, capped, capped.map((score, j) => (hidden(j) ? -Infinity : score + at(added[i], j)))];
}

/** Solves an attention problem by brute force. */
export function attentionOracle(problem: AttentionProblem): AttentionAnswer {
  const { batch, heads, groups, positions, past, keyWidth, valueWidth } = problem.sizes;
  const total = past + positions;
  const modes: number[][] = [[], [], [], []];
  const output: number[] = [];
  for (let row = 0; row < batch * heads * positions; row++) {
    const [i, head, b] = [row % positions, Math.floor(row / positions) % heads, Math.floor(row / positions / heads)];
    const group = b * groups + Math.floor((head * groups) / heads);
    const stages = scoresOf(problem, vector(problem.q, row, keyWidth), group, i);
    const pattern = softmax(stages[2] ?? []);
    for (const [mode, values] of [...stages, pattern].entries()) modes[mode]?.push(...values);
    for (let c = 0; c < valueWidth; c++) {
      output.push(
        dot(
          pattern,
          Array.from({ length: total }, (_, j) => at(problem.v, (group * total + j) * valueWidth + c)),
        ),
      );
    }
  }
  return { modes, output };
}
