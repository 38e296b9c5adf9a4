/**
 * Histograms of activations whose range is not known beforehand.
 *
 * Each feature's bins cover `[0, 2^e]`. A larger value doubles the range and joins bins in pairs, so that the counts depend on
 * the values alone and not on their order.
 */

/** Bins of one feature; even, so that pairs join. */
export const binCount = 64;

/** Counts of activations above 0 for each feature. */
export class ActivationBins {
  /** Exponent of each feature's range; −128 before its first value. */
  readonly exponents: Int32Array;
  /** `[nFeatures, binCount]`. */
  readonly counts: Float64Array;

  constructor(
    nFeatures: number,
    saved?: { readonly exponents: ArrayLike<number>; readonly counts: ArrayLike<number> },
  ) {
    this.exponents = new Int32Array(nFeatures).fill(-128);
    this.counts = new Float64Array(nFeatures * binCount);
    if (saved !== undefined) {
      this.exponents.set(saved.exponents);
      this.counts.set(saved.counts);
    }
  }

  /** Counts one value above 0. */
  add(feature: number, value: number): void {
    let exponent = this.exponents[feature] as number;
    if (value > 2 ** exponent) exponent = this.#widen(feature, value);
    const bin = Math.min(binCount - 1, Math.floor((value / 2 ** exponent) * binCount));
    const at = feature * binCount + bin;
    this.counts[at] = (this.counts[at] as number) + 1;
  }

  #widen(feature: number, value: number): number {
    const wanted = Math.ceil(Math.log2(value));
    const own = this.counts.subarray(feature * binCount, (feature + 1) * binCount);
    const from = this.exponents[feature] as number;
    const joins = from === -128 ? 0 : Math.min(wanted - from, 32);
    for (let join = 0; join < joins; join++) {
      for (let bin = 0; bin < binCount / 2; bin++) own[bin] = (own[2 * bin] as number) + (own[2 * bin + 1] as number);
      own.fill(0, binCount / 2);
    }
    this.exponents[feature] = wanted;
    return wanted;
  }
}
