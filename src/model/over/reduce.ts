/** The statistics that `model.over` knows. */
import type { Tensor } from "../../tensor/index.js";
import { type CustomReducer, customReducer } from "./custom.js";
import {
  type Histogram,
  type HistogramOptions,
  histogramReducer,
  type QuantileOptions,
  quantilesReducer,
} from "./histogram.js";
import { meanByPositionReducer } from "./mean-by-position.js";
import { covarianceReducer, meanReducer, type SpreadOptions, varianceReducer } from "./moments.js";
import { type NormStatistics, normReducer } from "./norms.js";
import type { Reducer } from "./reducer.js";
import { type TopExamples, type TopkOptions, topkReducer } from "./topk.js";

/** Builders of reducers; each counts real tokens only and accumulates in float64. */
export interface ReduceBuilders {
  /** Mean over tokens, with the axes of one token's value. */
  mean(): Reducer<Tensor, "mean">;
  /** Variance over tokens, element by element. */
  variance(options?: SpreadOptions): Reducer<Tensor, "variance">;
  /** Covariance along the last axis, per index of the others: `[dModel, dModel2]`, `[head, dHead, dHead2]`. */
  covariance(options?: SpreadOptions): Reducer<Tensor, "covariance">;
  /** Mean, rms, least and greatest Euclidean norm along the last axis. */
  norm(): Reducer<NormStatistics, "norm">;
  /** For every element, the k tokens with the greatest (or least) values and their context. */
  topk(k: number, options?: TopkOptions): Reducer<TopExamples, "topk">;
  /** Counts in equal bins of a range. */
  histogram(options: HistogramOptions): Reducer<Histogram, "histogram">;
  /** Quantiles of all elements to a relative error, in bounded memory. */
  quantiles(quantiles: readonly number[], options?: QuantileOptions): Reducer<Tensor, "quantiles">;
  /** Mean at each position among the real tokens of a row: `[pos, …]`. */
  meanByPosition(): Reducer<Tensor, "meanByPosition">;
  /** A statistic of your own. */
  custom<S, V, N extends string>(custom: CustomReducer<S, V, N>): Reducer<V, N>;
}

/** Statistics for `model.over(dataset, { capture, reduce: { mean: reduce.mean() } })`. */
export const reduce: ReduceBuilders = {
  mean: meanReducer,
  variance: varianceReducer,
  covariance: covarianceReducer,
  norm: normReducer,
  topk: topkReducer,
  histogram: histogramReducer,
  quantiles: quantilesReducer,
  meanByPosition: meanByPositionReducer,
  custom: customReducer,
};
