/** How much of the attention of every head lies on the keys of a pattern. */
import { InputError } from "../../core/index.js";
import type { HeadPattern } from "./patterns.js";

/** Attention of one layer: `[batch, head, query, key]`. */
export interface AttentionBlock {
  readonly data: ArrayLike<number>;
  readonly batch: number;
  readonly heads: number;
  readonly queries: number;
}

/** Sums over queries, by head. */
export class MassMeter {
  readonly mass: Float64Array;
  readonly excess: Float64Array;
  /** Queries that had keys. */
  queries = 0;

  constructor(heads: number) {
    this.mass = new Float64Array(heads);
    this.excess = new Float64Array(heads);
  }

  /**
   * Adds one prompt. The excess is what the head puts on the keys beyond what equal attention to all visible keys would.
   *
   * @param row - Which row of the block; `from` the first head of this meter that the block's head 0 is.
   */
  add(block: AttentionBlock, row: number, from: number, keysOf: readonly (readonly number[])[]): void {
    const { data, heads, queries } = block;
    keysOf.forEach((keys, query) => {
      if (keys.length === 0) return;
      const even = keys.length / (query + 1);
      for (let head = 0; head < heads; head++) {
        const start = ((row * heads + head) * queries + query) * queries;
        let mass = 0;
        for (const key of keys) mass += data[start + key] ?? 0;
        this.mass[from + head] = (this.mass[from + head] ?? 0) + mass;
        this.excess[from + head] = (this.excess[from + head] ?? 0) + mass - even;
      }
    });
  }

  /** Counts the queries of a prompt once, however many layers are added. */
  count(keysOf: readonly (readonly number[])[]): void {
    this.queries += keysOf.filter((keys) => keys.length > 0).length;
  }
}

/** Returns the keys of a pattern for a prompt, checked. */
export function keysFor(name: string, pattern: HeadPattern, tokens: ArrayLike<number>): readonly (readonly number[])[] {
  const keys = pattern(tokens);
  const bad = keys.findIndex((some, query) => some.some((key) => !Number.isSafeInteger(key) || key < 0 || key > query));
  if (keys.length === tokens.length && bad < 0) return keys;
  throw new InputError({
    where: `heads.detect: pattern "${name}"`,
    got: bad < 0 ? `keys for ${keys.length} queries` : `keys ${JSON.stringify(keys[bad])} at query ${bad}`,
    expected: `${tokens.length} lists of keys, each from 0 to its query`,
    fix: "Return one list for each token; an empty one leaves the query out.",
  });
}

/** Entropy and distance of every head, summed over queries that see more than one key. */
export class ShapeMeter {
  readonly entropy: Float64Array;
  readonly distance: Float64Array;
  queries = 0;

  constructor(heads: number) {
    this.entropy = new Float64Array(heads);
    this.distance = new Float64Array(heads);
  }

  /** Adds one prompt's row of a block, whose head 0 is head `from` of this meter. */
  add({ data, heads, queries }: AttentionBlock, row: number, from: number): void {
    for (let head = 0; head < heads; head++) {
      let [entropy, distance] = [0, 0];
      for (let query = 1; query < queries; query++) {
        const start = ((row * heads + head) * queries + query) * queries;
        for (let key = 0; key <= query; key++) {
          const p = data[start + key] ?? 0;
          if (p > 0) entropy -= p * Math.log(p);
          distance += p * (query - key);
        }
      }
      this.entropy[from + head] = (this.entropy[from + head] ?? 0) + entropy;
      this.distance[from + head] = (this.distance[from + head] ?? 0) + distance;
    }
  }
}
