/** How often and how strongly each feature fires, accumulated over tokens. */
import type { FeatureStatistics } from "../config.js";

/** Sums for each feature. A feature fires on a token where its activation is above 0. */
export class FeatureCounts {
  readonly #fired: Float64Array;
  readonly #sum: Float64Array;
  readonly #max: Float32Array;
  #tokens = 0;

  constructor(nFeatures: number) {
    this.#fired = new Float64Array(nFeatures);
    this.#sum = new Float64Array(nFeatures);
    this.#max = new Float32Array(nFeatures);
  }

  /** Adds one token: an activation for each feature, from `at`. */
  add(acts: ArrayLike<number>, at: number): void {
    const count = this.#fired.length;
    for (let i = 0; i < count; i++) {
      const value = acts[at + i] as number;
      if (!(value > 0)) continue;
      this.#fired[i] = (this.#fired[i] as number) + 1;
      this.#sum[i] = (this.#sum[i] as number) + value;
      if (value > (this.#max[i] as number)) this.#max[i] = value;
    }
    this.#tokens += 1;
  }

  /** Mean number of features that fire on a token. */
  get l0(): number {
    return this.#fired.reduce((total, count) => total + count, 0) / this.#tokens;
  }

  /** Features that fired on no token, rising. */
  get dead(): readonly number[] {
    return Array.from(this.#fired.keys()).filter((i) => this.#fired[i] === 0);
  }

  /** Returns what `dictionary.withStatistics` takes. */
  finish(): FeatureStatistics {
    const tokens = this.#tokens;
    return {
      tokens,
      density: Float32Array.from(this.#fired, (count) => count / tokens),
      meanActivation: Float32Array.from(this.#fired, (count, i) => (count > 0 ? (this.#sum[i] ?? 0) / count : 0)),
      maxActivation: Float32Array.from(this.#max),
    };
  }
}

/** Returns log10 of each density; features that never fired get −10. */
export function logDensity({ density }: FeatureStatistics): Float32Array {
  return density.map((one) => Math.log10(Math.max(one, 1e-10)));
}
