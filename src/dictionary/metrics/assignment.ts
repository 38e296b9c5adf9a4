/**
 * The assignment problem: which row goes with which column so that the sum is largest.
 *
 * Shortest augmenting paths with potentials, O(n² m) for n rows and m ≥ n columns (Jonker and Volgenant 1987; the short form
 * of e-maxx): for each row, a Dijkstra search over columns finds the cheapest way to make room for it.
 */

/**
 * Returns the column of each row in an assignment with the largest sum of scores, each column used once.
 *
 * @param score - Of a row and a column; there must be at least as many columns as rows.
 */
export function bestAssignment(
  rows: number,
  columns: number,
  score: (row: number, column: number) => number,
): Int32Array {
  const state: Potentials = {
    row: new Float64Array(rows + 1),
    column: new Float64Array(columns + 1),
    // Row of each column, counted from 1; 0 is nobody.
    owner: new Int32Array(columns + 1),
  };
  for (let row = 1; row <= rows; row++) insertRow(state, row, (r, c) => -score(r - 1, c - 1));
  const found = new Int32Array(rows);
  state.owner.forEach((row, column) => {
    if (row > 0 && column > 0) found[row - 1] = column - 1;
  });
  return found;
}

interface Potentials {
  readonly row: Float64Array;
  readonly column: Float64Array;
  readonly owner: Int32Array;
}

/** The state of one search for an augmenting path. */
interface Search {
  readonly slack: Float64Array;
  readonly previous: Int32Array;
  readonly used: Uint8Array;
}

function insertRow(state: Potentials, row: number, cost: (row: number, column: number) => number): void {
  const size = state.owner.length;
  const search: Search = {
    slack: new Float64Array(size).fill(Number.POSITIVE_INFINITY),
    previous: new Int32Array(size),
    used: new Uint8Array(size),
  };
  state.owner[0] = row;
  let column = 0;
  while ((state.owner[column] as number) !== 0) column = nextColumn(state, search, { column, cost });
  while (column !== 0) {
    const before = search.previous[column] as number;
    state.owner[column] = state.owner[before] as number;
    column = before;
  }
}

/** Relaxes the columns reachable from one, moves the potentials, and returns the nearest column. */
function nextColumn(
  { row, column: potential, owner }: Potentials,
  { slack, previous, used }: Search,
  at: { readonly column: number; readonly cost: (row: number, column: number) => number },
): number {
  used[at.column] = 1;
  const own = owner[at.column] as number;
  let [delta, nearest] = [Number.POSITIVE_INFINITY, 0];
  for (let j = 1; j < owner.length; j++) {
    if (used[j] === 1) continue;
    const reduced = at.cost(own, j) - (row[own] as number) - (potential[j] as number);
    if (reduced < (slack[j] as number)) {
      slack[j] = reduced;
      previous[j] = at.column;
    }
    if ((slack[j] as number) < delta) [delta, nearest] = [slack[j] as number, j];
  }
  for (let j = 0; j < owner.length; j++) {
    if (used[j] === 1) {
      const row0 = owner[j] as number;
      row[row0] = (row[row0] as number) + delta;
      potential[j] = (potential[j] as number) - delta;
    } else slack[j] = (slack[j] as number) - delta;
  }
  return nearest;
}
