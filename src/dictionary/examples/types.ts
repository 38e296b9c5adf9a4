/** What an index of examples holds. */
import type { EvaluationProvenance } from "../metrics/result.js";

/** One firing of a feature with the tokens around it. */
export interface FeatureExample {
  readonly value: number;
  /** Row of the run, and position among its real tokens, from 0. */
  readonly row: number;
  readonly position: number;
  /** Token texts around it; fewer at the ends of a row. */
  readonly tokens: readonly string[];
  readonly ids: readonly number[];
  /** The feature's activation at each of them; 0 at tokens that were not counted. */
  readonly activations: Float32Array;
  /** Which of the tokens fired. */
  readonly center: number;
}

/** Examples of a range of activations. */
export interface ExampleGroup {
  /** Such as `top` or `60–80 %`. */
  readonly title: string;
  /** The range of activations that the group stands for. */
  readonly low: number;
  readonly high: number;
  readonly examples: readonly FeatureExample[];
}

/** What is known of one feature from a corpus. */
export interface FeatureExamplesOf {
  readonly index: number;
  /** Fraction of counted tokens on which it fires. */
  readonly density: number;
  /** Where it fires. */
  readonly meanActivation: number;
  readonly maxActivation: number;
  /** Activations above 0: counts of equal bins from 0 to `histogramMax`. */
  readonly histogram: readonly number[];
  readonly histogramMax: number;
  /** The greatest examples, then a sample by quantile of activation, from the highest; empty for a dead feature. */
  readonly groups: readonly ExampleGroup[];
}

/** What an index was made from. */
export interface ExamplesHeader {
  readonly dictionary: {
    readonly name: string;
    readonly readHook: string;
    readonly writeHook: string;
    readonly nFeatures: number;
  };
  readonly provenance: EvaluationProvenance;
  /** Greatest examples, quantile groups, examples in each, tokens on both sides, seed of the sample. */
  readonly top: number;
  readonly quantiles: number;
  readonly perQuantile: number;
  readonly context: number;
  readonly seed: number;
}
