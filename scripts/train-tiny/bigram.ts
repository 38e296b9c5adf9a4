/**
 * The baseline: an interpolated bigram model of the same tokens.
 *
 * `p(b|a) = w2 count(a,b) / count(a) + w1 count(b) / N + w0 / V`, counts from the training part, weights chosen by
 * expectation-maximisation on the tuning part. Where `a` has no count, its share goes to the unigram.
 */
import type { TokenStream } from "./vocabulary.js";

/** Probabilities of each next token under the three parts. */
type Parts = readonly [bigram: Float64Array, unigram: Float64Array, uniform: number];

class Counts {
  readonly #pairs = new Map<number, number>();
  readonly #first: Float64Array;
  readonly #single: Float64Array;
  readonly #total: number;
  readonly #size: number;

  constructor(ids: Int32Array, size: number) {
    this.#size = size;
    this.#first = new Float64Array(size);
    this.#single = new Float64Array(size);
    this.#total = ids.length;
    ids.forEach((id, i) => {
      this.#single[id] = (this.#single[id] ?? 0) + 1;
      const next = ids[i + 1];
      if (next === undefined) return;
      this.#first[id] = (this.#first[id] ?? 0) + 1;
      this.#pairs.set(id * size + next, (this.#pairs.get(id * size + next) ?? 0) + 1);
    });
  }

  parts(ids: Int32Array): Parts {
    const unigram = Float64Array.from(ids.subarray(1), (id) => (this.#single[id] ?? 0) / this.#total);
    const bigram = unigram.map((single, i) => {
      const before = ids[i] ?? 0;
      const count = this.#first[before] ?? 0;
      const pair = this.#pairs.get(before * this.#size + (ids[i + 1] ?? 0)) ?? 0;
      return count === 0 ? single : pair / count;
    });
    return [bigram, unigram, 1 / this.#size];
  }
}

type Weights = readonly [number, number, number];

function mix([bigram, unigram, uniform]: Parts, [w2, w1, w0]: Weights, i: number): number {
  return w2 * (bigram[i] ?? 0) + w1 * (unigram[i] ?? 0) + w0 * uniform;
}

function fitWeights(parts: Parts): Weights {
  const [bigram, unigram, uniform] = parts;
  let weights: Weights = [1 / 3, 1 / 3, 1 / 3];
  for (let round = 0; round < 200; round++) {
    const sums = [0, 0, 0];
    for (let i = 0; i < bigram.length; i++) {
      const total = mix(parts, weights, i);
      [bigram[i] ?? 0, unigram[i] ?? 0, uniform].forEach((p, k) => {
        sums[k] = (sums[k] ?? 0) + ((weights[k] ?? 0) * p) / total;
      });
    }
    weights = [0, 1, 2].map((k) => (sums[k] ?? 0) / bigram.length) as unknown as Weights;
  }
  return weights;
}

/** Texts of the baseline: counted, tuned on, measured on. */
export interface BigramStreams {
  readonly train: TokenStream;
  readonly tune: TokenStream;
  readonly test: TokenStream;
}

/** Returns bits per byte of the baseline on the test part. */
export function bigramBitsPerByte({ train, tune, test }: BigramStreams, size: number): number {
  const counts = new Counts(train.ids, size);
  const weights = fitWeights(counts.parts(tune.ids));
  const parts = counts.parts(test.ids);
  let bits = 0;
  for (let i = 0; i < parts[0].length; i++) bits -= Math.log2(mix(parts, weights, i));
  return bits / test.bytes;
}
