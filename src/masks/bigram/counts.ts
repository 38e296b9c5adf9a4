/** Counts of pairs of tokens: sparse rows, gathered from a stream in bounded memory. */

/** Counts by context and next token, as rows: `next` and `count` of context c lie from `starts[c]` to `starts[c + 1]`. */
export interface PairCounts {
  /** Tokens that there are; a row more stands for the start of a sequence. */
  readonly vocabulary: number;
  readonly starts: Uint32Array;
  /** Rising within a row. */
  readonly next: Int32Array;
  readonly count: Float64Array;
}

/** Pairs that are gathered before they are sorted and merged. */
const chunk = 1 << 22;

interface Merged {
  readonly keys: Float64Array;
  readonly counts: Float64Array;
}

/** Equal keys become one, with how often they occurred. */
function runs(sorted: Float64Array): Merged {
  const keys = new Float64Array(sorted.length);
  const counts = new Float64Array(sorted.length);
  let size = 0;
  for (const key of sorted) {
    if (size > 0 && keys[size - 1] === key) counts[size - 1] = (counts[size - 1] ?? 0) + 1;
    else {
      keys[size] = key;
      counts[size++] = 1;
    }
  }
  return { keys: keys.slice(0, size), counts: counts.slice(0, size) };
}

function merge(a: Merged, b: Merged): Merged {
  const keys = new Float64Array(a.keys.length + b.keys.length);
  const counts = new Float64Array(keys.length);
  let [i, j, size] = [0, 0, 0];
  while (i < a.keys.length || j < b.keys.length) {
    const [one, other] = [a.keys[i] ?? Number.POSITIVE_INFINITY, b.keys[j] ?? Number.POSITIVE_INFINITY];
    keys[size] = Math.min(one, other);
    counts[size++] = (one <= other ? (a.counts[i++] ?? 0) : 0) + (other <= one ? (b.counts[j++] ?? 0) : 0);
  }
  return { keys: keys.slice(0, size), counts: counts.slice(0, size) };
}

/** Gathers pairs; `finish` gives the counts. */
export class PairCounter {
  readonly #vocabulary: number;
  readonly #buffer: Float64Array = new Float64Array(chunk);
  #filled = 0;
  #merged: Merged = { keys: new Float64Array(0), counts: new Float64Array(0) };

  constructor(vocabulary: number) {
    this.#vocabulary = vocabulary;
  }

  /** Counts `next` after `context`; `vocabulary` stands for the start of a sequence. */
  add(context: number, next: number): void {
    if (this.#filled === chunk) this.#flush();
    this.#buffer[this.#filled++] = context * this.#vocabulary + next;
  }

  #flush(): void {
    const sorted = this.#buffer.slice(0, this.#filled).sort();
    this.#merged = merge(this.#merged, runs(sorted));
    this.#filled = 0;
  }

  /** Returns the counts. */
  finish(): PairCounts {
    this.#flush();
    const { keys, counts } = this.#merged;
    const size = this.#vocabulary;
    const starts = new Uint32Array(size + 2);
    const next = new Int32Array(keys.length);
    keys.forEach((key, i) => {
      const context = Math.floor(key / size);
      next[i] = key - context * size;
      starts[context + 1] = (starts[context + 1] ?? 0) + 1;
    });
    for (let c = 0; c <= size; c++) starts[c + 1] = (starts[c + 1] ?? 0) + (starts[c] ?? 0);
    return { vocabulary: size, starts, next, count: counts };
  }
}
