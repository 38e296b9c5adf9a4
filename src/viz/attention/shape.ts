/** How the weights of heads are arranged: query by query, each with the keys that it may look at. */

/** How the weights of each head are arranged. */
export interface Triangle {
  readonly queries: number;
  readonly keys: number;
  readonly isCausal: boolean;
}

/** Heads of one shape. */
export interface CodedHeads extends Triangle {
  readonly heads: number;
}

/** Returns how many keys `query` may look at, starting with the first. */
export function visibleKeys({ queries, keys, isCausal }: Triangle, query: number): number {
  return isCausal ? query + 1 + keys - queries : keys;
}

/** Returns where the weights of `query` begin in the row of a head. */
export function rowStart({ queries, keys, isCausal }: Triangle, query: number): number {
  return isCausal ? query * (keys - queries) + (query * (query + 1)) / 2 : query * keys;
}

/** Returns how many weights a head has. */
export function headSize(shape: Triangle): number {
  return rowStart(shape, shape.queries);
}
