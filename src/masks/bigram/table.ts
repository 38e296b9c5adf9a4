/** Bigram models: how likely a token is after another, by counts. */
import { InputError, printsItself } from "../../core/index.js";
import type { PairCounts } from "./counts.js";

/**
 * What stands in for pairs that were not seen.
 *
 * - `"backOff"`: the counts as they are; a context that was never seen takes the unigram's, and without any count all tokens
 *   are alike. A pair that was not seen after a known context has probability 0.
 * - `{ add }`: that many, more than 0, added to the count of every pair.
 * - `{ interpolate }`: that share of the unigram's probability in every context (Jelinek and Mercer 1980).
 */
export type Smoothing = "backOff" | { readonly add: number } | { readonly interpolate: number };

/** A distribution of next tokens for each token: what a mask is trained towards. */
export interface TargetDistribution {
  readonly name: string;
  readonly vocabulary: number;
  /** Writes the probabilities of all next tokens after each context, `[context, vocabulary]`. */
  fill(contexts: ArrayLike<number>, out: Float32Array): void;
}

/** Counts as probabilities. Immutable. */
export class BigramTable implements TargetDistribution {
  static {
    printsItself(this.prototype);
  }

  readonly name: string = "bigram";
  readonly vocabulary: number;
  readonly counts: PairCounts;
  readonly smoothing: Smoothing;
  /** How often each token was a next one. */
  readonly unigrams: Float64Array;
  /** Pairs that were counted. */
  readonly tokens: number;
  /** SHA-256 of the token ids that were counted, in hexadecimal; absent where it is not known. */
  readonly corpus?: string;
  readonly #totals: Float64Array;

  /** @internal Use `countBigrams` or `openBigrams`. */
  constructor(counts: PairCounts, smoothing: Smoothing = "backOff", corpus?: string) {
    this.counts = counts;
    if (corpus !== undefined) this.corpus = corpus;
    this.vocabulary = counts.vocabulary;
    this.smoothing = checked(smoothing);
    this.unigrams = new Float64Array(counts.vocabulary);
    this.#totals = new Float64Array(counts.vocabulary + 1);
    for (let context = 0; context <= counts.vocabulary; context++)
      for (let i = counts.starts[context] ?? 0; i < (counts.starts[context + 1] ?? 0); i++) {
        const [next, count] = [counts.next[i] ?? 0, counts.count[i] ?? 0];
        this.unigrams[next] = (this.unigrams[next] ?? 0) + count;
        this.#totals[context] = (this.#totals[context] ?? 0) + count;
      }
    this.tokens = this.#totals.reduce((a, b) => a + b, 0);
  }

  /** The context that stands for the start of a sequence. */
  get start(): number {
    return this.vocabulary;
  }

  /** Returns the same counts with other probabilities for pairs that were not seen. */
  smoothed(smoothing: Smoothing): BigramTable {
    return new BigramTable(this.counts, smoothing, this.corpus);
  }

  /** Returns how often `next` came after `context`. */
  count(context: number, next: number): number {
    this.#check(context, next);
    const { starts, next: nexts, count } = this.counts;
    let [low, high] = [starts[context] ?? 0, starts[context + 1] ?? 0];
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((nexts[middle] ?? 0) < next) low = middle + 1;
      else high = middle;
    }
    return low < (starts[context + 1] ?? 0) && nexts[low] === next ? (count[low] ?? 0) : 0;
  }

  /** Returns the probability of `next` after `context`. */
  probability(context: number, next: number): number {
    return this.#mix(this.#totals[context] ?? 0, this.count(context, next), next);
  }

  /** Returns `−log2` of the probability: infinite for a pair that has none. */
  surprisal(context: number, next: number): number {
    return -Math.log2(this.probability(context, next));
  }

  /** Returns the unigram's probability of a token. */
  unigram(next: number): number {
    return this.tokens === 0 ? 1 / this.vocabulary : (this.unigrams[next] ?? 0) / this.tokens;
  }

  #mix(total: number, count: number, next: number): number {
    const { smoothing } = this;
    if (smoothing === "backOff") return total === 0 ? this.unigram(next) : count / total;
    if ("add" in smoothing) return (count + smoothing.add) / (total + smoothing.add * this.vocabulary);
    const own = total === 0 ? this.unigram(next) : count / total;
    return (1 - smoothing.interpolate) * own + smoothing.interpolate * this.unigram(next);
  }

  /** See {@link TargetDistribution}. */
  fill(contexts: ArrayLike<number>, out: Float32Array): void {
    const size = this.vocabulary;
    for (let row = 0; row < contexts.length; row++)
      this.#fillRow(contexts[row] ?? 0, out.subarray(row * size, (row + 1) * size));
  }

  #fillRow(context: number, out: Float32Array): void {
    this.#check(context, 0);
    const { starts, next, count } = this.counts;
    const total = this.#totals[context] ?? 0;
    if (this.smoothing === "backOff" && total > 0) out.fill(0);
    else for (let i = 0; i < out.length; i++) out[i] = this.#mix(total, 0, i);
    for (let i = starts[context] ?? 0; i < (starts[context + 1] ?? 0); i++)
      out[next[i] ?? 0] = this.#mix(total, count[i] ?? 0, next[i] ?? 0);
  }

  /** Returns the unigram as a target: the same distribution after every token. */
  asUnigram(): TargetDistribution {
    const row = Float32Array.from({ length: this.vocabulary }, (_, i) => this.unigram(i));
    return {
      name: "unigram",
      vocabulary: this.vocabulary,
      fill(contexts, out) {
        for (let i = 0; i < contexts.length; i++) out.set(row, i * row.length);
      },
    };
  }

  /** Returns sizes, and what pairs without a count have. */
  toString(): string {
    const how = typeof this.smoothing === "string" ? "back-off" : JSON.stringify(this.smoothing);
    const text = this.corpus === undefined ? "" : `, text ${this.corpus.slice(0, 8)}`;
    return `BigramTable: ${this.tokens} pairs, ${this.counts.next.length} different, vocabulary ${this.vocabulary}, ${how}${text}`;
  }

  #check(context: number, next: number): void {
    const isContext = Number.isInteger(context) && context >= 0 && context <= this.vocabulary;
    if (isContext && Number.isInteger(next) && next >= 0 && next < this.vocabulary) return;
    throw new InputError({
      where: "bigram table",
      got: `token ${next} after ${context}`,
      expected: `tokens from 0 to ${this.vocabulary - 1}, and ${this.vocabulary} as a context for the start`,
      fix: "Count the text with the tokenizer of the model.",
    });
  }
}

function isUsable(smoothing: Smoothing): boolean {
  if (typeof smoothing === "string") return smoothing === "backOff";
  if ("add" in smoothing) return smoothing.add > 0 && Number.isFinite(smoothing.add);
  return smoothing.interpolate >= 0 && smoothing.interpolate <= 1;
}

function checked(smoothing: Smoothing): Smoothing {
  if (isUsable(smoothing)) return smoothing;
  throw new InputError({
    where: "bigram table: smoothing",
    got: JSON.stringify(smoothing),
    expected: "{ add: more than 0 }, or { interpolate: a share from 0 to 1 }",
    fix: 'Leave it out for "backOff", which adds nothing.',
  });
}
