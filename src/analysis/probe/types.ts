/** What probes are asked, and what they tell. */
import type { LongCallOptions } from "../../core/index.js";
import type { DocumentTokens } from "../../data/index.js";
import type { InputOptions } from "../../model/index.js";
import type { Interval, ReliabilityBin } from "../../stats/index.js";

/** A text and what it is an example of. */
export interface LabelledText {
  readonly text: string;
  readonly label: string;
}

/** A text or token ids, and what it is an example of. */
export interface ProbeExample {
  readonly text?: string;
  readonly tokens?: DocumentTokens;
  /** A class, or a number to predict. */
  readonly label: string | number;
  /** Examples of one group never stand on both sides of a split. */
  readonly group?: string;
  /** Positions by role, counted from 0 with BOS; `pos: "subject"` reads `positions.subject`. */
  readonly positions?: Readonly<Record<string, number>>;
  /** What the control task draws one label for; by default the token at the position. */
  readonly type?: string;
}

/** Examples in memory, or read one by one. */
export type ProbeExamples = AsyncIterable<ProbeExample> | Iterable<ProbeExample>;

/**
 * Where a text is read: the last real token, a position (negative ones from the end), the mean over all real tokens, or a
 * role that every example names in `positions`.
 */
export type ProbePosition = "last" | "mean" | number | (string & {});

/**
 * How a probe is fitted.
 *
 * `"logistic"` (two classes) and `"multinomial"` (any number) minimise log loss + `penalty / 2 · ‖w‖²`; `"ridge"` squared
 * error + `penalty · ‖w‖²`, for numbers or classes; `"lda"` is Σ⁻¹(μ₁ − μ₀) with a shrunk covariance;
 * `"difference-of-means"` is μ₁ − μ₀, in activation space as it is.
 */
export type ProbeMethod = "difference-of-means" | "lda" | "logistic" | "multinomial" | "ridge";

/** Options of a fit, wherever the features come from. */
export interface ProbeFitOptions extends LongCallOptions {
  /** Parts of the cross-validation; default 5. */
  readonly folds?: number;
  /** Default: `"logistic"` for two classes, `"multinomial"` for more, `"ridge"` for numbers. */
  readonly method?: ProbeMethod;
  /** Equal seeds make equal folds, control labels and intervals; default 0. */
  readonly seed?: number;
  /**
   * `"random"` deals examples to folds, class by class; `"group"` deals whole groups. Default: `"group"` where examples
   * name groups. Equal texts always stay together.
   */
  readonly split?: "group" | "random";
  /** Strength of the L2 penalty on standardised features; above 0. Default 1. */
  readonly penalty?: number;
  /** How far LDA's covariance is drawn to a multiple of the identity, 0 to 1; default 0.1. */
  readonly shrinkage?: number;
  /** Whitens the difference of means by the pooled within-class covariance, which makes it LDA. Default false. */
  readonly whitened?: boolean;
  /** Whether the same probe is fitted to random labels, one for each type; default true. */
  readonly control?: boolean;
  /** Bootstrap resamples behind the intervals; default 1,000. */
  readonly resamples?: number;
  /** Order of the classes; directions point from the first to the second. Default: sorted. */
  readonly labels?: readonly string[];
}

/** Options of {@link Probe.fit}. */
export interface ProbeOptions extends ProbeFitOptions, Pick<InputOptions, "allowSpecial" | "prependBos"> {
  /** Short name of the hook point to read; default `resid_post`. */
  readonly site?: string;
  /** Layers to probe; default `"all"`. */
  readonly layers?: "all" | readonly number[];
  /** Position to read, or several, each with probes of its own; `"last"` is the last real token (default). */
  readonly pos?: ProbePosition | readonly ProbePosition[];
  /** Most slots in a batch of texts, padding included; default 4,096. */
  readonly batchTokens?: number;
}

/** Options of {@link Probe.fitFeatures}. */
export interface FeatureProbeOptions extends ProbeFitOptions {
  /** One for each row: rows of one group never stand on both sides of a split. */
  readonly groups?: readonly string[];
  /** One for each row: what the control task draws one label for. Without types there is no control task. */
  readonly types?: readonly string[];
}

/** How well one probe tells the labels apart, or predicts a number, on examples that it was not fitted to. */
export interface ProbeScore {
  readonly layer: number;
  /** The position, as it was asked for. */
  readonly pos: string;
  /** Full name of the hook point. */
  readonly hook: string;
  /** Accuracy, or R² for numbers: what is drawn and compared. */
  readonly score: number;
  /** 95 % bootstrap interval of `score`, over examples, or over groups where the split is by group. */
  readonly interval: Interval;
  /** Standard deviation of the score over folds. */
  readonly deviation: number;
  /** Score of each fold. */
  readonly folds: readonly number[];
  /** Accuracy over held-out examples, 0 to 1; NaN for numbers. */
  readonly accuracy: number;
  /** Area under the ROC curve, mean over classes against the rest beyond two; NaN for numbers. */
  readonly auroc: number;
  /** 95 % bootstrap interval of `auroc`. */
  readonly aurocInterval: Interval;
  /** Share of the variance explained; NaN for classes. */
  readonly r2: number;
  /** Brier score of the held-out probabilities, 0 to 2; NaN for numbers. */
  readonly brier: number;
  /** Expected calibration error over ten bins, 0 to 1; NaN for numbers. */
  readonly calibrationError: number;
  /** The bins behind it. */
  readonly reliability: readonly ReliabilityBin[];
  /** Score of the same probe on random labels, one for each type; NaN where there was no control task. */
  readonly control: number;
  /** `score − control`: what the probe reads rather than learns by heart. */
  readonly selectivity: number;
}

/** What one text was taken for. */
export interface ProbePrediction {
  /** The class; empty for numbers. */
  readonly label: string;
  /** Probability of each class, in the order of `labels`; empty for numbers. */
  readonly probabilities: readonly number[];
  /** The decision value: log odds for two classes, the prediction for numbers, the highest class score beyond two. */
  readonly value: number;
}

/** Where a fitted probe stands. */
export interface ProbePlace {
  /** Default: the layer with the best score. */
  readonly layer?: number;
  /** Default: the position with the best score at that layer. */
  readonly pos?: ProbePosition;
}

/** Which direction of a fitted probe. */
export interface ProbeDirectionOptions {
  readonly pos?: ProbePosition;
  /** Beyond two classes: the class that the direction leads to, away from the others. */
  readonly label?: string;
}

/** Options of `result.predict` and `result.evaluate`. */
export interface ProbePredictOptions extends ProbePlace, LongCallOptions {
  /** Texts are read as those that the probe was fitted to; another value than theirs is an error. */
  readonly prependBos?: boolean;
  readonly batchTokens?: number;
}

/** Where a result comes from. */
export interface ProbeProvenance {
  /** The model as it was named when loaded, and the identity of its weights; empty for features of your own. */
  readonly model: string;
  readonly identity: string;
  readonly edits: readonly string[];
  /** Hash over the token ids that were read. */
  readonly dataHash: string;
  /** How texts were read, where it was said; else as the tokenizer does by itself. New texts are read in the same way. */
  readonly reading?: Pick<InputOptions, "allowSpecial" | "prependBos">;
  readonly examples: number;
  readonly seed: number;
  readonly folds: number;
  readonly split: "group" | "random";
  readonly penalty: number;
  readonly shrinkage: number;
  readonly whitened: boolean;
}
