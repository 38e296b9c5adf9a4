/** All fits of one layer side by side: the same rows, other labels or another fold left out. */
import { InternalError } from "../../core/index.js";
import type { Design, Scaling } from "./design.js";
import type { Products } from "./products.js";

/** One fit: what its rows are, and which of them train it. */
export interface Fit {
  /** Class of each row, or the number to predict. */
  readonly targets: Int32Array | Float64Array;
  /** 1 for rows that train. */
  readonly trains: Uint8Array;
  readonly scaling: Scaling;
}

/** Weights `[outputs, features]` and constants `[outputs]` on features standardised by the fit's own rows. */
export interface Linear {
  readonly weights: Float64Array;
  readonly bias: Float64Array;
}

/** Fits of one design. */
export class FitBatch {
  readonly design: Design;
  readonly fits: readonly Fit[];
  /** Rows of weights in each fit: 1 for two classes and for numbers, else one for each class. */
  readonly outputs: number;
  readonly #products: Products;

  constructor(design: Design, products: Products, fits: readonly Fit[], outputs: number) {
    this.design = design;
    this.fits = fits;
    this.outputs = outputs;
    this.#products = products;
  }

  /** The products with this batch's design. */
  get products(): Products {
    return this.#products;
  }

  /** Returns the fit at an index. */
  fit(index: number): Fit {
    const found = this.fits[index];
    if (found === undefined)
      throw new InternalError({
        where: "probe.fit",
        got: `fit ${index} of ${this.fits.length}`,
        expected: "one of them",
        fix: "Report this as a bug of limpid.",
      });
    return found;
  }

  /** Scores of every row, held-out ones too, `[outputs, rows]` for each of the fits named. */
  async scores(models: readonly Linear[], indices: readonly number[]): Promise<readonly Float64Array[]> {
    const { features, rows } = this.design;
    const { outputs } = this;
    const w = new Float64Array(indices.length * outputs * features);
    const offsets = new Float64Array(indices.length * outputs);
    models.forEach(({ weights, bias }, m) => {
      const { mean, inverse } = this.fit(indices[m] ?? 0).scaling;
      for (let o = 0; o < outputs; o++) {
        let offset = bias[o] as number;
        const column = m * outputs + o;
        for (let j = 0; j < features; j++) {
          const own = (weights[o * features + j] as number) * (inverse[j] as number);
          w[column * features + j] = own;
          offset -= own * (mean[j] as number);
        }
        offsets[column] = offset;
      }
    });
    const all = await this.#products.times(w, indices.length * outputs);
    for (let i = 0; i < all.length; i++) all[i] = (all[i] as number) + (offsets[Math.floor(i / rows)] as number);
    return models.map((_, m) => all.subarray(m * outputs * rows, (m + 1) * outputs * rows));
  }

  /** `Σ r z` over rows, where `z` are a fit's own standardised features; `r` is `[outputs, rows]` for each fit named. */
  async pullBack(residuals: readonly Float64Array[], indices: readonly number[]): Promise<readonly Float64Array[]> {
    const { features, rows } = this.design;
    const width = (residuals[0]?.length ?? 0) / rows;
    const r = new Float64Array(indices.length * width * rows);
    residuals.forEach((one, m) => {
      r.set(one, m * width * rows);
    });
    const all = await this.#products.crossed(r, indices.length * width);
    return residuals.map((one, m) => {
      const { mean, inverse } = this.fit(indices[m] ?? 0).scaling;
      const out = all.subarray(m * width * features, (m + 1) * width * features);
      for (let o = 0; o < width; o++) {
        let total = 0;
        for (let i = 0; i < rows; i++) total += one[o * rows + i] as number;
        for (let j = 0; j < features; j++) {
          const at = o * features + j;
          out[at] = ((out[at] as number) - total * (mean[j] as number)) * (inverse[j] as number);
        }
      }
      return out;
    });
  }
}
